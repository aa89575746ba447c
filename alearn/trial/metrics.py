"""All metrics: what each means, in which unit, and where it is shown.

A new metric is an entry here and the code that computes it: `alearn.trial.measure` for a round, `alearn.trial.row` for
what only a whole trial has. The console, TensorBoard, the pages and the tables of a sweep follow from the entry. Those
that show several metrics show them in the order of this list.
"""

from collections.abc import Mapping
from typing import Any

from alearn.trial.metric import Curve, Metric, Topic, Unit

METRICS = (
    Metric("round", "round", Unit.FEW, "Number of the round; the first one is 1.", column="round"),
    Metric(
        "rounds", "rounds", Unit.FEW, "Rounds that the trial took.",
        in_rounds=False, in_row=True, summary=True, table="rounds", published=True, curve=Curve("result/rounds"),
    ),
    Metric("images", "images", Unit.COUNT, "Images of the data set.", in_rounds=False, in_row=True),
    Metric(
        "epochs", "epochs", Unit.COUNT, "Epochs of training in the round.",
        column="epochs", curve=Curve("train/epochs"),
    ),
    Metric("steps", "steps", Unit.COUNT, "Steps of training in the round."),
    Metric(
        "hand", "hand labeled", Unit.COUNT,
        "Answers of a human that the trial asked for; labels that were given before do not count.",
        in_row=True, column="hand", summary=True, table="hand", published=True,
        curve=Curve("labels/hand", final=True, topic=Topic.LABELS, band=True),
    ),
    Metric(
        "hand_share", "hand labeled (of all)", Unit.SHARE, "hand, as a share of all images.",
        compared=True, curve=Curve("shares/hand", topic=Topic.LABELS),
    ),
    Metric("first", "hand labeled first", Unit.COUNT, "Hand labels from before the first round.", in_row=True),
    Metric("query", "hand labeled by query", Unit.COUNT, "Hand labels that the rounds asked for.", in_row=True),
    Metric("rest", "hand labeled at the end", Unit.COUNT, "Hand labels for what was left at the end.", in_row=True),
    Metric("audit", "hand labeled in the audit", Unit.COUNT, "Hand labels that checked the model's.", in_row=True),
    Metric(
        "given", "given labels", Unit.COUNT, "Labels of a human that were there before the trial.",
        in_row=True, summary=True, rare=True,
    ),
    Metric(
        "aside", "cannot tell", Unit.COUNT, "Images that a human set aside: nobody can tell their class.",
        in_row=True, summary=True, rare=True,
    ),
    Metric("new_hand", "hand labeled (in the round)", Unit.COUNT, "Hand labels that the round brought."),
    Metric(
        "auto", "auto labeled", Unit.COUNT, "Labels of the model.",
        in_row=True, column="auto", summary=True, table="auto", published=True,
        curve=Curve("labels/auto", final=True, topic=Topic.LABELS),
    ),
    Metric(
        "auto_share", "auto labeled (of all)", Unit.SHARE, "auto, as a share of all images.",
        curve=Curve("shares/auto", over_hand="over_hand_labels/auto_share", topic=Topic.LABELS, band=True),
    ),
    Metric("new_auto", "auto labeled (in the round)", Unit.COUNT, "Labels of the model that the round brought."),
    Metric(
        "unlabeled", "unlabeled", Unit.COUNT, "Images without a label that nobody was asked about.",
        in_row=True, column="unlabeled", summary=True, rare=True, curve=Curve("labels/unlabeled", final=True),
    ),
    Metric(
        "unlabeled_share", "unlabeled (of all)", Unit.SHARE, "unlabeled, as a share of all images.",
        compared=True, curve=Curve("shares/unlabeled", topic=Topic.LABELS),
    ),
    Metric(
        "wrong_auto", "wrong auto labels", Unit.COUNT, "Auto labels that are wrong. Not known without the true labels.",
        in_row=True, column="wrong auto", summary=True,
    ),
    Metric(
        "mislabeled_auto", "mislabeled (of auto)", Unit.SHARE,
        "Share of the auto labels that is wrong. Not known without the true labels, or without auto labels.",
        in_row=True, column="mislabeled", summary=True, table="mislabeled", published=True, line="wrong", compared=True,
        curve=Curve(
            "auto_labels/mislabeled", final=True, over_hand="over_hand_labels/mislabeled", topic=Topic.MISLABELS,
            band=True,
        ),
    ),
    Metric(
        "estimated_mislabeled_auto", "mislabeled (of auto, estimated)", Unit.SHARE,
        "What mislabeled_auto probably is: an estimate without the true labels, from how well the answers to the "
        "rounds' questions fit the model's guesses.",
        in_row=True, summary=True, stands_in_for="mislabeled_auto", line="soft",
        curve=Curve("labels/mislabeled_auto_estimated", topic=Topic.MISLABELS),
    ),
    Metric("wrong_new_auto", "wrong auto labels (in the round)", Unit.COUNT, "Wrong auto labels of the round."),
    Metric(
        "mislabeled_new_auto", "mislabeled (of the round's auto)", Unit.SHARE,
        "Share of the round's auto labels that is wrong.",
        line="auto", curve=Curve("auto_labels/mislabeled_this_round", topic=Topic.MISLABELS),
    ),
    Metric("wrong_hand", "wrong hand labels", Unit.COUNT, "Hand labels that are wrong."),
    Metric(
        "mislabeled_total", "mislabeled (of all)", Unit.SHARE,
        "Share of all images that has a wrong label, whoever gave it.",
        in_row=True, summary=True, table="mislabeled_total", line="query",
        curve=Curve("auto_labels/mislabeled_of_data_set", final=True, topic=Topic.MISLABELS),
    ),
    Metric(
        "wrong_if_finished", "wrong labels (if finished now)", Unit.COUNT,
        "Labels that would be wrong if the model labeled all the rest now.",
    ),
    Metric(
        "mislabeled_if_finished", "mislabeled (of all, if finished now)", Unit.SHARE,
        "wrong_if_finished, as a share of all images.",
        line="first", compared=True,
        curve=Curve(over_hand="over_hand_labels/mislabeled_if_finished", topic=Topic.MISLABELS),
    ),
    Metric(
        "learning_curve", "learning curve", Unit.OBJECT,
        "hand and wrong_if_finished after each round, as a list of pairs.",
        in_rounds=False, in_row=True,
    ),
    Metric(
        "per_class", "by class", Unit.OBJECT,
        "For each true class: its images, how many of them a human labeled (hand), how many have a wrong auto label "
        "(wrong), and error, wrong / images.",
        in_row=True,
    ),
    Metric(
        "worst_class_error", "mislabeled (worst class)", Unit.SHARE,
        "Share of the images of a class with a wrong auto label, in the class where it is largest. A sweep's table has "
        "it where the classes are unbalanced.",
        in_row=True, summary=True, table="worst_class_error",
        curve=Curve("mislabeled_classes/worst", final=True, topic=Topic.MISLABELS),
    ),
    Metric(
        "mean_class_error", "mislabeled (mean of the classes)", Unit.SHARE,
        "Share of the images of a class with a wrong auto label, on average over the classes.",
        in_row=True, curve=Curve("mislabeled_classes/mean", final=True, topic=Topic.MISLABELS),
    ),
    Metric(
        "missing_classes", "classes without a hand label", Unit.COUNT,
        "Classes that no human has given to an image yet: the model cannot know them.",
        in_row=True,
    ),
    Metric("train_loss", "training loss", Unit.LOSS, "Mean loss of the last epoch.", curve=Curve("train/loss")),
    Metric(
        "val_accuracy", "validation accuracy", Unit.ACCURACY,
        "Accuracy on hand labels that were kept from training. Not known where none are.",
        column="val acc", line="auto", curve=Curve("model/validation_accuracy", topic=Topic.ACCURACY),
    ),
    Metric(
        "test_accuracy", "test accuracy", Unit.ACCURACY,
        "Accuracy of the round's model on the test set; of a trial, that of its last round.",
        in_row=True, column="test acc", summary=True, table="test_accuracy", line="query", compared=True,
        curve=Curve(
            "model/test_accuracy", over_hand="over_hand_labels/test_accuracy", topic=Topic.ACCURACY, band=True,
        ),
    ),
    Metric(
        "seconds.total", "seconds", Unit.SECONDS, "Seconds of all phases of all rounds.",
        in_rounds=False, in_row=True, summary=True, table="seconds", curve=Curve("result/seconds"),
    ),
    Metric(
        "seconds_fit", "seconds of training", Unit.SECONDS, "Seconds of training in the round.",
        column="fit s", curve=Curve("seconds/fit", topic=Topic.TIME, band=True),
    ),
    Metric(
        "seconds_score", "seconds of scoring", Unit.SECONDS, "Seconds of scoring the pool in the round.",
        column="score s", curve=Curve("seconds/score", topic=Topic.TIME),
    ),
    Metric("seconds_decide", "seconds of deciding", Unit.SECONDS, "Seconds of deciding what to ask and to accept."),
    Metric("seconds_ask", "seconds of asking", Unit.SECONDS, "Seconds of waiting for answers in the round."),
    Metric("seconds_measure", "seconds of measuring", Unit.SECONDS, "Seconds of computing these metrics."),
    Metric(
        "train_images_per_second", "images trained on a second", Unit.SPEED, "Images a second in training.",
        curve=Curve("speed/train_images_per_second", topic=Topic.TIME),
    ),
    Metric(
        "score_images_per_second", "images scored a second", Unit.SPEED, "Images a second in scoring.",
        curve=Curve("speed/score_images_per_second", topic=Topic.TIME),
    ),
    Metric(
        "forecast_hand", "hand labeled (at the forecast)", Unit.COUNT,
        "Hand labels when the round weighed an audit. Known only where the trial ends with one, as the next two.",
    ),
    Metric(
        "expected_wrong", "wrong labels (expected)", Unit.COUNT,
        "Labels that are expected to be wrong among those that no human gave.",
        curve=Curve(over_hand="over_hand_labels/wrong_expected", hand="forecast_hand"),
    ),
    Metric(
        "expected_hand", "hand labeled (with an audit, expected)", Unit.COUNT,
        "Hand labels that the trial is expected to take in all if the audit begins now.",
        curve=Curve(over_hand="over_hand_labels/with_audit_expected", hand="forecast_hand"),
    ),
    Metric(
        "certificate", "certificate", Unit.TEXT, "What the audit certifies, and what it cost.",
        in_rounds=False, in_row=True,
    ),
)  # fmt: skip

BY_KEY = {metric.key: metric for metric in METRICS}

OBJECTIVES = ("hand_share", "mislabeled_total")
"""What a search minimizes: the shares of all images that a human labeled, and that have a wrong label."""

ESTIMATES = {metric.stands_in_for: metric for metric in METRICS if metric.stands_in_for}
"""Estimates, by the metric that they stand in for."""


def outcome(row: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics that sum up a trial, given its row, without those that have nothing to say."""
    shown = []
    for metric in METRICS:
        value = metric.of(row)
        if not metric.summary or value is None or (metric.rare and not value):
            continue
        if metric.stands_in_for and BY_KEY[metric.stands_in_for].of(row) is not None:
            continue
        shown.append(metric)
    return shown


def objectives(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the OBJECTIVES of a trial, given its row. The second is None where nobody knows the true labels."""
    return row["hand"] / row["images"], row["mislabeled_total"]
