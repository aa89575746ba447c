"""Curves, images and hyperparameters of a trial as TensorBoard events: one run a trial.

The only place that knows TensorBoard.
"""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from torch.utils.tensorboard import SummaryWriter

from alearn.config import Config
from alearn.data.imageset import ImageSet
from alearn.events import Array, Event, RoundDone, TrialDone

GRID = 64
"""Images in a grid."""

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
RESULT = ("hand", "auto", "rounds", "mislabeled_auto", "mislabeled_total")
"""The final row, as scalars that the HParams tab shows."""


class TensorBoard:
    """A sink that writes an event file into the trial's folder.

    A resumed trial appends another file. A round that was recorded but not saved before a crash is recorded again with
    the same values at the same steps, so nothing is purged: purging by step would take the curves over hand labels
    along, whose steps are larger.
    """

    def __init__(self, folder: Path, config: Config, images: ImageSet, history: list[dict[str, Any]]) -> None:
        """history: the rounds that a resumed trial has behind it."""
        self._writer, self._config, self._images = SummaryWriter(str(folder)), config, images
        self._epochs = sum(metrics["epochs"] for metrics in history)
        self._rounds = len(history)
        group = f"{config.trial.name} {config.setting()[:8]}"  # the tab makes one row of a group and averages its seeds
        self._proto(summary_v2.hparams_pb(hyperparameters(config), trial_id=group))
        self._writer.add_text("config", "```yaml\n" + config.yaml() + "```", 0)
        self._writer.flush()

    def write(self, event: Event) -> None:
        """Everything that a round has to show; the result at the end."""
        if isinstance(event, RoundDone):
            self._round(event)
            self._writer.flush()
        elif isinstance(event, TrialDone):
            result = event.metrics | {"rounds": self._rounds}
            self._scalars({f"result/{key}": key for key in RESULT}, result, self._rounds)
            self._proto(_session_end())
            self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _round(self, event: RoundDone) -> None:
        metrics, step, scores, ledger = event.metrics, event.round, event.scores, event.ledger
        self._scalars(SCALARS, metrics, step)
        self._scalars(BY_HAND, metrics, metrics["hand"])
        for epoch, loss, accuracy in event.fitted.curve:
            self._scalars(
                {"by_epoch/loss": "loss", "by_epoch/validation_accuracy": "accuracy"},
                {"loss": loss, "accuracy": accuracy},
                self._epochs + epoch,
            )
        self._epochs, self._rounds = self._epochs + event.fitted.epochs, step
        doubt = scores.doubt.astype(np.float64)
        self._writer.add_histogram("pool/confidence", -np.expm1(doubt), step)
        self._writer.add_histogram("pool/confidence_in_nines", doubt / -math.log(10), step)  # 0.999 has three
        self._grid("most_doubtful", scores.index[np.argsort(-scores.doubt, kind="stable")], step)
        if self._images.truth is not None:
            wrong = np.flatnonzero(ledger.auto & (ledger.label != self._images.truth))
            self._grid("confident_and_wrong", wrong[np.argsort(ledger.doubt[wrong], kind="stable")], step)

    def _scalars(self, tags: dict[str, str], values: dict[str, Any], step: int) -> None:
        for tag, key in tags.items():
            if values[key] is not None:
                self._writer.add_scalar(tag, values[key], step)

    def _grid(self, tag: str, index: Array, step: int) -> None:
        if len(index):
            images = self._images.images
            self._writer.add_images(tag, images[torch.from_numpy(index[:GRID]).to(images.device)].cpu(), step)

    def _proto(self, proto: Any) -> None:
        """Into this run's own file: `add_hparams` would open a run of its own for each call."""
        self._writer._get_file_writer().add_summary(proto)  # type: ignore[no-untyped-call]


def _session_end() -> Summary:
    """The HParams tab's mark of success; TensorBoard has a helper for the start of a session only."""
    info = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    content = plugin_data_pb2.HParamsPluginData(session_end_info=info, version=metadata.PLUGIN_DATA_VERSION)
    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=content.SerializeToString())
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=SummaryMetadata(plugin_data=plugin), tensor=metadata.NULL_TENSOR
    )
    return Summary(value=[value])


def hyperparameters(config: Config) -> dict[str, Any]:
    """What a sweep may vary, flat.

    The tab shows five, those that differ first, then by name: what matters most has short names, the rest "with/". The
    threshold is text, and elsewhere a number of nines: the tab's five digits would show 0.999999 as 1.
    """
    policy = config.policy
    hidden = ("seed", "policy.threshold", "policy.init_fraction", "policy.hand_fraction", "model.name", "train.name")
    rest = {
        key: value for key, value in config.identity().items() if not key.startswith("trial.") and key not in hidden
    }
    rest["threshold_nines"] = -math.log10(1 - policy.threshold) if policy.threshold < 1 else math.inf
    return {
        "hand_fraction": policy.hand_fraction,
        "init_fraction": policy.init_fraction,
        "model": config.model.name,
        "threshold": repr(policy.threshold),
        "train": config.train.name,
    } | {f"with/{key}": value for key, value in rest.items() if value is not None}
