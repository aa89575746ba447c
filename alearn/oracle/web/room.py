"""The room where people answer: what they see and what they may do. It connects the desk, the store and the trial.

The thread of the trial opens a batch and waits, while the threads of the server handle requests. One lock orders all of
them. An answer is in the store before any page hears of it. A batch may stay open while the trial goes on: see
`Batch.ahead`.
"""

import secrets
import time
from collections.abc import Callable, MutableSequence
from threading import Condition
from typing import Any

from alearn.data.decode import encoded
from alearn.data.imageset import ImageSet
from alearn.ledger import CANNOT_TELL, CANNOT_TELL_TEXT
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store
from alearn.oracle.web import words
from alearn.oracle.web.alike import Looks
from alearn.oracle.web.desk import Desk, Seat
from alearn.oracle.web.form import Refused
from alearn.oracle.web.standing import Standing

AWARE = 5.0
"""A page that sent a request in the last AWARE seconds is still open, so it will also hear of the end."""


class Room:
    """What all pages of one trial share. Its methods may be called from any thread."""

    def __init__(
        self, pool: ImageSet, store: Store, insight: Insight, trial: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """trial: identifies the trial, so that no answer reaches another trial at the same address."""
        self.trial = trial
        self._pool = pool
        self._store = store
        self._insight = insight
        self._clock = clock
        self._change = Condition()
        self._desk = Desk()
        self._looks = Looks(pool.inputs)
        self._batch: Batch | None = None
        self._asked: frozenset[int] = frozenset()
        self._withdrawn: frozenset[int] = frozenset()
        self._size = 0
        self._learning = False
        self._round = insight.ledger.rounds + 1
        self._status = words.WORKING
        self._over = False
        self._aware: set[int] = set()
        self._run = secrets.token_hex(4)
        self._version = 0
        self._standing = Standing(insight)
        self._counts = self._standing.counts

    # Called by the trial.

    def open(self, batch: Batch) -> None:
        """Show a batch to people."""
        with self._change:
            known = self._store.answers(batch.again)
            asked = [i for i in batch.index.tolist() if i not in known]
            before = self._asked
            if batch.ahead is None:
                self._desk.begin(asked, self._store.givers() if batch.again else {})
                self._looks = Looks(self._pool.inputs)
            else:
                new = len(known.keys() - self._store.taken)  # a moment ago, so the trial does not count them yet
                self._desk.renew(asked, max(0, len(batch.index) - new), self._clock())
            self._standing = Standing(self._insight)
            self._counts = self._standing.counts
            self._batch = batch
            self._asked = frozenset(self._desk.left).union(*(seat.gave for seat in self._desk.seats.values()))
            self._withdrawn = (self._withdrawn | before) - self._asked
            self._learning = False
            self._round = batch.round + 1
            self._size = len(batch.index) + batch.answered
            self._close_if_done()

    def wait(self, reported: int, seconds: float) -> tuple[int, int, bool]:
        """Wait until the number of answers is no longer `reported`, or there are enough, or `seconds` have passed.

        Returns:
            The number of answers, the number that the trial needs, and whether there are enough.
        """
        with self._change:
            self._change.wait_for(lambda: self._answered != reported or self._enough, seconds)
            if self._enough and self._batch is not None:
                self._store.take()
                self._learning = True
            return min(self._answered, self._total), self._total, self._enough

    def end(self) -> None:
        """Tell people that the trial is over, or that it was stopped if a batch is still open."""
        with self._change:
            self._status = words.ENDED if self._batch is None else words.STOPPED
            self._counts = self._now()
            self._over = True
            self._batch = None
            self._asked = frozenset()
            self._desk.begin((), {})

    def unaware(self) -> bool:
        """Return whether an open page has not heard of the end yet."""
        with self._change:
            now = self._clock()
            return any(now - s.heard < AWARE and id(s) not in self._aware for s in self._desk.seats.values())

    # Called for people.

    def view(self, seat: Seat, known: int, want: int = 0, grid: bool = False) -> dict[str, Any]:
        """Return everything that a page shows.

        known: how many classes the page knows; the view omits the classes if this is their number. want: how many
        images the page has room for. grid: whether it shows all of them.
        """
        with self._change:
            now = self._clock()
            self._version += 1
            self._seal()
            if want:
                self._desk.fill(seat, want, grid, self._looks.alike, now)
            present = self._desk.present(now)
            view: dict[str, Any] = {
                "trial": self.trial, "run": self._run, "version": self._version, "round": self._round,
                "words": self._status, "counts": self._now(), "undo": len(seat.steps), "pace": seat.pace(now),
                "open": isinstance(self._store.classes, MutableSequence),
                "others": [{"who": s.who, "answered": len(s.gave)} for s in present if s is not seat],
            }  # fmt: skip
            if known != len(self._store.classes):
                view["classes"] = list(self._store.classes)
            if self._over:
                self._aware.add(id(seat))
            if self._batch is None:
                return view | {"state": "done" if self._over else "working"}
            title, text = words.heading(self._batch, self._learning)
            soon = self._desk.ahead(seat, want, self._looks.alike, now) if grid and seat.queue else []
            return view | {
                "state": "ask" if seat.here else "paused",
                "title": title, "words": text, "blind": self._batch.blind, "again": self._batch.again,
                "answered": self._answered, "total": self._total, "learning": self._learning,
                "elsewhere": len(self._desk.left) - len(seat.queue),
                "images": [{"index": i, "id": self._pool.ids[i]} for i in seat.queue], "soon": soon,
            }  # fmt: skip

    def sit(self, session: str, visit: int, who: str, here: bool = True) -> Seat:
        """Return the seat of a browser. If it does not want images (`here` is False), take its images back."""
        with self._change:
            return self._desk.seat(session, visit, who, here, self._clock())

    def leave(self, session: str, visit: int) -> None:
        """Note that a browser has closed the page."""
        with self._change:
            self._desk.close(session, visit)

    def answer(self, seat: Seat, number: int, answers: list[tuple[int, str | None]], again: bool) -> list[int]:
        """Keep answers.

        Args:
            seat: who answers.
            number: identifies the request. The same number again changes nothing, so a page may repeat it safely.
            answers: pairs of an image and a class name, or None for "cannot tell".
            again: whether these answer the second question.

        Returns:
            The images to which somebody else has already given a different answer. That answer stands.
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
            seat.number = number
            seat.result = late
            self._close_if_done()
            return late

    def skip(self, seat: Seat, number: int, index: list[int]) -> None:
        """Put images last."""
        with self._change:
            if number != seat.number:
                self._check(index)
                self._desk.skip(seat, index)
                seat.number = number
                seat.result = []

    def undo(self, seat: Seat, number: int) -> list[int]:
        """Undo a step, and return the images that the seat gets back."""
        with self._change:
            if number != seat.number:
                self._seal()
                back, mine = self._desk.undo(seat) if self._batch else ([], [])
                again = self._batch is not None and self._batch.again
                stand = [i for i in mine if not self._store.withdraw(i, again)]  # taken at this very moment
                self._desk.drop(stand)
                seat.number = number
                seat.result = [i for i in back if i not in stand]
                self._change.notify_all()
            return seat.result

    def guesses(self, index: list[int]) -> list[dict[str, Any]]:
        """Return the model's guess and its probability for each image.

        Leave out images that it has not scored, and those whose answers check its guesses.
        """
        with self._change:
            if self._batch is None or self._batch.blind:
                raise Refused(403, "the model's guesses are hidden during an audit")
            self._check(index)
            return self._standing.guesses(index, self._store.classes)

    def add_class(self, name: str) -> None:
        """Add a class."""
        with self._change:
            if name == CANNOT_TELL_TEXT:
                raise Refused(400, f"{name} is reserved and cannot be a class")
            try:
                self._store.add_class(name)
            except ValueError as error:
                raise Refused(400, str(error)) from None

    def picture(self, index: int, side: int) -> tuple[bytes, str]:
        """Return an image of the open batch, and its MIME type. side: its longer side in pixels."""
        with self._change:
            if index not in self._asked:
                raise Refused(404, "the open batch has no such image")
        return encoded(self._pool, index, side)

    # Only with the lock held.

    @property
    def _answered(self) -> int:
        return self._size - len(self._desk.left)

    @property
    def _total(self) -> int:
        """The number of answers that the trial needs before it goes on."""
        ahead = self._batch.ahead if self._batch else None
        return self._size - (ahead or 0)

    @property
    def _enough(self) -> bool:
        return self._batch is None or self._answered >= self._total

    def _seal(self) -> None:
        if self._batch is not None and self._batch.ahead is not None:
            self._desk.seal(self._store.taken)

    def _keep(self, index: int, label: int, batch: Batch, who: str) -> bool:
        return self._store.answer(index, label, batch.purpose, batch.round, who, batch.again)

    def _close_if_done(self) -> None:
        if self._batch is not None and not self._desk.left:
            self._status = words.afterwards(self._batch)
            self._counts = self._now()
            self._batch = None
            self._asked = frozenset()
            self._desk.begin((), {})  # it is too late to undo anything now
        self._change.notify_all()

    def _check(self, index: list[int]) -> None:
        for i in index:
            if i not in self._asked:
                raise Refused(400, f"image {i} is not in the open batch")

    def _before(self, labels: list[tuple[int, int]], again: bool) -> list[int]:
        """Handle answers to images outside the open batch. They are accepted if the images have answers already, as
        when the reply to the first attempt was lost. Return the images with a different answer.
        """
        known = self._store.answers(again)
        if missing := [i for i, _ in labels if i not in known]:
            if self._withdrawn.issuperset(missing):
                raise Refused(400, "the model has learned meanwhile, and needs no answer here any more")
            if self._batch is None and not self._over:
                raise Refused(503, "no images are open now; the page sends the answer again when some are")
            raise Refused(400, "some of these images are not in the open batch")
        return [i for i, label in labels if known[i] != label]

    def _number(self, label: str | None) -> int:
        if label is None:
            return CANNOT_TELL
        try:
            return self._store.classes.index(label)
        except ValueError:
            raise Refused(400, f"there is no class {label}") from None

    def _now(self) -> dict[str, Any]:
        """Return the counts including the answers of this batch, which the ledger does not have yet."""
        return self._counts if self._batch is None else self._standing.with_answers(self._batch, self._answered)
