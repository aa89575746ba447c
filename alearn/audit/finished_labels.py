"""Labels of any tool, to be certified: a CSV file with a line an item, or a folder of class folders."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from alearn.errors import AlearnError
from alearn.files import csv_tables
from alearn.ledger import Ledger, Source
from alearn.values import Array

SMALLEST = 1e-16
"""Doubts below this are ties: a confidence is a decimal number."""


@dataclass(frozen=True)
class Labels:
    """Finished labels. ids, label: of all items, in file order. hand: bool [n], which are a human's already.
    confidence: float64 [n], that the label is right, nan where nothing is known; only its order matters for what is
    certified. sha256: of where they come from. root: the folder that the ids are files in, if they are.
    """

    ids: list[str]
    label: list[str]
    hand: Array
    confidence: Array
    sha256: str
    root: Path | None = None

    def ledger(self, classes: Sequence[str]) -> Ledger:
        """What an audit starts from: labels of a human given, the others guessed. classes: their names by number."""
        number, ledger = {name: k for k, name in enumerate(classes)}, Ledger.empty(len(self.ids))
        given = np.array([number[name] for name in self.label], np.int64)
        ledger.guess = given.copy()
        ledger.doubt = np.log(np.maximum(1 - self.confidence, SMALLEST))
        index = np.flatnonzero(self.hand)
        ledger.write(index, given[index], Source.FIRST, 0)
        return ledger


def read(path: Path, columns: Mapping[str, str]) -> Labels:
    """Return the labels of a file or a folder.

    columns: The names of a file's columns for id, label, confidence and perhaps source. Without it, a column named
    source counts where there is one, and else no label is a human's.
    """
    return read_folder(path) if path.is_dir() else read_file(path, columns)


def read_file(path: Path, columns: Mapping[str, str]) -> Labels:
    """Return the labels of a CSV file. Raises AlearnError with the line of what is wrong."""
    content = path.read_bytes()
    lines = csv_tables.parse(path, content, list(columns.values()))
    if not lines:
        raise AlearnError(f"{path}: has no labels")
    label: dict[str, str] = {}
    confidence = []
    for number, line in lines.items():
        where = f"{path}: line {number}"
        name, given = (_name(f"{where}: {columns[key]}", line[columns[key]]) for key in ("id", "label"))
        if name in label:
            raise AlearnError(f"{where}: {columns['id']}={name} is there twice; must be unique")
        label[name] = given
        confidence.append(_confidence(f"{where}: {columns['confidence']}", line[columns["confidence"]]))
    source = columns.get("source", "source")
    return Labels(
        ids=list(label),
        label=list(label.values()),
        hand=np.array([line.get(source, "").strip().lower() == "hand" for line in lines.values()], bool),
        confidence=np.array(confidence),
        sha256=sha256(content).hexdigest(),
    )


def read_folder(path: Path) -> Labels:
    """From DIR/CLASS/**: each file is an item, and the class folder that it lies in its label. Nothing says how sure
    the model was, so the order is that of the names.
    """
    files = sorted(
        file.relative_to(path)
        for file in path.glob("*/**/*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        raise AlearnError(f"{path}: has no files in class folders; must be {path}/CLASS/FILE")
    ids = [_name(f"{path}: file", file.as_posix(), strip=False) for file in files]
    return Labels(
        ids=ids,
        label=[file.parts[0] for file in files],
        hand=np.zeros(len(ids), bool),
        confidence=np.full(len(ids), np.nan),
        sha256=sha256("\n".join(ids).encode()).hexdigest(),
        root=path,
    )


def _name(where: str, text: str, strip: bool = True) -> str:
    """Without blanks at its ends. Raises AlearnError for one that a line of a sheet cannot hold."""
    name = text.strip() if strip else text
    if not name or not name.isprintable():
        raise AlearnError(f"{where}={name!r}: must be text, without control characters")
    return name


def _confidence(where: str, text: str) -> float:
    """Return the number in a field. Raises AlearnError for anything else than a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise AlearnError(f"{where}={text}: must be a number from 0 to 1")
    return value
