"""The events in which a trial reports: frozen, nothing but data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
    """One epoch of training. share: how much of the training's budget is used up, None where it has no bound."""

    epoch: int
    loss: float
    val_accuracy: float | None
    share: float | None


@dataclass(frozen=True)
class ScoreProgress:
    """So many of the images are scored."""

    done: int
    total: int


@dataclass(frozen=True)
class RoundDone:
    """A round is over and the ledger holds its labels. The ledger is the live one: read it now, do not keep it.

    seconds: by phase ("fit", "score", "decide", "ask"). metrics: empty until the measuring code fills it in.
    """

    round: int
    ledger: Ledger
    fitted: Fitted
    scores: Scores
    decision: Decision
    seconds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """People have answered `done` of `total` questions, and are waited for. where: they answer, in words."""

    done: int
    total: int
    where: str


@dataclass(frozen=True)
class AuditStarted:
    """Labels, order and plan are frozen, and stand in ledger.audit. Nothing is drawn before this event is dealt with.

    digest: SHA-256 of all that, see `alearn.audit.rules.commitment`. expected: hand labels in all, an estimate.
    """

    ledger: Ledger
    digest: str
    expected: float


@dataclass(frozen=True)
class AuditDrawn:
    """The audit's seed, and with it the draw, stands in ledger.audit. Nobody is asked before this is dealt with."""

    ledger: Ledger


@dataclass(frozen=True)
class AuditStage:
    """A stage of the audit is answered: `audited` labels are checked so far, `errors` of them were wrong, and
    `accepted` of the frozen ones would be accepted. left: labels that no human gave and that would not. more: whether
    another stage follows.
    """

    ledger: Ledger
    audited: int
    errors: int
    accepted: int
    left: int
    more: bool


@dataclass(frozen=True)
class TrialDone:
    """Every image has a label. As in `RoundDone`, the ledger is the live one and the metrics come later: the sinks find
    the trial's row in them (see `alearn.trial.row`).
    """

    ledger: Ledger
    seconds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)


Event = (
    RoundStarted | EpochDone | ScoreProgress | Asked | RoundDone | AuditStarted | AuditDrawn | AuditStage | TrialDone
)
