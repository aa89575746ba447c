"""labels.csv: the product. One line an image, in data set order, rewritten whole after every round."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from alearn.files import atomic, csv_tables
from alearn.ledger import Ledger, Source

NAME = "labels.csv"
HEADER = ("index", "id", "label", "source", "purpose", "round", "confidence")


def write(folder: Path, ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> None:
    """Write labels.csv whole."""
    atomic.replace(folder / NAME, to_csv(ledger, ids, classes))


def ids(folder: Path) -> list[str] | None:
    """Return the images of the trial in a folder, in data set order; None before its first round.

    Raises AlearnError if the file cannot be read.
    """
    path = folder / "labels.csv"
    return [line["id"] for line in csv_tables.read(path, HEADER).values()] if path.exists() else None


def to_csv(ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> str:
    """Return the text of labels.csv.

    label: a class name. source: hand or auto. purpose, of hand labels: first, query, audit or rest, and given
    for those that were there before. round: 0 is before the first.

    confidence: 1 for a human's label; for an auto label the probability that it was given by, empty where that is not
    known. Where a human could not tell, label and confidence are empty. Without a label all these are.
    """
    return csv_tables.to_text(HEADER, _rows(ledger, ids, classes))


def _rows(ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Yield the fields of each image."""
    confidence, aside = -np.expm1(ledger.doubt.astype(np.float64)), ledger.aside
    for i, (name, source) in enumerate(zip(ids, map(Source, ledger.source), strict=True)):
        if source is Source.NONE:
            yield i, name, "", "", "", "", ""
            continue
        label = "" if aside[i] else classes[ledger.label[i]]
        if source is Source.AUTO:
            sure = "" if np.isnan(confidence[i]) else f"{confidence[i]:.15g}"
            yield i, name, label, "auto", "", ledger.round[i], sure
        else:
            yield i, name, label, "hand", source.name.lower(), ledger.round[i], "" if aside[i] else 1
