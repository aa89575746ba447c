import re

import pytest
from tensorboard.plugins.custom_scalar import layout_pb2

from alearn.report.tensorboard import layout, tags

CATEGORIES = ["mislabel rate", "labels by source", "accuracy", "time"]


def parsed(content: bytes) -> dict[str, list[layout_pb2.Chart]]:
    return {category.title: list(category.chart) for category in layout_pb2.Layout.FromString(content).category}


@pytest.mark.slow
def test_a_trial_opens_with_the_dashboard(trial):
    (event,) = trial.events.Tensors("custom_scalars__config__")
    assert event.step == 0
    found = parsed(event.tensor_proto.string_val[0])
    assert list(found) == CATEGORIES
    written = sorted(trial.events.Tags()["scalars"])
    for charts in found.values():
        for chart in charts:
            (pattern,) = chart.multiline.tag
            assert [tag for tag in written if re.match(pattern, tag)], chart.title
    (chart,) = [chart for chart in found["labels by source"] if chart.title == "shares by hand, auto and none"]
    (shares,) = chart.multiline.tag
    assert [tag for tag in written if re.match(shares, tag)] == ["shares/auto", "shares/hand", "shares/unlabeled"]


def test_the_bands_join_the_same_categories():
    found = parsed(layout.of_bands().value[0].tensor.string_val[0])
    assert list(found) == CATEGORIES
    for charts in found.values():
        for chart in charts:
            (series,) = chart.margin.series
            tag = series.value.removeprefix("with_sd/").removesuffix("/mean")
            assert tag in tags.SCALARS | tags.OVER_HAND
            assert (series.value, series.lower, series.upper) == tags.band(tag)
