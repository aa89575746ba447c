"""The curves in TensorBoard by tag; `alearn.trial.metrics` says which metrics have one."""

from collections.abc import Mapping
from typing import Any

from alearn.trial.metric import Metric
from alearn.trial.metrics import METRICS

SCALARS = {metric.curve.tag: metric for metric in METRICS if metric.curve.tag and metric.in_rounds}
"""The curves with one point for each round."""
FINAL = {tag: metric for tag, metric in SCALARS.items() if metric.curve.final}
"""The curves of SCALARS with one more point, one step after the last round, when the remaining images are labeled."""
RESULT = {metric.curve.tag: metric for metric in METRICS if metric.curve.tag and not metric.in_rounds}
"""The curves with a single point, for when the trial has finished."""
OVER_HAND = {metric.curve.over_hand: metric for metric in METRICS if metric.curve.over_hand}
"""The learning curves: one point for each round, over the number of hand labels."""
BANDED = {tag for metric in METRICS if metric.curve.band for tag in (metric.curve.tag, metric.curve.over_hand) if tag}
"""The curves whose mean over seeds has a chart with a band."""
BY_EPOCH = ("train/loss_by_epoch", "train/validation_accuracy_by_epoch")
"""The curves with one point for each epoch, counted through all rounds."""
CLASSES = 20
"""The most classes for which each class has a curve."""


def points(metrics: Mapping[str, Metric], values: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the value of each curve, given the metrics of a round or a trial's row."""
    return {tag: metric.of(values) for tag, metric in metrics.items()}


def of_class(name: str) -> str:
    """Return the tag of a class: the share of its images that has a wrong auto label."""
    return f"mislabeled_classes/of {name}"


def band(tag: str) -> tuple[str, str, str]:
    """Return the tags of a curve's mean, mean - sd and mean + sd over seeds.

    The mean has another tag here than the curve of a trial, because a margin chart warns about every run that has some
    of its three tags but not all.
    """
    return f"with_sd/{tag}/mean", f"with_sd/{tag}/lower", f"with_sd/{tag}/upper"
