"""Keep the answers of people in a SQLite database, which has each answer before the page shows the next image.

Answers are never deleted: a withdrawn answer stays, with the time of its withdrawal. Whatever happens to the trial's
other files, the same command in the same folder does not ask again for an answer that stands here, and its audit does
not draw again.
"""

import sqlite3
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Self

from filelock import FileLock, Timeout

from alearn.data.ids import positions
from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, CANNOT_TELL_TEXT, Source

NAME = "answers.db"
VERSION = 2
"""Earlier versions can be opened: 1 had no draw."""
LONGEST = 100
"""The most characters in the name of a class."""
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
CREATE TABLE IF NOT EXISTS draw (commitment TEXT NOT NULL, seed TEXT NOT NULL, at TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS standing ON answer (item, again) WHERE withdrawn IS NULL;
"""


@dataclass(frozen=True)
class Answer:
    """An answer of a person.

    item: the id of the image.
    label: the name of a class, or None for "cannot tell".
    purpose: why the trial asked.
    round: the trial's latest round at the time of the question; 0 before the first round.
    who: the name of the person.
    at: the time of the answer, ISO 8601, UTC.
    again: whether this answers the second question.
    """

    item: str
    label: str | None
    purpose: str
    round: int
    who: str
    at: str
    again: bool


class Store:
    """The answers of one trial. Several threads may use it, but only one process at a time."""

    def __init__(self, path: Path, ids: Sequence[str], classes: MutableSequence[str] | Sequence[str]) -> None:
        """Open the file, or create it.

        Args:
            path: the file.
            ids: the ids of all images.
            classes: the names of the classes by number. If this is a list, the classes that people have added are
                appended to it.

        Raises:
            AlearnError: another process uses the file, it is not a store, or its classes differ.
        """
        self._path = path
        self._ids = ids
        self.classes = classes
        self._lock = Lock()
        self._index = positions(ids)
        self.taken: frozenset[int] = frozenset()
        """The images whose first answer the trial has taken, so that it cannot be withdrawn any more."""
        self._held = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise AlearnError(
                f"{path}: another trial uses these answers; wait until it ends, or give another folder"
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
            if not 0 <= version <= VERSION:
                raise AlearnError(f"{self._path}: was written by another version of alearn (its format is {version})")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")  # an answer outlives even a power cut
            self._base.executescript(SCHEMA)
            self._base.execute(f"PRAGMA user_version={VERSION}")
            known = [name for (name,) in self._base.execute("SELECT name FROM class ORDER BY number")]
            for number, (old, new) in enumerate(zip(known, self.classes, strict=False)):
                if old != new:
                    raise AlearnError(
                        f"{self._path}: its class {number} is {old}, not {new} as in the data set; give another folder"
                    )
            for name in known[len(self.classes) :]:
                self._append(name)
            for number in range(len(known), len(self.classes)):
                self._base.execute("INSERT INTO class VALUES (?, ?)", (number, self.classes[number]))
            self._answers: tuple[dict[int, int], dict[int, int]] = ({}, {})
            query = "SELECT item, again, class FROM answer WHERE withdrawn IS NULL ORDER BY number"
            for item, again, number in self._base.execute(query):
                if item not in self._index:
                    continue  # the data set does not have this image any more
                self._answers[again][self._index[item]] = CANNOT_TELL if number is None else number
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, so that another process may open it."""
        with self._lock:
            self._base.close()
            self._held.release()

    def answers(self, again: bool = False) -> dict[int, int]:
        """Return the standing answers, a class or CANNOT_TELL, by the index of the image.

        again: return those to second questions.
        """
        with self._lock:
            return dict(self._answers[again])

    def givers(self, again: bool = False) -> dict[int, str]:
        """Return who gave the standing answers, by the index of the image."""
        query = "SELECT item, who FROM answer WHERE again = ? AND withdrawn IS NULL"
        with self._lock:
            rows = self._base.execute(query, (int(again),)).fetchall()
        return {self._index[item]: who for item, who in rows if item in self._index}

    def to_rounds(self, last: int) -> dict[int, int]:
        """Return the standing answers to the first questions and to the queries of the first `last` rounds.

        The trial takes all answers with this: see `take`.

        Returns:
            A class, or CANNOT_TELL, by the index of the image.
        """
        query = (
            "SELECT item, class FROM answer WHERE withdrawn IS NULL AND NOT again AND round <= ? "
            "AND purpose IN ('first', 'query')"
        )
        with self._lock:
            self.taken = frozenset(self._answers[0])
            rows = self._base.execute(query, (last,)).fetchall()
        numbers = {self._index[item]: number for item, number in rows if item in self._index}
        return {index: CANNOT_TELL if number is None else number for index, number in numbers.items()}

    def answer(self, index: int, label: int, purpose: Source, round: int, who: str, again: bool = False) -> bool:  # noqa: A002
        """Keep an answer, a class or CANNOT_TELL. It is on disk when this returns.

        Returns:
            False if the image has an answer already; then nothing changes.
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

    def take(self) -> None:
        """Let nobody withdraw the answers to first questions that stand now: the trial is about to learn from them."""
        with self._lock:
            self.taken = frozenset(self._answers[0])

    def withdraw(self, index: int, again: bool = False) -> bool:
        """Withdraw the answer for an image. Do nothing if there is none.

        Returns:
            False if the trial has taken the answer; then it stands.
        """
        with self._lock:
            if not again and index in self.taken:
                return False
            self._base.execute(
                "UPDATE answer SET withdrawn = ? WHERE item = ? AND again = ? AND withdrawn IS NULL",
                (_now(), self._ids[index], int(again)),
            )
            self._answers[again].pop(index, None)
            return True

    def keep_draw(self, commitment: str, choose: Callable[[], str]) -> str:
        """Return the seed of the audit's draw. If there has been no draw, choose and keep it; see `KeepsDraw`."""
        with self._lock:
            kept = self._base.execute("SELECT commitment, seed FROM draw").fetchone()
            if kept is None:
                kept = commitment, choose()
                self._base.execute("INSERT INTO draw VALUES (?, ?, ?)", (*kept, _now()))
        drawn_for, seed = kept
        if drawn_for != commitment:
            raise AlearnError(
                f"{self._path}: an audit has drawn its sample already, for other labels or terms than now, and people "
                "know its answers. A second draw would break the promise of the certificate. Restore the "
                "checkpoint.pt of that audit, or begin again in another folder"
            )
        return str(seed)

    def add_class(self, name: str) -> int:
        """Return the number of the class with this name. If there is none, add it.

        Raises:
            ValueError: the classes are fixed, or the name is not allowed.
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
            raise AlearnError(f"{self._path}: its class {name} is none of {', '.join(self.classes)}")
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
    """Read the standing answers in a store, in the order in which people gave them. A trial may write it meanwhile.

    Raises:
        AlearnError: the store cannot be read.
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
