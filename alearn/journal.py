"""What a labeling reports: progress, which is only shown, and entries, which are kept.

The loop and the audit call `Journal.commit` where order matters. An entry is durable when `commit` returns. Until then,
nobody is asked and nothing is drawn.
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
    """An epoch of training is over.

    share: the share of the training steps that are done, None if their number is not fixed.
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
    """People have answered `done` of `total` questions. where: where they answer, in words."""

    done: int
    total: int
    where: str


Progress = RoundStarted | EpochDone | ScoreProgress | Asked
OnProgress = Callable[[Progress], None]


def ignore(step: Progress) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class Round:
    """A round is over, and the ledger holds its labels. The ledger keeps changing: read it now, do not keep it.

    seconds: duration of each phase ("fit", "score", "decide", "ask"). metrics: empty until a journal that knows the
    true labels fills it.
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

    commitment: their SHA-256, see `alearn.audit.rules.commitment`. expected: an estimate of all hand labels in the end.
    """

    ledger: Ledger
    commitment: str
    expected: float


@dataclass(frozen=True)
class AuditDrawn:
    """ledger.audit has the seed, which fixes the draw. Nobody is asked before this is committed."""

    ledger: Ledger


@dataclass(frozen=True)
class AuditStage:
    """All questions of a stage of the audit are answered.

    Attributes:
        ledger: The live ledger.
        audited: The number of labels checked so far.
        errors: The number of checked labels that were wrong.
        accepted: The number of frozen labels that would be accepted now.
        left: The number of images that no human labeled and whose label would not be accepted now.
        more: Whether another stage follows.
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

    metrics: empty until a journal fills in the row of the trial (see `alearn.trial.row`).
    """

    ledger: Ledger
    seconds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)


Entry = Round | AuditFrozen | AuditDrawn | AuditStage | Finished


class Journal(Protocol):
    """The object that a labeling reports to."""

    def progress(self, step: Progress) -> None:
        """Show progress. Nothing depends on it."""

    def commit(self, entry: Entry) -> None:
        """Keep the entry and its ledger. Both must be safe when this returns."""


class MemoryJournal:
    """A journal without files, for tests and notebooks. `entries` has the committed entries in order."""

    def __init__(self, on_progress: OnProgress = ignore) -> None:
        self.progress = on_progress
        self.entries: list[Entry] = []

    def commit(self, entry: Entry) -> None:
        """Append the entry. Its ledger is not copied and keeps changing."""
        self.entries.append(entry)
