"""The names of the curves: tags, and the metrics (see `alearn.trial.measure`) that they show.

TensorBoard sorts by name, opens the first groups and shows the first five tags as columns of the HParams tab: what
matters most comes first in the alphabet.
"""

SCALARS = {  # tag: metric, one point a round
    "auto_labels/mislabeled": "mislabeled_auto",
    "auto_labels/mislabeled_of_data_set": "mislabeled_total",
    "auto_labels/mislabeled_this_round": "mislabeled_new_auto",
    "labels/auto": "auto",
    "labels/hand": "hand",
    "labels/mislabeled_auto_estimated": "estimated_mislabeled_auto",
    "labels/unlabeled": "unlabeled",
    "mislabeled_classes/mean": "mean_class_error",
    "mislabeled_classes/worst": "worst_class_error",
    "model/test_accuracy": "test_accuracy",
    "model/validation_accuracy": "val_accuracy",
    "seconds/fit": "seconds_fit",
    "seconds/score": "seconds_score",
    "shares/auto": "auto_share",
    "shares/hand": "hand_share",
    "shares/unlabeled": "unlabeled_share",
    "speed/score_images_per_second": "score_images_per_second",
    "speed/train_images_per_second": "train_images_per_second",
    "train/epochs": "epochs",
    "train/loss": "train_loss",
}
OVER_HAND = {  # the learning curve: one point a round, over the number of hand labels
    "over_hand_labels/auto_share": "auto_share",
    "over_hand_labels/mislabeled": "mislabeled_auto",
    "over_hand_labels/mislabeled_if_finished": "mislabeled_if_finished",
    "over_hand_labels/test_accuracy": "test_accuracy",
}
FORECAST = {  # of a trial that ends with an audit: one point a round, over the number of hand labels
    "over_hand_labels/with_audit_expected": "expected_hand",
    "over_hand_labels/wrong_expected": "expected_wrong",
}
BY_EPOCH = {  # one point an epoch, those of all rounds in a row
    "train/loss_by_epoch": "loss",
    "train/validation_accuracy_by_epoch": "accuracy",
}
CLASSES = 20
"""Classes up to which each has a curve of its own."""
FINAL = (
    "auto_labels/mislabeled",
    "auto_labels/mislabeled_of_data_set",
    "labels/auto",
    "labels/hand",
    "labels/unlabeled",
    "mislabeled_classes/mean",
    "mislabeled_classes/worst",
)
"""Those of the scalars that get one more point when the rest is labeled, one step after the last round: so the HParams
tab, which takes the last point of each, ends with the numbers of the trial's row."""


def of_class(name: str) -> str:
    """The tag of a class: the share of its images that has a wrong auto label."""
    return f"mislabeled_classes/of {name}"


def band(tag: str) -> tuple[str, str, str]:
    """The tags of a curve's mean, mean - sd and mean + sd over seeds.

    The mean has a tag of its own here, beside the trials' one: a margin chart warns of every run that has some of its
    three tags and not all.
    """
    return f"with_sd/{tag}/mean", f"with_sd/{tag}/lower", f"with_sd/{tag}/upper"
