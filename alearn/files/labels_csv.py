"""labels.csv, the product: one line for each image, in data set order. Every round rewrites the whole file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from alearn.files import atomic, csv_tables
from alearn.ledger import CANNOT_TELL, Ledger, Source

NAME = "labels.csv"
HEADER = ("index", "id", "label", "source", "purpose", "round", "confidence")
UNLABELED = ",,,,,\n"
"""What follows the id of an image without a label."""
BLOCK = 1 << 15
"""Lines that are in memory at a time."""


def write(folder: Path, ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> None:
    """Write labels.csv."""
    with atomic.replacing(folder / NAME) as file:
        for text in blocks(ledger, ids, classes):
            file.write(text.encode())


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
    return "".join(blocks(ledger, ids, classes))


def blocks(ledger: Ledger, ids: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    """Yield the text of labels.csv piece by piece: a pool of ten million images has half a gigabyte of it."""
    yield csv_tables.line(HEADER)
    fields = [csv_tables.field(name) for name in classes]
    for start in range(0, len(ledger), BLOCK):
        here = slice(start, start + BLOCK)
        names = map(csv_tables.field, ids[here])
        tails = _tails(ledger, here, fields)
        numbers = range(start, start + len(tails))
        yield "".join(f"{i},{name}{tail}" for i, name, tail in zip(numbers, names, tails, strict=True))


def _tails(ledger: Ledger, here: slice, classes: Sequence[str]) -> Sequence[str]:
    """Return what follows the id in the lines of some images: the other fields, and the end of the line."""
    source = ledger.source[here]
    if not source.any():
        return [UNLABELED] * len(source)
    columns = ledger.label[here], source, ledger.round[here], -np.expm1(ledger.doubt[here].astype(np.float64))
    tails = []
    for label, given_by, given_in, sure in zip(*(column.tolist() for column in columns), strict=True):
        if given_by == Source.AUTO:
            tails.append(f",{classes[label]},auto,,{given_in},{f'{sure:.15g}' if sure == sure else ''}\n")  # nan
        elif given_by == Source.NONE:
            tails.append(UNLABELED)
        else:
            name = "" if label == CANNOT_TELL else classes[label]
            purpose = Source(given_by).name.lower()
            tails.append(f",{name},hand,{purpose},{given_in},{'' if label == CANNOT_TELL else 1}\n")
    return tails
