"""What people answered: a SQLite database that has every answer before the next image is shown.

Answers are never deleted: an undone one stays, with the time when it was withdrawn. Whatever happens to the trial's
other files, the same command in the same folder asks nothing again that stands here.
"""

import sqlite3
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Self

from filelock import FileLock, Timeout

from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, CANNOT_TELL_TEXT, Source

NAME = "answers.db"
VERSION = 1
LONGEST = 100
"""Letters of a class name."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS class (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS answer (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    item TEXT NOT NULL,
    again INTEGER NOT NULL,
    class INTEGER REFERENCES class,
    purpose TEXT NOT NULL,
    round INTEGER NOT NULL,
    who TEXT NOT NULL,
    at TEXT NOT NULL,
    withdrawn TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS standing ON answer (item, again) WHERE withdrawn IS NULL;
"""


@dataclass(frozen=True)
class Answer:
    """What somebody said of an image. item: its id. label: a class name, None for "cannot tell". purpose: what it was
    asked for. round: after which round. at: ISO 8601, UTC. again: whether it was the second time.
    """

    item: str
    label: str | None
    purpose: str
    round: int
    who: str
    at: str
    again: bool


class Store:
    """The answers of one trial. Safe to use from several threads; one process at a time holds the file."""

    def __init__(self, path: Path, ids: Sequence[str], classes: MutableSequence[str] | Sequence[str]) -> None:
        """ids: of all images. classes: their names by number; the ones that people have added are appended.

        Raises AlearnError if another process holds the file, or if it is none of ours, or of other images or classes.
        """
        self._path, self._ids, self.classes, self._lock = path, ids, classes, Lock()
        self._index = {name: i for i, name in enumerate(ids)}
        self._held = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise AlearnError(
                f"{path}: another trial uses these answers; wait for it, or give another folder"
            ) from None
        try:
            self._open()
        except sqlite3.Error as error:
            self._held.release()
            raise AlearnError(f"{path}: cannot be used as a store of answers ({error})") from error
        except AlearnError:
            self._held.release()
            raise

    def _open(self) -> None:
        self._base = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        try:
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise AlearnError(f"{self._path}: was written by another version of alearn (its format is {version})")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")  # an answer outlives a power cut, too
            self._base.executescript(SCHEMA)
            self._base.execute(f"PRAGMA user_version={VERSION}")
            known = [name for (name,) in self._base.execute("SELECT name FROM class ORDER BY number")]
            for number, (there, here) in enumerate(zip(known, self.classes, strict=False)):
                if there != here:
                    raise AlearnError(
                        f"{self._path}: its class {number} is {there}, and {here} is asked for now; give another folder"
                    )
            for name in known[len(self.classes) :]:
                self._append(name)
            for number in range(len(known), len(self.classes)):
                self._base.execute("INSERT INTO class VALUES (?, ?)", (number, self.classes[number]))
            self._answers: tuple[dict[int, int], dict[int, int]] = ({}, {})
            query = "SELECT item, again, class FROM answer WHERE withdrawn IS NULL ORDER BY number"
            for item, again, number in self._base.execute(query):
                if item not in self._index:
                    continue  # of an image that has been taken away
                self._answers[again][self._index[item]] = CANNOT_TELL if number is None else number
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()
            self._held.release()

    def answers(self, again: bool = False) -> dict[int, int]:
        """The standing answers by the image's index: a class, or CANNOT_TELL. again: those to second questions."""
        with self._lock:
            return dict(self._answers[again])

    def givers(self, again: bool = False) -> dict[int, str]:
        """Who gave the standing answers, by the image's index."""
        query = "SELECT item, who FROM answer WHERE again = ? AND withdrawn IS NULL"
        with self._lock:
            rows = self._base.execute(query, (int(again),)).fetchall()
        return {self._index[item]: who for item, who in rows if item in self._index}

    def to_rounds(self, last: int) -> dict[int, int]:
        """Those of the answers that the first `last` rounds, and what came before them, asked for."""
        query = (
            "SELECT item, class FROM answer WHERE withdrawn IS NULL AND NOT again AND round <= ? "
            "AND purpose IN ('first', 'query')"
        )
        with self._lock:
            rows = self._base.execute(query, (last,)).fetchall()
        found = {self._index[item]: number for item, number in rows if item in self._index}
        return {index: CANNOT_TELL if number is None else number for index, number in found.items()}

    def answer(self, index: int, label: int, purpose: Source, round: int, who: str, again: bool = False) -> bool:  # noqa: A002
        """Keep an answer, a class or CANNOT_TELL; it is on disk when this returns. False, and nothing changes, if there
        is one already.
        """
        with self._lock:
            if index in self._answers[again]:
                return False
            if not (label == CANNOT_TELL or 0 <= label < len(self.classes)):
                raise ValueError(f"not a class: {label}")
            self._base.execute(
                "INSERT INTO answer (item, again, class, purpose, round, who, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self._ids[index],
                    int(again),
                    None if label == CANNOT_TELL else label,
                    purpose.name.lower(),
                    round,
                    who,
                    _now(),
                ),
            )
            self._answers[again][index] = label
            return True

    def withdraw(self, index: int, again: bool = False) -> None:
        """Take an answer back; nothing if there is none."""
        with self._lock:
            self._base.execute(
                "UPDATE answer SET withdrawn = ? WHERE item = ? AND again = ? AND withdrawn IS NULL",
                (_now(), self._ids[index], int(again)),
            )
            self._answers[again].pop(index, None)

    def add_class(self, name: str) -> int:
        """The number of a class, a new one if no class has that name. Raises ValueError where classes are fixed, and
        for what is no name.
        """
        if name.strip() != name or not name.isprintable() or not 0 < len(name) <= LONGEST or name == CANNOT_TELL_TEXT:
            raise ValueError(f"not a class name: {name!r}")
        with self._lock:
            if name in self.classes:
                return list(self.classes).index(name)
            number = len(self.classes)
            if not isinstance(self.classes, MutableSequence):
                raise ValueError("the classes are fixed")
            self._base.execute("INSERT INTO class VALUES (?, ?)", (number, name))
            self._append(name)
            return number

    def _append(self, name: str) -> None:
        if not isinstance(self.classes, MutableSequence):
            raise AlearnError(f"{self._path}: has the class {name}, which is none of {', '.join(self.classes)}")
        self.classes.append(name)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        yield base
    finally:
        base.close()


def read(path: Path) -> list[Answer]:
    """The standing answers in a store, in the order in which they were given; also while a trial writes it.

    Raises AlearnError if it cannot be read.
    """
    query = (
        "SELECT item, name, purpose, round, who, at, again FROM answer LEFT JOIN class ON class.number = answer.class "
        "WHERE withdrawn IS NULL ORDER BY answer.number"
    )
    try:
        with _reading(path) as base:
            return [
                Answer(item, label, purpose, round, who, at, bool(again))
                for item, label, purpose, round, who, at, again in base.execute(query)  # noqa: A001
            ]
    except sqlite3.Error as error:
        raise AlearnError(f"{path}: cannot be read as a store of answers ({error})") from error
