"""Shared by the tests of the page while the model learns: a trial of a scripted model, which asks on a page."""

import threading
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from alearn import loop
from alearn.audit.protocol import Names
from alearn.config import Config
from alearn.data.imageset import ImageSet
from alearn.journal import Entry, MemoryJournal
from alearn.ledger import Ledger
from alearn.oracle.people import Insight, People
from alearn.oracle.store import NAME, Store
from alearn.oracle.web.channel import Web
from tests.conftest import compose
from tests.oracle.web import desks
from tests.scripted import KINDS, NAMES, TOTAL, TRUTH, scripted_trial
from tests.waiting import LIMIT

AHEAD = 4
IMAGES = torch.zeros(TOTAL, 1, 16, 16, dtype=torch.uint8)


def settings(*words: str) -> Config:
    """Return a config: 20 first images, then 10 a round, 60 in all, if `words` do not say otherwise."""
    return compose(
        *("policy=own", "data=mnist", "model=small_cnn", "train=fast", "policy.init=random", "policy.views=0"),
        *(
            "policy.auto.rule=none",
            "policy.stop_yield=null",
            "policy.init_count=20",
            "policy.hand_per_round=10",
            "policy.hand_budget=60",
        ),
        *words,
    )


class StopError(Exception):
    """An exception that stands in for the end of the process."""


class Rolling(MemoryJournal):
    """A trial that asks on a page, and the journal that keeps its ledger at each commit.

    Its estimated share of wrong labels is a thousandth of the number of hand labels, so that every round changes it.

    Attributes:
        saved: The arrays of the ledger at the last commit, and at first those that the trial starts with.
        counted: How many answers the trial reported, and how many it needed, each time.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        saved: Any = None,
        ahead: int = AHEAD,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.ledger = Ledger.empty(TOTAL) if saved is None else Ledger.restored(deepcopy(saved))
        self.saved = self._copy()
        self.counted: list[tuple[int, int]] = []
        self._told = told
        pool = ImageSet(IMAGES, NAMES.ids, list(KINDS), None)
        self.store = Store(folder / NAME, NAMES.ids, pool.classes)
        self.web = Web(desks.config(), pool, self.store, Insight(self.ledger, lambda: self.ledger.paid / 1000), folder)
        people = People(self.store, self.web, self.ledger, self._report, ahead)
        self._trial = scripted_trial(config, people, self.ledger, Names(NAMES.ids, pool.classes))
        self._thread = threading.Thread(target=self.label, daemon=True)

    def label(self) -> None:
        """Run the trial until it ends or is killed."""
        with suppress(StopError):
            loop.label(self._trial, self)

    def start(self) -> None:
        """Run the trial in a thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread still runs the trial."""
        return self._thread.is_alive()

    def commit(self, entry: Entry) -> None:
        """Keep the entry and the ledger. People answer meanwhile."""
        super().commit(entry)
        self.saved = self._copy()
        self._told()

    def close(self) -> None:
        """Close the page and the store at once, as soon as the trial has ended."""
        for seat in self.web._room._desk.seats.values():
            seat.heard = float("-inf")
        self.web.close()
        if self._thread.ident:
            self._thread.join(LIMIT)
        self.store.close()

    def _report(self, answered: int, total: int) -> None:
        self.counted.append((answered, total))
        if answered < total:
            self._told()

    def _copy(self) -> Any:
        return deepcopy(self.ledger.arrays())


class Gate:
    """Where a training waits until a test lets it end."""

    def __init__(self) -> None:
        self._begun, self._end = threading.Semaphore(0), threading.Semaphore(0)
        self._shut = False

    def train(self) -> None:
        """Wait, as a training."""
        self._begun.release()
        assert self._end.acquire(timeout=LIMIT)
        if self._shut:
            raise StopError

    def begun(self) -> None:
        """Wait until a training has begun."""
        assert self._begun.acquire(timeout=LIMIT)

    def open(self) -> None:
        """Let a training end, now or when it begins."""
        self._end.release()

    def shut(self) -> None:
        """Let the trial end where it is: whatever trains now or later."""
        self._shut = True
        self._end.release(100)


def during_fit(monkeypatch: Any, work: Callable[[], None]) -> None:
    """Let `work` happen while the model trains. Call this after `tests.scripted.script`."""
    fit = loop.fit

    def busy(*args: Any, **options: Any) -> Any:
        result = fit(*args, **options)  # it has read the labels
        work()
        return result

    monkeypatch.setattr(loop, "fit", busy)


def right(index: int) -> str:
    """Return the true class of an image."""
    return KINDS[TRUTH[index]]


def answer(browser: desks.Browser, count: int = 1) -> list[int]:
    """Answer the images that the page shows, one after the other. Return them."""
    given: list[int] = []
    for _ in range(count):
        view = browser.sync()
        image = view["images"][0]["index"]
        reply = browser.answer((image, right(image)), again=view["again"])
        assert reply.status_code == 200, reply.text
        given.append(image)
    return given
