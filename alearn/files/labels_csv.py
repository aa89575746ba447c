"""labels.csv, the product: one line for each image, in data set order. Every round rewrites the whole file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from alearn.files import atomic, csv_tables
from alearn.ledger import Ledger, Source

NAME = "labels.csv"
HEADER = ("index", "id", "label", "source", "purpose", "round", "confidence")


def write(folder: Path, ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> None:
    """Write labels.csv."""
    atomic.replace(folder / NAME, to_csv(ledger, ids, classes))


def ids(folder: Path) -> list[str] | None:
    """Return the ids of the images of the trial in a folder, in data set order; None if it has no labels.csv yet.

    Raises:
        AlearnError: The file cannot be read.
    """
    path = folder / NAME
    return [line["id"] for line in csv_tables.read(path, HEADER).values()] if path.exists() else None


def to_csv(ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> str:
    """Return the text of labels.csv.

    Its columns, besides index and id:
        label: The name of a class.
        source: hand or auto.
        purpose: For hand labels only: first, query, audit or rest; given for labels that existed before the trial.
        round: The round in which the label was given; 0 is before the first round.
        confidence: 1 for a human's label. For an auto label, the model's probability at the time; empty if unknown.

    If a human could not tell, label and confidence are empty. If an image has no label yet, all of these are empty.
    """
    return csv_tables.to_text(HEADER, _rows(ledger, ids, classes))


def _rows(ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Yield the fields of each image."""
    confidence = -np.expm1(ledger.doubt.astype(np.float64))
    aside = ledger.aside
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
