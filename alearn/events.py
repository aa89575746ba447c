"""The values that the steps hand on, and the events in which a trial reports: frozen, nothing but data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor, nn

    from alearn.ledger import Ledger

Array = npt.NDArray[Any]


class Images(Protocol):
    """N images as uint8 [N, C, H, W], wherever they lie: a tensor is one, `alearn.data.pixels.Mapped` is another."""

    @property
    def shape(self) -> Sequence[int]:
        """[N, C, H, W]."""

    @property
    def dtype(self) -> torch.dtype:
        """torch.uint8."""

    @property
    def device(self) -> torch.device:
        """Where images come to when they are asked for, and where the index must lie."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images of an index, int64 [n], as a tensor [n, C, H, W]."""

    def to(self, device: torch.device) -> Images:
        """The same on a device, as far as it has room."""


@dataclass(frozen=True)
class Scores:
    """What a model makes of n images. Arrays of length n; indices mean the whole data set, always.

    index: int64, ascending. guess: int64, the most probable class. doubt: float32, log(1 - p_max), computed from fp32
    logits so that 0.999999 is told from 1. margin: float32, p_1st - p_2nd.

    What only some query strategies need (`alearn.decide.query.NEEDS`) is None unless it was asked for. The tensors are
    float32 and lie where the model does. probs: [n, K], of every class. features: [n, F], what enters the head.
    labeled_features: [m, F], the same of images that are hand labeled. information: float32 [n], the mutual information
    of prediction and weights in nats.
    """

    index: Array
    guess: Array
    doubt: Array
    margin: Array
    probs: Tensor | None = None
    features: Tensor | None = None
    labeled_features: Tensor | None = None
    information: Array | None = None

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Decision:
    """What a round does with the pool: `hand` goes to the human in this order, `auto` takes `auto_label`. int64,
    disjoint.
    """

    hand: Array
    auto: Array
    auto_label: Array


@dataclass(frozen=True)
class Fitted:
    """A trained model and how its training went.

    loss: mean training loss of the last epoch. val_accuracy: of the weights that were kept, None without validation.
    samples: training images seen over all epochs. curve: a row (epoch, loss, val_accuracy) an epoch.
    """

    model: nn.Module
    epochs: int
    steps: int
    samples: int
    loss: float
    val_accuracy: float | None
    curve: tuple[tuple[int, float, float | None], ...]


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

    digest: SHA-256 of all that, see `alearn.decide.audit.commitment`. expected: hand labels in all, an estimate.
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
    the trial's row in them (see `alearn.record.row`).
    """

    ledger: Ledger
    seconds: dict[str, float]
    metrics: dict[str, Any] = field(default_factory=dict)


Event = (
    RoundStarted | EpochDone | ScoreProgress | Asked | RoundDone | AuditStarted | AuditDrawn | AuditStage | TrialDone
)
