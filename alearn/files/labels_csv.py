"""labels.csv: the product. One line an image, in data set order, rewritten whole after every round."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.journal import AuditStage, Event, RoundDone, TrialDone
from alearn.ledger import CANNOT_TELL, Ledger, Source

HEADER = ("index", "id", "label", "source", "purpose", "round", "confidence")


class LabelsCsv:
    """A sink that keeps labels.csv up to date."""

    def __init__(self, folder: Path, ids: tuple[str, ...], classes: Sequence[str]) -> None:
        self._path, self._ids, self._classes = folder / "labels.csv", ids, classes

    def write(self, event: Event) -> None:
        """Rewrite the file when labels have come."""
        if isinstance(event, RoundDone | AuditStage | TrialDone):
            atomic.replace(self._path, to_csv(event.ledger, self._ids, self._classes))

    def close(self) -> None:
        """Everything is on disk already."""


def ids(folder: Path) -> list[str] | None:
    """The images of the trial in a folder, in data set order; None before its first round. Raises AlearnError if the
    file cannot be read.
    """
    path = folder / "labels.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [line["id"] for line in csv.DictReader(file)]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, csv.Error, KeyError) as error:
        raise AlearnError(f"{path}: cannot be read ({type(error).__name__})") from error


def to_csv(ledger: Ledger, ids: tuple[str, ...], classes: Sequence[str]) -> str:
    """label: a class name. source: hand or auto. purpose, of hand labels: first, query, audit or rest, and given
    for those that were there before. round: 0 is before the first.

    confidence: 1 for a human's label; for an auto label the probability that it was given by, empty where that is not
    known. Where a human could not tell, label and confidence are empty. Without a label all these are.
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
            label = ("", "") if ledger.label[i] == CANNOT_TELL else (classes[ledger.label[i]], 1)
            write((i, name, label[0], "hand", source.name.lower(), ledger.round[i], label[1]))
    return text.getvalue()
