"""The names of the curves: tags, and the metrics of a round (see `alearn.record.measure`) that they show."""

SCALARS = {  # tag: metric, one point a round
    "labels/hand": "hand",
    "labels/auto": "auto",
    "labels/unlabeled": "unlabeled",
    "label_shares/hand": "hand_share",
    "label_shares/auto": "auto_share",
    "label_shares/unlabeled": "unlabeled_share",
    "mislabeled/auto_this_round": "mislabeled_new_auto",
    "mislabeled/auto_all": "mislabeled_auto",
    "mislabeled/of_data_set": "mislabeled_total",
    "accuracy/validation": "val_accuracy",
    "accuracy/test": "test_accuracy",
    "train/loss": "train_loss",
    "train/epochs": "epochs",
    "speed/train_images_per_second": "train_images_per_second",
    "speed/score_images_per_second": "score_images_per_second",
    "seconds/fit": "seconds_fit",
    "seconds/score": "seconds_score",
}
BY_HAND = {  # the learning curve: one point a round, over the number of hand labels
    "by_hand_labels/test_accuracy": "test_accuracy",
    "by_hand_labels/auto_share": "auto_share",
    "by_hand_labels/mislabeled_auto": "mislabeled_auto",
}
RESULT = ("hand", "auto", "rounds", "mislabeled_auto", "mislabeled_total", "test_accuracy")
"""Of the final row, as scalars `result/...` that the HParams tab shows."""


def band(tag: str) -> tuple[str, str, str]:
    """The tags of a curve's mean, mean - sd and mean + sd over seeds.

    The mean has a tag of its own here, beside the trials' one: a margin chart warns of every run that has some of its
    three tags and not all.
    """
    return f"with_sd/{tag}/mean", f"with_sd/{tag}/lower", f"with_sd/{tag}/upper"
