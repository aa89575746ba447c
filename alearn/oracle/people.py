"""People as an oracle: what they answered stands in a store, and what has no answer there is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from alearn.ledger import Ledger, Source
from alearn.oracle.store import Store
from alearn.values import Array

TOKEN = "web.token"
"""File in the trial's folder, of channels that ask for one."""


@dataclass(frozen=True)
class Batch:
    """What is asked at a time. index: int64 [n], in the order in which it should be shown. answered: how many more of
    the same batch have an answer already. round: after which round it is asked. again: for the second time.
    """

    index: Array
    purpose: Source
    round: int
    again: bool
    answered: int

    @property
    def blind(self) -> bool:
        """Nobody may see what the model thinks of these."""
        return self.purpose is Source.AUDIT


@dataclass(frozen=True)
class Insight:
    """What may be told to people besides the images. ledger: the trial's own, live, read only. estimate: the share of
    the auto labels that is probably wrong, None where nothing tells.
    """

    ledger: Ledger
    estimate: Callable[[], float | None]


class Channel(Protocol):
    """A way to people.

    where: where they answer, in words, without anything secret. link: the same for the terminal alone, perhaps with a
    token.
    """

    where: str
    link: str

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Return once each image of the batch has an answer in the store. report: to be told (answered, of how many)
        whenever that changes. May raise WaitingError instead: the trial ends there, and asks the same when resumed.
        """

    def close(self) -> None:
        """The trial is done, failed or interrupted."""


class People:
    """An oracle of people: what they answered is in a store, and what has no answer there is asked."""

    def __init__(self, store: Store, channel: Channel, ledger: Ledger, report: Callable[[int, int], None]) -> None:
        self._store, self._channel, self._ledger, self._report = store, channel, ledger, report
        self.where, self.link = channel.where, channel.link

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """The classes that people take them for, CANNOT_TELL where they cannot."""
        known = self._store.answers(again)
        missing = np.array([i for i in index.tolist() if i not in known], np.int64)
        if len(missing):
            batch = Batch(missing, purpose, self._ledger.rounds, again, len(index) - len(missing))
            self._channel.ask(batch, self._report)
            known = self._store.answers(again)
        return np.array([known[i] for i in index.tolist()], np.int64)

    def answered(self, last: int) -> dict[int, int]:
        """Return what the rounds up to `last` asked for: the class, or CANNOT_TELL, by the image's index."""
        return self._store.to_rounds(last)

    def close(self) -> None:
        """End the channel, then let go of the store."""
        try:
            self._channel.close()
        finally:
            self._store.close()
