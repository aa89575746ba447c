"""What the user sees: a live display on a terminal, plain lines elsewhere; the same lines go to alearn.log."""

import logging
from pathlib import Path
from typing import Any

from alearn.config import Config
from alearn.events import EpochDone, Event, RoundDone, RoundStarted, ScoreProgress, TrialDone

log = logging.getLogger("alearn")


class Console:
    def __init__(self, config: Config, folder: Path, history: list[dict[str, Any]], total: int) -> None:
        self._folder = folder

    def write(self, event: Event) -> None:
        if isinstance(event, RoundDone):
            m = event.metrics
            print({k: m[k] for k in ("round", "epochs", "hand", "auto", "unlabeled", "wrong_auto", "mislabeled_auto", "val_accuracy", "test_accuracy", "train_images_per_second", "score_images_per_second", "seconds_fit", "seconds_score")}, flush=True)
        elif isinstance(event, EpochDone):
            log.info("%s", event)

    def finished(self, row: dict[str, Any]) -> None:
        print(row)

    already = finished

    def close(self) -> None:
        """"""
