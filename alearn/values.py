"""The values that the steps of a round hand on: frozen, nothing but data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor, nn

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

    What only some query strategies and auto-label rules need (`alearn.registry.Need`) is None unless it was asked for.
    The tensors are float32 and lie where the model does. probs: [n, K], of every class. features: [n, F], what enters
    the head. labeled_features: [m, F], the same of images that are hand labeled. information: float32 [n], the mutual
    information of prediction and weights in nats.
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
class Limits:
    """What an auto-label rule knows of the policy: policy.threshold, the numbers below policy.auto, and the round
    (1, 2, ...).
    """

    threshold: float
    entropy: float
    entropy_decay: float
    per_round: int | None
    round: int


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
