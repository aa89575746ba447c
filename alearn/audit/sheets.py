"""An oracle that asks a human on sheets: CSV files with one line per item and an empty column for the answer."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np

from alearn.audit.read_answers import ReadAnswers
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic, csv_tables
from alearn.files.csv_tables import Lines
from alearn.files.spelling import tidy
from alearn.ledger import CANNOT_TELL, CANNOT_TELL_TEXT, Source
from alearn.values import Array

QUESTIONS = "questions"
"""The folder in the folder of an audit that has all that whoever answers needs, and nothing that shows the labels."""
SHEET, AGAIN, REST, LOOK = "sheet.csv", "again.csv", "rest.csv", "look"
COLUMNS = ("item", "answer")
NAMED = 20
"""The most classes that a message names."""


class Sheets:
    """An oracle that writes questions without an answer onto a sheet, and then ends the call with `WaitingError`.

    The next call asks the same questions again. Answers that were given are never dropped, and once all answers of a
    call of `label` were there, they are fixed. Sheets are blind: they have no column for the label. The names of files
    in class folders would reveal the label, so copies of these files are shown in LOOK, under names that reveal
    nothing. Items are on a sheet in the order in which they were asked.
    """

    def __init__(self, folder: Path, ids: Sequence[str], classes: Sequence[str], root: Path | None = None) -> None:
        """folder: that of the audit. root: if the ids are files, the folder that they are relative to."""
        self._folder = folder / QUESTIONS
        self._read = ReadAnswers(folder)
        self._ids = ids
        self._root = root
        self._number = {name: k for k, name in enumerate(classes)} | {CANNOT_TELL_TEXT: CANNOT_TELL}
        self._names_of = [self._shown(i) for i in range(len(ids))]
        self._names = frozenset(self._names_of)

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Return the answers, int64 [n]. Raise WaitingError if some are missing, AlearnError if used ones changed."""
        if not len(index):
            return np.zeros(0, np.int64)
        path = self._folder / (AGAIN if again else SHEET if purpose is Source.AUDIT else REST)
        lines = csv_tables.read(path, COLUMNS) if path.exists() else {}
        given = answers(path, lines, self._names, self._number)
        self._read.check(path, given)
        names = {int(i): self._names_of[int(i)] for i in index}
        missing = [i for i, name in names.items() if name not in given]
        if missing:
            self._folder.mkdir(exist_ok=True)
            self._ask(path, lines, [names[i] for i in missing])
            for i in missing:
                self._copy(i)
            what = "label a second time, by somebody else if possible" if again else "label"
            raise WaitingError(
                f"{len(missing):,} items to {what}, without looking at the model's labels: fill in the column answer "
                f"of {path}, then run this again"
            )
        self._read.keep(path, {name: given[name] for name in names.values()})
        return np.array([self._number[given[name]] for name in names.values()], np.int64)

    def _shown(self, index: int) -> str:
        """Return the name of the item on a sheet."""
        name = self._ids[index]
        if self._root is None:
            return name
        return f"{LOOK}/{sha256(name.encode()).hexdigest()[:16]}{PurePosixPath(name).suffix}"

    def _copy(self, index: int) -> None:
        """Copy a file to where the human looks at it.

        A link would not do: it would reveal the class folder, or change with the original.
        """
        copy = self._folder / self._names_of[index]
        if self._root is not None and not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            atomic.copy(self._root / self._ids[index], copy)

    @staticmethod
    def _ask(path: Path, lines: Lines, items: list[str]) -> None:
        """Write the sheet again and add the items that it lacks. Keep its lines and columns that the human added."""
        rows = list(lines.values())
        asked = {row["item"] for row in rows}
        rows += [{"item": item} for item in items if item not in asked]
        header = list(rows[0]) if lines else COLUMNS
        atomic.replace(path, csv_tables.to_text(header, ([row.get(name) for name in header] for row in rows)))


def answers(path: Path, lines: Lines, items: Collection[str], classes: Collection[str]) -> dict[str, str]:
    """Return the answers on a sheet, by item.

    Raise AlearnError if an answer is not one of `classes`, if an item is not one of `items`, or if an item has two
    different answers.
    """
    given: dict[str, str] = {}
    for number, line in lines.items():
        item = line["item"]
        answer = tidy(line["answer"])
        where = f"{path}: line {number}"
        if item not in items:
            raise AlearnError(f"{where}: item={item}: is none of the items; did a spreadsheet change its name?")
        if not answer:
            continue
        if answer not in classes:
            allowed = ", ".join(map(repr, sorted(classes)[:NAMED])) + (", ..." if len(classes) > NAMED else "")
            raise AlearnError(f"{where}: answer={answer}: must be one of {allowed}; --classes adds others")
        if given.setdefault(item, answer) != answer:
            raise AlearnError(f"{where}: item={item}: has two answers, {given[item]} and {answer}; keep one")
    return given
