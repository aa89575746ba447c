"""Keep the answers that an audit has used. From then on they are fixed.

Whoever has seen the result could otherwise change answers and run the command again, until the certificate pleases.
"""

from collections.abc import Mapping
from pathlib import Path

from alearn.errors import AlearnError
from alearn.files import atomic, csv_tables

NAME = "read.csv"
COLUMNS = ("sheet", "item", "answer")


class ReadAnswers:
    """The answers that an audit has read from complete sheets, in a file in its folder."""

    def __init__(self, folder: Path) -> None:
        """Read the file in the folder of an audit, if there is one."""
        self._path = folder / NAME
        lines = csv_tables.read(self._path, COLUMNS).values() if self._path.exists() else ()
        self._answers = {(line["sheet"], line["item"]): line["answer"] for line in lines}

    def check(self, sheet: Path, given: Mapping[str, str]) -> None:
        """Raise AlearnError if a sheet has other answers than those that were read from it, or lacks some."""
        for (name, item), before in self._answers.items():
            if name == sheet.name and given.get(item) != before:
                now = f"answer={given[item]}" if item in given else "has no answer"
                raise AlearnError(
                    f"{sheet}: item={item}: {now}, but it was {before} when the audit used it, and since then it is "
                    f"fixed; put {before} back"
                )

    def keep(self, sheet: Path, used: Mapping[str, str]) -> None:
        """Keep answers that are about to be used, by item. They are on disk when this returns."""
        new = {(sheet.name, item): answer for item, answer in used.items()}
        if not new.keys() <= self._answers.keys():
            self._answers |= new
            rows = ((*key, answer) for key, answer in self._answers.items())
            atomic.replace(self._path, csv_tables.to_text(COLUMNS, rows))
