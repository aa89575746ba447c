"""The Custom Scalars dashboard. TensorBoard merges the layouts of all runs, category by category.

So the run of a trial contributes the charts of trials. A run of mean curves contributes the charts with a band, which
would be empty without such a run.
"""

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from alearn.report.tensorboard import tags
from alearn.trial.metric import Topic
from alearn.trial.metrics import METRICS

TOGETHER = {"shares": "shares by hand, auto and none", "mislabeled_classes": "mislabeled, by class"}
"""The title of a chart that all curves of a group of tags share, by the group."""


def of_trials() -> Summary:
    """Return the charts of the trials' curves, in all four categories."""
    layout = layout_pb2.Layout()
    for topic in Topic:
        category = layout.category.add(title=topic.value)
        patterns: dict[str, str] = {}
        for title, tag in _curves(topic).items():
            group = tag.partition("/")[0]
            patterns |= {TOGETHER[group]: f"{group}/.*"} if group in TOGETHER else {title: tag}
        for title, pattern in patterns.items():
            category.chart.add(title=title).multiline.tag.append(f"^{pattern}$")
    return _summary(layout)


def of_bands() -> Summary:
    """Return the charts of mean curves with their bands."""
    layout = layout_pb2.Layout()
    for topic in Topic:
        category = layout.category.add(title=topic.value)
        curves = {title: tag for title, tag in _curves(topic).items() if tag in tags.BANDED}
        for title, tag in reversed(curves.items()):  # TensorBoard shows the last margin chart of a category first
            value, lower, upper = tags.band(tag)
            category.chart.add(title=f"mean ± sd: {title}").margin.series.add(value=value, lower=lower, upper=upper)
    return _summary(layout)


def _curves(topic: Topic) -> dict[str, str]:
    """Return the tags of a category's curves by the titles of their charts."""
    curves: dict[str, str] = {}
    for metric in METRICS:
        if metric.curve.topic is topic:
            curves |= {metric.title: metric.curve.tag, f"{metric.title}, vs hand labels": metric.curve.over_hand}
    return {title: tag for title, tag in curves.items() if tag}


def _summary(layout: layout_pb2.Layout) -> Summary:
    tensor = TensorProto(dtype=DT_STRING, string_val=[layout.SerializeToString()])
    value = Summary.Value(tag=metadata.CONFIG_SUMMARY_TAG, metadata=metadata.create_summary_metadata(), tensor=tensor)
    return Summary(value=[value])
