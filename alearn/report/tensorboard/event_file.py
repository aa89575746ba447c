"""A trial's run in TensorBoard: its curves, pictures, texts and hyperparameters."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from alearn.config import flatten
from alearn.journal import Entry, Finished, Progress, Round
from alearn.ledger import CANNOT_TELL
from alearn.policy.query import largest
from alearn.report import pictures
from alearn.report.tensorboard import hparams, layout, projector
from alearn.report.tensorboard.tags import BY_EPOCH, CLASSES, FINAL, OVER_HAND, RESULT, SCALARS, of_class, points
from alearn.trial import measure
from alearn.trial.folder_journal import Setting
from alearn.values import Array

SHOWN = 20
"""The most images in a gallery."""


class TensorBoard:
    """A reporter that writes an event file into the trial's folder.

    A resumed trial adds another file. This file repeats the points of the last round, with the same values and steps,
    because the trial may have been killed before they were written. Nothing is purged, because purging by step would
    also delete points of the curves over hand labels, which have larger steps.
    """

    def __init__(self, setting: Setting) -> None:
        self._writer = SummaryWriter(str(setting.folder))
        self._setting = setting
        self._images = setting.pool
        history = setting.state.history
        self._epochs = sum(metrics["epochs"] for metrics in history)
        self._proto(hparams.start(setting.config))
        self._proto(layout.of_trials())
        self._writer.add_text("config", "```yaml\n" + setting.config.yaml() + "```", 0)
        if history:
            self._curves(history[-1], history[-1]["round"])
        self._writer.flush()

    def progress(self, step: Progress) -> None:
        """Write nothing: TensorBoard shows rounds."""

    def committed(self, entry: Entry) -> None:
        """Write everything about a round or, at the end, the results of the trial."""
        if isinstance(entry, Round):
            self._round(entry)
            self._pictures(entry)
            self._writer.flush()
        elif isinstance(entry, Finished):
            row = entry.metrics
            self._scalars(points(FINAL, row), row["rounds"] + 1)
            self._by_class(row, row["rounds"] + 1)
            self._scalars(points(RESULT, row), row["rounds"])
            self._writer.add_text("row", table(row), row["rounds"])
            setting = self._setting
            config = self._setting.config
            if count := config.record.projector:
                projector.write(setting.folder, count, config.model, config.seed, self._images, setting.state)
            self._proto(hparams.end())
            self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _round(self, entry: Round) -> None:
        step = entry.number
        self._curves(entry.metrics, step)
        for epoch, loss, accuracy in entry.fitted.curve:
            self._scalars(dict(zip(BY_EPOCH, (loss, accuracy), strict=True)), self._epochs + epoch)
        self._epochs += entry.fitted.epochs
        doubt = entry.scores.doubt.astype(np.float64)
        self._writer.add_histogram("pool/confidence", -np.expm1(doubt), step)
        self._writer.add_histogram("pool/confidence_in_nines", doubt / -math.log(10), step)  # 0.999 has three nines

    def _curves(self, metrics: dict[str, Any], step: int) -> None:
        """Write a point of every curve over rounds and over hand labels."""
        self._scalars(points(SCALARS, metrics), step)
        self._by_class(metrics, step)
        for tag, metric in OVER_HAND.items():
            self._scalars({tag: metric.of(metrics)}, int(metrics[metric.curve.hand] or 0))

    def _pictures(self, entry: Round) -> None:
        ledger = entry.ledger
        classes = self._images.classes
        truth = self._images.truth
        step = entry.number
        asked = np.flatnonzero(ledger.hand & (ledger.round == step))
        asked = asked[np.argsort(ledger.order[asked])]
        doubtful = entry.scores.index[largest(entry.scores.doubt, SHOWN + len(asked))]
        doubtful = doubtful[~np.isin(doubtful, asked)]
        self._gallery("images/asked_this_round", asked, lambda i: f"human: {_name(classes, ledger.label[i])}", entry)
        self._gallery("images/most_doubtful_not_asked", doubtful, lambda i: "auto" if ledger.auto[i] else "open", entry)
        if truth is not None:
            wrong = measure.wrong(ledger, truth)
            self._gallery("images/confident_and_wrong", wrong, lambda i: f"true: {_name(classes, truth[i])}", entry)
            if ledger.auto.any():
                matrix = measure.confusion(ledger, truth, len(classes))
                self._picture("images/confusion_matrix", pictures.confusion(matrix, classes), step)

    def _gallery(self, tag: str, index: Array, detail: Callable[[int], str], entry: Round) -> None:
        """Write the first images of `index` (int64 [n]). A caption is the model's guess and, below it, a detail."""
        ledger = entry.ledger
        images = self._images.images
        shown = index[:SHOWN]
        if len(shown) and self._images.visible:
            captions = [
                f"guess {_name(self._images.classes, ledger.guess[i])} ({probability(ledger.doubt[i])})\n{detail(i)}"
                for i in shown
            ]
            pixels = images[torch.from_numpy(shown).to(images.device)].cpu().numpy()
            self._picture(tag, pictures.gallery(pixels, captions), entry.number)

    def _picture(self, tag: str, picture: pictures.Picture, step: int) -> None:
        """Write a picture. `add_image` would compress it more, which takes longer than drawing it."""
        image = Summary.Image(
            height=picture.height,
            width=picture.width,
            colorspace=len(picture.getbands()),
            encoded_image_string=pictures.png(picture),
        )
        self._proto(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def _scalars(self, values: dict[str, float | None], step: int) -> None:
        for tag, value in values.items():
            if value is not None:
                self._writer.add_scalar(tag, value, step)

    def _by_class(self, values: dict[str, Any], step: int) -> None:
        per_class = values["per_class"]
        if per_class is not None and len(per_class) <= CLASSES:
            self._scalars({of_class(name): counts["error"] for name, counts in per_class.items()}, step)

    def _proto(self, proto: Summary, step: int | None = None) -> None:
        """Write into the file of this run. Some methods of the writer would open another run."""
        self._writer._get_file_writer().add_summary(proto, step)  # type: ignore[no-untyped-call]


def _name(classes: Sequence[str], label: int) -> str:
    return pictures.shortened(classes[label]) if label != CANNOT_TELL else "cannot tell"


def probability(doubt: float) -> str:
    """Format p, given its doubt log(1 - p), with enough digits to distinguish it from 1: 0.41, 0.99994, 1-4e-08."""
    rest = math.exp(doubt)
    if rest < 1e-6:
        return f"1-{rest:.0e}"
    return f"{1 - rest:.{max(2, math.ceil(-doubt / math.log(10)))}f}"


def table(row: dict[str, Any]) -> str:
    """Return a trial's row as a Markdown table.

    It omits the config, which is a separate text, and the classes, which have curves.
    """
    cells = {key: value for key, value in row.items() if key not in ("config", "per_class")}
    cells["overrides"] = " ".join(row["overrides"])
    text = {key: str(value).replace("|", "\\|") for key, value in flatten(cells).items() if value is not None}
    return "\n".join(["| key | value |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in text.items())])
