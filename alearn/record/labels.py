"""labels.csv: the product. One line an image, in data set order, rewritten whole after every round."""

import csv
import io
from pathlib import Path

import numpy as np

from alearn.events import AuditStage, Event, RoundDone, TrialDone
from alearn.ledger import Ledger, Source
from alearn.record import files

HEADER = ("index", "id", "label", "source", "purpose", "round", "confidence")


class LabelsCsv:
    """A sink that keeps labels.csv up to date."""

    def __init__(self, folder: Path, ids: tuple[str, ...], classes: tuple[str, ...]) -> None:
        self._path, self._ids, self._classes = folder / "labels.csv", ids, classes

    def write(self, event: Event) -> None:
        """Rewrite the file when labels have come."""
        if isinstance(event, RoundDone | AuditStage | TrialDone):
            files.replace(self._path, to_csv(event.ledger, self._ids, self._classes))

    def close(self) -> None:
        """Everything is on disk already."""


def to_csv(ledger: Ledger, ids: tuple[str, ...], classes: tuple[str, ...]) -> str:
    """label: a class name. source: hand or auto. purpose, of hand labels: first, query, audit or rest. round: 0 is
    before the first.

    confidence: 1 for a human's label; for an auto label the probability that it was given by, empty where that is not
    known. Without a label all these are empty.
    """
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(HEADER)
    sure = -np.expm1(ledger.doubt.astype(np.float64))
    for i, (name, source) in enumerate(zip(ids, map(Source, ledger.source), strict=True)):
        if source is Source.NONE:
            write((i, name, "", "", "", "", ""))
        elif source is Source.AUTO:
            write(
                (
                    i,
                    name,
                    classes[ledger.label[i]],
                    "auto",
                    "",
                    ledger.round[i],
                    "" if np.isnan(sure[i]) else f"{sure[i]:.15g}",
                )
            )
        else:
            write((i, name, classes[ledger.label[i]], "hand", source.name.lower(), ledger.round[i], 1))
    return text.getvalue()
