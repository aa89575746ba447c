"""What a labeling reports: progress, which passes, and entries, which last.

The loop and the audit call `Journal.commit` where the order matters: an entry is durable when that returns, and nobody
is asked, and nothing is drawn, before it has returned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from alearn.ledger import Ledger
from alearn.values import Decision, Fitted, Scores


@dataclass(frozen=True)
class RoundStarted:
    """A round begins: it trains on `labeled` images and scores `unlabeled`."""

    round: int
    labeled: int
    unlabeled: int


@dataclass(frozen=True)
class EpochDone:
    """One epoch of training is over.

    share: how much of the training's budget is used up, None where it has no bound.
    """

    epoch: int
    loss: float
    val_accuracy: float | None
    share: float | None


@dataclass(frozen=True)
class ScoreProgress:
    """`done` of `total` images are scored."""

    done: int
    total: int


@dataclass(frozen=True)
class Asked:
    """People have answered `done` of `total` questions. where: the place where they answer, in words."""

    done: int
    total: int
    where: str


Progress = RoundStarted | EpochDone | ScoreProgress | Asked
OnProgress = Callable[[Progress], None]


def ignore(step: Progress) -> None:
    """Take progress and do nothing with it."""


@dataclass(frozen=True)
class Round:
    """A round is over and the ledger holds its labels. The ledger is the live one: read it now, do not keep it.

    seconds: by phase ("fit", "score", "decide", "ask"). metrics: empty until a journal that knows the truth fills it.
    """

    number: int
    ledger: Ledger
    fitted: Fitted
    scores: Scores
    decision: Decision
    seconds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditFrozen:
    """Labels, order and plan are frozen in ledger.audit. Nothing is drawn before this is committed.

    commitment: the SHA-256 of all that, see `alearn.audit.rules.commitment`. expected: an estimate of all hand labels
    in the end.
    """

    ledger: Ledger
    commitment: str
    expected: float


@dataclass(frozen=True)
class AuditDrawn:
    """The audit's seed, and with it the draw, is in ledger.audit. Nobody is asked before this is committed."""

    ledger: Ledger


@dataclass(frozen=True)
class AuditStage:
    """A stage of the audit is answered.

    audited: labels checked so far, of which `errors` were wrong. accepted: frozen labels that would be accepted now.
    left: labels that no human gave and that would not be accepted. more: whether another stage follows.
    """

    ledger: Ledger
    audited: int
    errors: int
    accepted: int
    left: int
    more: bool


@dataclass(frozen=True)
class Finished:
    """Every image has a label. As in `Round`, the ledger is the live one.

    metrics: empty until a journal fills it: the trial's row (see `alearn.trial.row`).
    """

    ledger: Ledger
    seconds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)


Entry = Round | AuditFrozen | AuditDrawn | AuditStage | Finished


class Journal(Protocol):
    """Where a labeling reports to."""

    def progress(self, step: Progress) -> None:
        """Show how far the work is. Nothing depends on it."""

    def commit(self, entry: Entry) -> None:
        """Keep the entry and its ledger. They are safe when this returns."""


class MemoryJournal:
    """A journal without files, for tests and notebooks. `entries` has what was committed, in order."""

    def __init__(self, on_progress: OnProgress = ignore) -> None:
        self.progress = on_progress
        self.entries: list[Entry] = []

    def commit(self, entry: Entry) -> None:
        """Append the entry. Its ledger goes on changing."""
        self.entries.append(entry)
