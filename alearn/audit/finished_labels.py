"""Read the finished labels of any tool: a CSV or Parquet file with one line per item, or a folder of class folders."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from alearn.audit.class_names import one_spelling
from alearn.errors import AlearnError
from alearn.files import csv_tables, parquet_tables
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.values import Array

OPTIONAL = "confidence", "source"
"""Columns that a file may lack."""
SMALLEST = 1e-16
"""Smaller values of 1 - confidence count as equal: a confidence is a decimal number with few digits."""


@dataclass(frozen=True)
class Labels:
    """n finished labels.

    Attributes:
        ids: The names of the items, in file order.
        label: Their labels, "" where a human could not tell.
        hand: bool [n], whether a human gave the label.
        confidence: float64 [n], the probability that the label is right, nan if unknown. Only its order matters for the
            certificate.
        sha256: The hash of the file, or of the names in the folder.
        root: If the ids are files, the folder that they are relative to.
    """

    ids: list[str]
    label: list[str]
    hand: Array
    confidence: Array
    sha256: str
    root: Path | None = None

    def ledger(self, classes: Sequence[str]) -> Ledger:
        """Return the ledger that an audit starts from: a human's labels are hand labels, the others are guesses.

        classes: the names of the classes by number.
        """
        number = {name: k for k, name in enumerate(classes)} | {"": CANNOT_TELL}
        ledger = Ledger.empty(len(self.ids))
        given = np.array([number[name] for name in self.label], np.int64)
        ledger.guess = given.copy()
        ledger.doubt = np.log(np.maximum(1 - self.confidence, SMALLEST))
        index = np.flatnonzero(self.hand)
        ledger.write(index, given[index], Source.FIRST, 0)
        return ledger


def read(path: Path, columns: Mapping[str, str]) -> Labels:
    """Return the labels of a file or a folder.

    columns: the names of the file's columns for id and label, and perhaps for confidence and source. If one of the
    latter is not given, a column of that name is used if the file has one; otherwise no confidence is known, or no
    label counts as a human's.
    """
    return read_folder(path) if path.is_dir() else read_file(path, columns)


def read_file(path: Path, columns: Mapping[str, str]) -> Labels:
    """Return the labels of a CSV or Parquet file. Raise AlearnError, with the line, if something is wrong."""
    content = path.read_bytes()
    optional = [key for key in OPTIONAL if key not in columns and key not in columns.values()]
    column = {key: key for key in optional} | dict(columns)
    table = content
    if path.suffix.lower() == parquet_tables.SUFFIX:
        table = parquet_tables.as_csv(path, [*columns.values(), *optional])
    lines = csv_tables.parse(path, table, list(columns.values()), optional=optional)
    if not lines:
        raise AlearnError(f"{path}: has no labels")
    label: dict[str, str] = {}
    spelled: dict[str, str] = {}
    hand, confidence = [], []
    for number, line in lines.items():
        where = f"{path}: line {number}"
        name = _name(f"{where}: {column['id']}", line[column["id"]].strip())
        if name in label:
            raise AlearnError(f"{where}: {column['id']}={name} occurs twice; must be unique")
        sure, source = (line.get(column[key], "").strip() if key in column else "" for key in OPTIONAL)
        confidence.append(_confidence(f"{where}: {column.get('confidence')}", sure))
        hand.append(source.lower() == "hand")
        written = line[column["label"]]
        label[name] = ""
        if written.strip() or not hand[-1]:  # a human who could not tell gave no label
            at = f"{where}: {column['label']}"
            label[name] = _name(at, one_spelling(at, written, spelled))
    return Labels(
        ids=list(label),
        label=list(label.values()),
        hand=np.array(hand, bool),
        confidence=np.array(confidence),
        sha256=sha256(content).hexdigest(),
    )


def read_folder(path: Path) -> Labels:
    """Return the labels of a folder DIR/CLASS/**: each file is an item, and its class folder is its label.

    Nothing says how sure the model was, so the items are ordered by name.
    """
    files = sorted(
        file.relative_to(path)
        for file in path.glob("*/**/*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        raise AlearnError(f"{path}: has no files in class folders; must be {path}/CLASS/FILE")
    ids = [_name(f"{path}: file", file.as_posix()) for file in files]
    spelled: dict[str, str] = {}
    label = [one_spelling(f"{path}: folder", file.parts[0], spelled) for file in files]
    return Labels(
        ids=ids,
        label=[_name(f"{path}: folder", name) for name in label],
        hand=np.zeros(len(ids), bool),
        confidence=np.full(len(ids), np.nan),
        sha256=sha256("\n".join(ids).encode()).hexdigest(),
        root=path,
    )


def _name(where: str, name: str) -> str:
    """Return the name. Raise AlearnError if a line of a sheet cannot hold it."""
    if not name or not name.isprintable():
        raise AlearnError(f"{where}={name!r}: must be text, without control characters")
    return name


def _confidence(where: str, text: str) -> float:
    """Return the number in a field, nan if it is empty. Raise AlearnError if it is not a number from 0 to 1."""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise AlearnError(f"{where}={text}: must be a number from 0 to 1, or empty")
    return value
