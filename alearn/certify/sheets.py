"""A human who answers on sheets: CSV files with a line an item and an empty column, for as long as it takes."""

import csv
import io
import os
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np

from alearn.certify.tables import read_answers
from alearn.events import Array
from alearn.ledger import Source
from alearn.record import files

SHEET, AGAIN, REST, LOOK = "sheet.csv", "again.csv", "rest.csv", "look"


class WaitingError(Exception):
    """Answers are missing; the message says how many, and where they go."""


class Sheets:
    """An oracle. What it is asked and has no answer to goes onto a sheet, and `WaitingError` ends the call: the next
    one asks the same again. Answers that were given are never dropped.

    Sheets are blind: they have no column for the label. Files in class folders, whose names would tell it, are shown as
    links in LOOK, with names that tell nothing.
    """

    def __init__(self, folder: Path, ids: Sequence[str], classes: Sequence[str], root: Path | None = None) -> None:
        """folder: for the sheets. root: the folder that the ids are files in, if they are."""
        self._folder, self._ids, self._root = folder, ids, root
        self._number = {name: k for k, name in enumerate(classes)}

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """The answers, int64 [n]."""
        path = self._folder / (AGAIN if again else SHEET if purpose is Source.AUDIT else REST)
        given = read_answers(path, self._number) if len(index) else {}
        names = {int(i): self._shown(int(i)) for i in index}
        missing = [i for i, name in names.items() if name not in given]
        if missing:
            self._write(path, dict.fromkeys([*given, *names.values()]), given)
            for i in missing:
                self._link(i)
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

    def _link(self, index: int) -> None:
        if self._root is None:
            return
        there = self._folder / self._shown(index)
        there.parent.mkdir(exist_ok=True)
        if there.exists():
            return
        source = (self._root / self._ids[index]).absolute()
        try:
            os.link(source, there)  # a symbolic link would show the class folder
        except OSError:
            shutil.copyfile(source, there)

    @staticmethod
    def _write(path: Path, names: dict[str, None], given: dict[str, str]) -> None:
        text = io.StringIO()
        write = csv.writer(text, lineterminator="\n").writerow
        write(("item", "answer"))
        for name in names:
            write((name, given.get(name, "")))
        files.replace(path, text.getvalue())
