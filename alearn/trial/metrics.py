"""All metrics: what each means, in which unit, and where it is shown.

To add a metric, add an entry here and the code that computes it: in `alearn.trial.measure` for a round, or in
`alearn.trial.row` for a whole trial. The console, TensorBoard, the pages and the tables of a sweep follow from the
entry, and show metrics in the order of this list.
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
        "Answers of a human that the trial asked for. Labels that existed before the trial do not count.",
        in_row=True, column="hand", summary=True, table="hand", published=True,
        curve=Curve("labels/hand", final=True, topic=Topic.LABELS, band=True),
    ),
    Metric(
        "hand_share", "hand labeled (of all)", Unit.SHARE, "hand, as a share of all images.",
        compared=True, curve=Curve("shares/hand", topic=Topic.LABELS),
    ),
    Metric("first", "hand labeled first", Unit.COUNT, "Hand labels from before the first round.", in_row=True),
    Metric("query", "hand labeled by query", Unit.COUNT, "Hand labels that the rounds asked for.", in_row=True),
    Metric("rest", "hand labeled at the end", Unit.COUNT, "Hand labels for images left at the end.", in_row=True),
    Metric("audit", "hand labeled in the audit", Unit.COUNT, "Hand labels that check auto labels.", in_row=True),
    Metric(
        "given", "given labels", Unit.COUNT, "Labels of a human that existed before the trial.",
        in_row=True, summary=True, rare=True,
    ),
    Metric(
        "aside", "cannot tell", Unit.COUNT, "Images that a human set aside: nobody can tell their class.",
        in_row=True, summary=True, rare=True,
    ),
    Metric("new_hand", "hand labeled (in the round)", Unit.COUNT, "Hand labels that were given in the round."),
    Metric(
        "auto", "auto labeled", Unit.COUNT, "Labels of the model.",
        in_row=True, column="auto", summary=True, table="auto", published=True,
        curve=Curve("labels/auto", final=True, topic=Topic.LABELS),
    ),
    Metric(
        "auto_share", "auto labeled (of all)", Unit.SHARE, "auto, as a share of all images.",
        curve=Curve("shares/auto", over_hand="over_hand_labels/auto_share", topic=Topic.LABELS, band=True),
    ),
    Metric("new_auto", "auto labeled (in the round)", Unit.COUNT, "Labels that the model gave in the round."),
    Metric(
        "unlabeled", "unlabeled", Unit.COUNT, "Images without a label that nobody was asked about.",
        in_row=True, column="unlabeled", summary=True, rare=True, curve=Curve("labels/unlabeled", final=True),
    ),
    Metric(
        "unlabeled_share", "unlabeled (of all)", Unit.SHARE, "unlabeled, as a share of all images.",
        compared=True, curve=Curve("shares/unlabeled", topic=Topic.LABELS),
    ),
    Metric(
        "wrong_auto", "wrong auto labels", Unit.COUNT, "Auto labels that are wrong. Unknown without the true labels.",
        in_row=True, column="wrong auto", summary=True,
    ),
    Metric(
        "mislabeled_auto", "mislabeled (of auto)", Unit.SHARE,
        "Share of the auto labels that is wrong. Unknown without the true labels, or without auto labels.",
        in_row=True, column="mislabeled", summary=True, table="mislabeled", published=True, line="wrong", compared=True,
        curve=Curve(
            "auto_labels/mislabeled", final=True, over_hand="over_hand_labels/mislabeled", topic=Topic.MISLABELS,
            band=True,
        ),
    ),
    Metric(
        "estimated_mislabeled_auto", "mislabeled (of auto, estimated)", Unit.SHARE,
        "An estimate of mislabeled_auto that does not need the true labels. It comes from how often the guesses of the "
        "model agreed with the answers to the rounds' questions.",
        in_row=True, summary=True, stands_in_for="mislabeled_auto", line="soft",
        curve=Curve("labels/mislabeled_auto_estimated", topic=Topic.MISLABELS),
    ),
    Metric(
        "checked", "checked auto labels", Unit.COUNT,
        "The latest answers that check what the auto-label rule takes, at most 20 (policy.auto.check).",
        in_row=True, summary=True, rare=True,
    ),
    Metric(
        "wrong_checked", "wrong checked auto labels", Unit.COUNT,
        "How many of the checked predictions were wrong.",
        in_row=True, summary=True, rare=True, curve=Curve("model/wrong_checked_auto_labels"),
    ),
    Metric(
        "trusted_threshold", "trusted threshold", Unit.SHARE,
        "The probability above which predictions may become auto labels: policy.threshold, or a higher one if the "
        "checks have refuted it. 1 means that there are none.",
        curve=Curve("model/trusted_threshold"),
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
        "Share of all images that has a wrong label, from a human or from the model.",
        in_row=True, summary=True, table="mislabeled_total", line="query",
        curve=Curve("auto_labels/mislabeled_of_data_set", final=True, topic=Topic.MISLABELS),
    ),
    Metric(
        "wrong_if_finished", "wrong labels (if finished now)", Unit.COUNT,
        "Labels that would be wrong if the model labeled all remaining images now.",
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
        "For each true class: how many images it has (images), how many of them a human labeled (hand), how many have "
        "a wrong auto label (wrong), and wrong / images (error).",
        in_row=True,
    ),
    Metric(
        "worst_class_error", "mislabeled (worst class)", Unit.SHARE,
        "Share of a class's images that has a wrong auto label, for the class in which it is largest. The table of a "
        "sweep has it if the classes are unbalanced.",
        in_row=True, summary=True, table="worst_class_error",
        curve=Curve("mislabeled_classes/worst", final=True, topic=Topic.MISLABELS),
    ),
    Metric(
        "mean_class_error", "mislabeled (mean of the classes)", Unit.SHARE,
        "Share of a class's images that has a wrong auto label, averaged over the classes.",
        in_row=True, curve=Curve("mislabeled_classes/mean", final=True, topic=Topic.MISLABELS),
    ),
    Metric(
        "missing_classes", "classes without a hand label", Unit.COUNT,
        "Classes that no human has given to an image yet. The model cannot know them.",
        in_row=True,
    ),
    Metric("train_loss", "training loss", Unit.LOSS, "Mean loss of the last epoch.", curve=Curve("train/loss")),
    Metric(
        "val_accuracy", "validation accuracy", Unit.ACCURACY,
        "Accuracy on hand labels that were held out from training. Unknown if none were.",
        column="val acc", line="auto", curve=Curve("model/validation_accuracy", topic=Topic.ACCURACY),
    ),
    Metric(
        "test_accuracy", "test accuracy", Unit.ACCURACY,
        "Accuracy of the round's model on the test set. For a trial: of the model of its last round.",
        in_row=True, column="test acc", summary=True, table="test_accuracy", line="query", compared=True,
        curve=Curve(
            "model/test_accuracy", over_hand="over_hand_labels/test_accuracy", topic=Topic.ACCURACY, band=True,
        ),
    ),
    Metric(
        "seconds.total", "seconds", Unit.SECONDS, "Seconds of all phases of all rounds together.",
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
    Metric("seconds_decide", "seconds of deciding", Unit.SECONDS, "Seconds of deciding what to ask and accept."),
    Metric("seconds_ask", "seconds of asking", Unit.SECONDS, "Seconds of waiting for answers in the round."),
    Metric("seconds_measure", "seconds of measuring", Unit.SECONDS, "Seconds of computing these metrics."),
    Metric(
        "train_images_per_second", "images trained on per second", Unit.SPEED, "Images per second in training.",
        curve=Curve("speed/train_images_per_second", topic=Topic.TIME),
    ),
    Metric(
        "score_images_per_second", "images scored per second", Unit.SPEED, "Images per second in scoring.",
        curve=Curve("speed/score_images_per_second", topic=Topic.TIME),
    ),
    Metric(
        "forecast_hand", "hand labeled (at the forecast)", Unit.COUNT,
        "Hand labels when the round considered an audit. Like the next two, known only if a trial ends with an audit.",
    ),
    Metric(
        "expected_wrong", "wrong labels (expected)", Unit.COUNT,
        "Expected number of wrong labels among those that no human gave.",
        curve=Curve(over_hand="over_hand_labels/wrong_expected", hand="forecast_hand"),
    ),
    Metric(
        "expected_hand", "hand labeled (with an audit, expected)", Unit.COUNT,
        "Expected number of hand labels in the whole trial if the audit begins now.",
        curve=Curve(over_hand="over_hand_labels/with_audit_expected", hand="forecast_hand"),
    ),
    Metric(
        "certificate", "certificate", Unit.TEXT, "What the audit certifies, and what it cost.",
        in_rounds=False, in_row=True,
    ),
)  # fmt: skip

BY_KEY = {metric.key: metric for metric in METRICS}

OBJECTIVES = ("hand_share", "mislabeled_total")
"""What a search minimizes: the share of all images that a human labeled, and the share that has a wrong label."""

ESTIMATES = {metric.stands_in_for: metric for metric in METRICS if metric.stands_in_for}
"""The estimates, by the key of the metric that they stand in for."""


def outcome(row: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics that sum up a trial, given its row. Omit those that are unknown or tell nothing."""
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
    """Return the OBJECTIVES of a trial, given its row. The second is None if nobody knows the true labels."""
    return row["hand"] / row["images"], row["mislabeled_total"]
