"""People as an oracle: a store keeps their answers, and a channel asks for those that the store lacks."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from alearn.ledger import Ledger, Source
from alearn.oracle.store import Store
from alearn.values import Array

TOKEN = "web.token"
"""The file in the trial's folder that keeps the token of a channel, if it needs one."""


@dataclass(frozen=True)
class Batch:
    """The images that the trial asks about at the same time.

    index: the images, int64 [n], in the order in which people should see them. Without `ahead`, none has an answer yet.
    purpose: why the trial asks.
    round: the trial's latest round at the time of the question; 0 before the first round.
    again: whether this is the second question about these images.
    answered: how many further images of the batch have an answer already.
    ahead: how many images may be without an answer when `Channel.ask` returns. They stay open until the next batch,
        which keeps those that somebody sees and opens no more than len(index) in all. None waits for all answers.
    """

    index: Array
    purpose: Source
    round: int
    again: bool
    answered: int
    ahead: int | None = None

    @property
    def blind(self) -> bool:
        """Whether people must not see the model's guesses."""
        return self.purpose is Source.AUDIT


@dataclass(frozen=True)
class Insight:
    """What people may know besides the images.

    ledger: the trial's ledger. It changes during the trial; read it only.
    estimate: returns the estimated share of wrong auto labels, or None if there is no estimate.
    """

    ledger: Ledger
    estimate: Callable[[], float | None]


class Channel(Protocol):
    """A way to ask people.

    where: the place where people answer, as text without secrets.
    link: the same place for the terminal only; it may contain a token.
    """

    where: str
    link: str

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Ask people, and return when every image of the batch, but for `batch.ahead`, has an answer in the store.

        Args:
            batch: the images.
            report: takes (answered, total) whenever these numbers change.

        Raises:
            WaitingError: the channel does not wait for answers. The trial ends, and asks the same when it is resumed.
        """

    def close(self) -> None:
        """End the channel, because the trial is done, has failed or was interrupted."""


class People:
    """An oracle that asks people for the answers that its store lacks."""

    def __init__(
        self, store: Store, channel: Channel, ledger: Ledger, report: Callable[[int, int], None], ahead: int = 0
    ) -> None:
        """ahead: see `alearn.oracle.AsksAhead`. Above 0, the channel must heed `Batch.ahead`."""
        self._store = store
        self._channel = channel
        self._ledger = ledger
        self._report = report
        self.ahead = ahead
        self.where = channel.where
        self.link = channel.link

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Return the answers of people for the images `index`, int64 [n]: classes, or CANNOT_TELL."""
        known = self._store.answers(again)
        missing = np.array([i for i in index.tolist() if i not in known], np.int64)
        if len(missing):
            batch = Batch(missing, purpose, self._ledger.rounds, again, len(index) - len(missing))
            self._channel.ask(batch, self._report)
            known = self._store.answers(again)
        return np.array([known[i] for i in index.tolist()], np.int64)

    def answered(self, last: int) -> dict[int, int]:
        """Return the answers to the first questions and to the queries of rounds up to `last`; see `Remembers`.

        With `ahead`, return those of all rounds: no undisturbed trial could be repeated, and every answer counts.
        """
        return self._store.to_rounds(sys.maxsize if self.ahead else last)

    def ask_ahead(self, index: Array, needed: int) -> dict[int, int]:
        """Ask the queries of a round, and return when `needed` of them have an answer; see `AsksAhead`."""
        ledger = self._ledger
        early = int((ledger.hand & (ledger.round == ledger.rounds)).sum())  # given while the model learned
        batch = Batch(index, Source.QUERY, ledger.rounds, False, early, len(index) - needed)
        self._channel.ask(batch, self._report)
        known = self._store.answers()
        return self.answered(ledger.rounds) | {i: known[i] for i in index.tolist() if i in known}

    def keep_draw(self, commitment: str, choose: Callable[[], str]) -> str:
        """Return the seed of the audit's draw; see `KeepsDraw`."""
        return self._store.keep_draw(commitment, choose)

    def close(self) -> None:
        """End the channel, then close the store."""
        try:
            self._channel.close()
        finally:
            self._store.close()
