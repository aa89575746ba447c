"""The room where people answer: what they are told and what they may do, over the desk, the store and the trial.

The trial's own thread opens a batch and waits; the threads of the server come in between. One lock orders them all, and
an answer is in the store before anybody is told of it.
"""

import math
import secrets
import time
from collections.abc import Callable, MutableSequence
from threading import Condition
from typing import Any

from alearn.data.decode import encoded
from alearn.data.imageset import ImageSet
from alearn.ledger import CANNOT_TELL, CANNOT_TELL_TEXT, Source
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store
from alearn.oracle.web.alike import Looks
from alearn.oracle.web.desk import SILENT, Desk, Seat
from alearn.oracle.web.form import Refused

PURPOSES = {
    Source.FIRST: ("First images", "The model has learned nothing yet. It starts with these."),
    Source.QUERY: ("Doubtful images", "The model doubts these most, and learns most from them."),
    Source.AUDIT: ("Check", "A check of the model's labels. What it thinks of these is hidden."),
    Source.REST: ("The rest", "These are what is left: nobody and nothing has labeled them yet."),
}
AGAIN = ("Second look", "Somebody has seen these before. Answer as if you were the first.")
WORKING = "The model learns from the answers. The next images come by themselves."
COUNTED = "The answers are being counted. If there is more to ask, it comes by itself."
ENDED = "The trial is over. If it was interrupted, the same command goes on with it."
STOPPED = "The trial was stopped. All answers are kept, and the same command goes on with it."
AWARE = 5.0
"""Seconds: who said something so lately will also hear that it is over."""


class Room:
    """One for the whole trial."""

    def __init__(
        self, pool: ImageSet, store: Store, insight: Insight, trial: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """trial: what it is known by, so that no page's answer goes to another trial at the same address."""
        self.trial = trial
        self._pool, self._store, self._insight, self._clock = pool, store, insight, clock
        self._change = Condition()
        self._desk, self._looks = Desk(), Looks(pool.images)
        self._batch: Batch | None = None
        self._asked: frozenset[int] = frozenset()
        self._total = 0
        self._round = insight.ledger.rounds + 1
        self._words = WORKING
        self._over = False
        self._aware: set[int] = set()
        self._run, self._version = secrets.token_hex(4), 0
        self._counts = self._counted()

    # What the trial does.

    def open(self, batch: Batch) -> None:
        """Ask."""
        known = self._store.answers(batch.again)
        asked = [i for i in batch.index.tolist() if i not in known]
        with self._change:
            self._counts = self._counted()
            self._desk.begin(asked, self._store.givers() if batch.again else {})
            self._looks = Looks(self._pool.images)
            self._batch, self._asked, self._round = batch, frozenset(asked), batch.round + 1
            self._total = len(batch.index) + batch.answered
            self._close_if_done()

    def wait(self, told: int, seconds: float) -> tuple[int, int, bool]:
        """(answered, of how many, whether that is all), as soon as `told` is not the first of them."""
        with self._change:
            self._change.wait_for(lambda: self._answered != told or self._batch is None, seconds)
            return self._answered, self._total, self._batch is None

    def end(self) -> None:
        """The trial is over, or stopped if people are being asked."""
        with self._change:
            self._words = ENDED if self._batch is None else STOPPED
            self._counts = self._now()
            self._over, self._batch, self._asked = True, None, frozenset()
            self._desk.begin((), {})

    def unaware(self) -> bool:
        """Whether somebody is here who has not heard of the end."""
        with self._change:
            now = self._clock()
            return any(now - s.heard < AWARE and id(s) not in self._aware for s in self._desk.seats.values())

    # What people do.

    def told(self, seat: Seat, known: int, want: int = 0, grid: bool = False) -> dict[str, Any]:
        """All that a page shows. known: how many classes it knows; they are left out if there are no others. want: how
        many images it has room for.
        """
        with self._change:
            now = self._clock()
            self._version += 1
            if want:
                self._desk.fill(seat, want, grid, self._looks.alike, now)
            present = self._desk.present(now)
            told: dict[str, Any] = {
                "trial": self.trial, "run": self._run, "version": self._version, "round": self._round,
                "words": self._words, "counts": self._now(), "undo": len(seat.steps), "pace": seat.pace(now),
                "open": isinstance(self._store.classes, MutableSequence),
                "others": [{"who": s.who, "answered": len(s.gave)} for s in present if s is not seat],
            }  # fmt: skip
            if known != len(self._store.classes):
                told["classes"] = list(self._store.classes)
            if self._over:
                self._aware.add(id(seat))
            if self._batch is None:
                return told | {"state": "done" if self._over else "working"}
            title, words = AGAIN if self._batch.again else PURPOSES[self._batch.purpose]
            soon = self._desk.ahead(seat, want, self._looks.alike, now) if grid and seat.queue else []
            return told | {
                "state": "ask" if seat.here else "paused",
                "title": title, "words": words, "blind": self._batch.blind, "again": self._batch.again,
                "answered": self._answered, "total": self._total,
                "elsewhere": len(self._desk.left) - len(seat.queue),
                "images": [{"index": i, "id": self._pool.ids[i]} for i in seat.queue], "soon": soon,
            }  # fmt: skip

    def sit(self, session: str, who: str, here: bool = True) -> Seat:
        """The seat of a browser; it gives its images back if it is not here."""
        with self._change:
            seat = self._desk.seat(session, who, self._clock())
            if not here:
                self._desk.leave(seat)
            seat.here = here
            return seat

    def leave(self, session: str) -> None:
        """A browser has closed the page."""
        with self._change:
            if session in self._desk.seats:
                self._desk.leave(self._desk.seats[session])
                self._desk.seats[session].heard -= SILENT

    def answer(self, seat: Seat, number: int, answers: list[tuple[int, str | None]], again: bool) -> list[int]:
        """Keep answers, class names or None for "cannot tell". Returns the images that somebody else had answered
        already, where theirs stands. The same number again changes nothing, so a page that heard no reply may repeat.
        """
        with self._change:
            if number == seat.number:
                return seat.result
            labels = [(i, self._number(label)) for i, label in answers]
            if self._batch is None or again != self._batch.again or not all(i in self._asked for i, _ in labels):
                return self._before(labels, again)
            batch = self._batch
            stale = {i for i, label in labels if not self._keep(i, label, batch, seat.who)}
            known = self._store.answers(again) if stale else {}
            late = [i for i, label in labels if i in stale and known[i] != label]
            mine = [i for i, _ in labels if i in self._desk.left and i not in late]
            self._desk.answered(seat, mine, self._clock())
            self._desk.drop(late)
            seat.number, seat.result = number, late
            self._close_if_done()
            return late

    def skip(self, seat: Seat, number: int, index: list[int]) -> None:
        """These come back last."""
        with self._change:
            if number != seat.number:
                self._check(index)
                self._desk.skip(seat, index)
                seat.number, seat.result = number, []

    def undo(self, seat: Seat, number: int) -> list[int]:
        """Go back a step; the images that are shown again."""
        with self._change:
            if number != seat.number:
                back, mine = self._desk.undo(seat) if self._batch else ([], [])
                for i in mine:
                    self._store.withdraw(i, self._batch.again if self._batch else False)
                seat.number, seat.result = number, back
                self._change.notify_all()
            return seat.result

    def guesses(self, index: list[int]) -> list[dict[str, Any]]:
        """What the model takes images for, and with which probability; those that it has not seen are left out."""
        with self._change:
            if self._batch is None or self._batch.blind:
                raise Refused(403, "no guesses here: what the model thinks is hidden in a check")
            self._check(index)
            ledger, classes = self._insight.ledger, self._store.classes
            return [
                {"index": i, "label": classes[g], "probability": -math.expm1(float(ledger.doubt[i]))}
                for i in index
                if (g := int(ledger.guess[i])) >= 0
            ]

    def add_class(self, name: str) -> None:
        """A class that people miss."""
        with self._change:
            if name == CANNOT_TELL_TEXT:
                raise Refused(400, f"{name} is the name for something else")
            try:
                self._store.add_class(name)
            except ValueError as error:
                raise Refused(400, str(error)) from None

    def picture(self, index: int, side: int) -> tuple[bytes, str]:
        """An image that is being asked about, and its MIME type."""
        with self._change:
            if index not in self._asked:
                raise Refused(404, "no such image is being asked about")
        return encoded(self._pool, index, side)

    # Held together by the lock.

    @property
    def _answered(self) -> int:
        return self._total - len(self._desk.left)

    def _keep(self, index: int, label: int, batch: Batch, who: str) -> bool:
        return self._store.answer(index, label, batch.purpose, batch.round, who, batch.again)

    def _close_if_done(self) -> None:
        if self._batch is not None and not self._desk.left:
            self._words = COUNTED if self._batch.purpose in (Source.AUDIT, Source.REST) else WORKING
            self._counts = self._now()
            self._batch, self._asked = None, frozenset()
            self._desk.begin((), {})  # whoever would undo something now comes too late
        self._change.notify_all()

    def _check(self, index: list[int]) -> None:
        for i in index:
            if i not in self._asked:
                raise Refused(400, f"image {i} is not being asked about")

    def _before(self, labels: list[tuple[int, int]], again: bool) -> list[int]:
        """Answers to what is not being asked: fine if they stand already, which is so when the reply was lost."""
        known = self._store.answers(again)
        if any(i not in known for i, _ in labels):
            if self._batch is None and not self._over:
                raise Refused(503, "nothing is being asked now; the answer is sent when it is")
            raise Refused(400, "not all of these images are being asked about now")
        return [i for i, label in labels if known[i] != label]

    def _number(self, label: str | None) -> int:
        if label is None:
            return CANNOT_TELL
        try:
            return self._store.classes.index(label)
        except ValueError:
            raise Refused(400, f"no such class: {label}") from None

    def _counted(self) -> dict[str, Any]:
        """Of the ledger: only while the trial waits, or has not begun."""
        ledger = self._insight.ledger
        return {
            "hand": ledger.paid,
            "auto": ledger.count(Source.AUTO),
            "unlabeled": ledger.count(Source.NONE),
            "estimate": self._insight.estimate(),
        }

    def _now(self) -> dict[str, Any]:
        """The same with the answers of this batch, which the ledger does not have yet."""
        if self._batch is None or self._batch.again:
            return self._counts
        new = self._answered
        less = 0 if self._batch.purpose is Source.AUDIT else new
        return self._counts | {"hand": self._counts["hand"] + new, "unlabeled": self._counts["unlabeled"] - less}
