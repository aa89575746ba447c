"""A human who answers on sheets: CSV files with a line an item and an empty column, for as long as it takes."""

import shutil
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np

from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic, csv_tables
from alearn.files.csv_tables import Lines
from alearn.ledger import CANNOT_TELL, CANNOT_TELL_TEXT, Source
from alearn.values import Array

SHEET, AGAIN, REST, LOOK = "sheet.csv", "again.csv", "rest.csv", "look"
COLUMNS = ("item", "answer")
NAMED = 20
"""Classes that a message names."""


class Sheets:
    """An oracle. What it is asked and has no answer to goes onto a sheet, and `WaitingError` ends the call: the next
    one asks the same again. Answers that were given are never dropped.

    Sheets are blind: they have no column for the label. Files in class folders, whose names would tell it, are shown as
    copies in LOOK, under names that tell nothing.
    """

    def __init__(self, folder: Path, ids: Sequence[str], classes: Sequence[str], root: Path | None = None) -> None:
        """folder: for the sheets. root: the folder that the ids are files in, if they are."""
        self._folder, self._ids, self._root = folder, ids, root
        self._number = {name: k for k, name in enumerate(classes)} | {CANNOT_TELL_TEXT: CANNOT_TELL}
        self._names_of = [self._shown(i) for i in range(len(ids))]
        self._names = frozenset(self._names_of)

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """The answers, int64 [n]."""
        path = self._folder / (AGAIN if again else SHEET if purpose is Source.AUDIT else REST)
        lines = csv_tables.read(path, COLUMNS) if len(index) and path.exists() else {}
        given = answers(path, lines, self._names, self._number)
        names = {int(i): self._names_of[int(i)] for i in index}
        missing = [i for i, name in names.items() if name not in given]
        if missing:
            self._ask(path, lines, [names[i] for i in missing])
            for i in missing:
                self._copy(i)
            what = "look at a second time, by somebody else if possible" if again else "label"
            raise WaitingError(
                f"{len(missing):,} items to {what}, without looking at what the model says: {path}, column answer; "
                "then run this again"
            )
        return np.array([self._number[given[name]] for name in names.values()], np.int64)

    def _shown(self, index: int) -> str:
        """The item's name on a sheet."""
        name = self._ids[index]
        if self._root is None:
            return name
        return f"{LOOK}/{sha256(name.encode()).hexdigest()[:16]}{PurePosixPath(name).suffix}"

    def _copy(self, index: int) -> None:
        """Put a file where it is looked at. No link: that would tell the class folder, or change with its original."""
        there = self._folder / self._names_of[index]
        if self._root is not None and not there.exists():
            there.parent.mkdir(exist_ok=True)
            shutil.copyfile(self._root / self._ids[index], there)

    @staticmethod
    def _ask(path: Path, lines: Lines, items: list[str]) -> None:
        """Write the sheet with what is on it, columns of the human's own included, and the items that it lacks."""
        rows = list(lines.values())
        asked = {row["item"] for row in rows}
        rows += [{"item": item} for item in items if item not in asked]
        header = list(rows[0]) if lines else COLUMNS
        atomic.replace(path, csv_tables.to_text(header, ([row.get(name) for name in header] for row in rows)))


def answers(path: Path, lines: Lines, items: Collection[str], classes: Collection[str]) -> dict[str, str]:
    """Return the answers on a sheet, by item.

    Raises AlearnError for an answer that is no class, for an item that is not on the sheet's list, and for two answers
    that differ.
    """
    given: dict[str, str] = {}
    for number, line in lines.items():
        item, answer, where = line["item"], line["answer"].strip(), f"{path}: line {number}"
        if item not in items:
            raise AlearnError(f"{where}: item={item}: is none of the items; did a spreadsheet change its name?")
        if not answer:
            continue
        if answer not in classes:
            allowed = ", ".join(map(repr, sorted(classes)[:NAMED])) + (", ..." if len(classes) > NAMED else "")
            raise AlearnError(f"{where}: answer={answer}: must be one of {allowed}; more of them with --classes")
        if given.setdefault(item, answer) != answer:
            raise AlearnError(f"{where}: item={item}: has two answers, {given[item]} and {answer}; keep one")
    return given
