"""The Custom Scalars dashboard. TensorBoard merges the layouts of all runs: charts of one category come together.

So a trial's run brings the charts of trials, and a run of mean curves the charts with a band, which would be empty
without it.
"""

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from alearn.report.tensorboard import tags

CHARTS = {  # category: title of a chart, regular expression of its tags
    "mislabel rate": {
        "of the auto labels": "auto_labels/mislabeled",
        "of a round's auto labels": "auto_labels/mislabeled_this_round",
        "of the auto labels, vs hand labels": "over_hand_labels/mislabeled",
        "of the data set, if it finished now, vs hand labels": "over_hand_labels/mislabeled_if_finished",
        "of the data set": "auto_labels/mislabeled_of_data_set",
        "of the images of a class": "mislabeled_classes/.*",
    },
    "labels by source": {
        "shares by hand, auto and none": "shares/.*",
        "hand labels": "labels/hand",
        "auto labels": "labels/auto",
        "auto labeled share, vs hand labels": "over_hand_labels/auto_share",
    },
    "accuracy": {
        "on the test set": "model/test_accuracy",
        "on the test set, vs hand labels": "over_hand_labels/test_accuracy",
        "in validation": "model/validation_accuracy",
    },
    "time": {
        "seconds of training a round": "seconds/fit",
        "seconds of scoring a round": "seconds/score",
        "images trained on a second": "speed/train_images_per_second",
        "images scored a second": "speed/score_images_per_second",
    },
}
BANDS = {  # category: title of a chart, tag of the curve that gets a band
    "mislabel rate": {
        "of the auto labels": "auto_labels/mislabeled",
        "of the auto labels, vs hand labels": "over_hand_labels/mislabeled",
    },
    "labels by source": {
        "hand labels": "labels/hand",
        "auto labeled share": "shares/auto",
        "auto labeled share, vs hand labels": "over_hand_labels/auto_share",
    },
    "accuracy": {
        "on the test set": "model/test_accuracy",
        "on the test set, vs hand labels": "over_hand_labels/test_accuracy",
    },
    "time": {"seconds of training a round": "seconds/fit"},
}


def of_trials() -> Summary:
    """The charts of the trials' own curves, all four categories of them."""
    layout = layout_pb2.Layout()
    for title, charts in CHARTS.items():
        category = layout.category.add(title=title)
        for name, pattern in charts.items():
            category.chart.add(title=name).multiline.tag.append(f"^{pattern}$")
    return _summary(layout)


def of_bands() -> Summary:
    """The charts of means with their bands."""
    layout = layout_pb2.Layout()
    for title, charts in BANDS.items():
        category = layout.category.add(title=title)
        for name, tag in reversed(charts.items()):  # TensorBoard shows the last margin chart of a category first
            value, lower, upper = tags.band(tag)
            chart = category.chart.add(title=f"mean ± sd: {name}")
            chart.margin.series.add(value=value, lower=lower, upper=upper)
    return _summary(layout)


def _summary(layout: layout_pb2.Layout) -> Summary:
    tensor = TensorProto(dtype=DT_STRING, string_val=[layout.SerializeToString()])
    value = Summary.Value(tag=metadata.CONFIG_SUMMARY_TAG, metadata=metadata.create_summary_metadata(), tensor=tensor)
    return Summary(value=[value])
