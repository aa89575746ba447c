"""The values that the steps of a round pass on. They are immutable and hold only data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor, nn

Array = npt.NDArray[Any]
Weights = Mapping[str, "Tensor"]
"""The state of a model by the names of its tensors, as `nn.Module.state_dict` returns it."""


class Images(Protocol):
    """N images as pixels, uint8 [N, C, H, W], or as features, float16 [N, F], wherever they are stored.

    They are, for example, a tensor or `alearn.data.pixels.Mapped`.
    """

    @property
    def shape(self) -> Sequence[int]:
        """[N, C, H, W], or [N, F]."""

    @property
    def dtype(self) -> torch.dtype:
        """torch.uint8, or torch.float16."""

    @property
    def device(self) -> torch.device:
        """The device that requested images are copied to. An index must be on it too."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, index: Tensor) -> Tensor:
        """Return the images of an index (int64 [n]) as a tensor, [n, C, H, W] or [n, F]."""

    def to(self, device: torch.device) -> Images:
        """Return the same images for a device. They are stored there if there is room."""


class Extractor(Protocol):
    """Makes features of pixels, without any training.

    Attributes:
        key: One word for everything that the features depend on. Features with another key are not used.
        width: The number of features of an image, F.
        size: The side in pixels to which files are decoded. Images in memory may have another.
        channels: The number of channels to which files are decoded, 1 or 3.
        chunk: How many images it likes to get at a time.
    """

    key: str
    width: int
    size: int
    channels: int
    chunk: int

    def __call__(self, pixels_bchw: Tensor) -> Tensor:
        """Return the features of images (uint8 [B, C, H, W], on the CPU), float16 [B, F], on the CPU.

        The features of an image must not depend on the other images.
        """


@dataclass(frozen=True)
class Scores:
    """The predictions of a model for n images.

    The last four fields are for some query strategies and auto-label rules only (`alearn.registry.Need`). They are None
    unless they were requested. The tensors are float32 and on the device of the model.

    Attributes:
        index: int64 [n], ascending, the images. Indices always refer to the whole data set.
        guess: int64 [n], the most probable class.
        doubt: float32 [n], log(1 - p_max), computed from fp32 logits so that 0.999999 differs from 1.
        margin: float32 [n], p_1st - p_2nd.
        probs: [n, K], the probabilities of all classes.
        features: [n, F], the input of the model's head.
        labeled_features: [m, F], the same for the hand labeled images.
        information: float32 [n], the mutual information of prediction and weights, in nats.
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

    def of(self, where: Array) -> Scores:
        """Return the scores of some of the images. where: bool [n]."""
        columns = ("index", "guess", "doubt", "margin", "probs", "features", "information")
        return replace(self, **{name: column[where] for name in columns if (column := getattr(self, name)) is not None})


@dataclass(frozen=True)
class Limits:
    """What an auto-label rule knows about the policy.

    These are policy.threshold, the numbers of policy.auto, and the round (1, 2, ...).
    """

    threshold: float
    entropy: float
    entropy_decay: float
    per_round: int | None
    round: int


@dataclass(frozen=True)
class Decision:
    """What a round does with the pool.

    Attributes:
        hand: int64, the images that go to the human, in this order.
        auto: int64, the images that get auto labels. None of them is in `hand`.
        auto_label: int64, the labels of `auto`.
        checked: int64, those of `hand` that check the auto-label rule.
        threshold: policy.threshold, or a higher one above which the checks trust the model.
    """

    hand: Array
    auto: Array
    auto_label: Array
    checked: Array
    threshold: float


@dataclass(frozen=True)
class Fitted:
    """A trained model and how its training went.

    Attributes:
        model: The model with the weights that were kept.
        epochs: The number of epochs.
        steps: The number of training steps in all epochs.
        samples: The number of training images seen in all epochs.
        loss: The mean training loss of the last epoch.
        val_accuracy: The validation accuracy of the weights that were kept, None without validation.
        curve: For each epoch, (epoch, loss, val_accuracy).
    """

    model: nn.Module
    epochs: int
    steps: int
    samples: int
    loss: float
    val_accuracy: float | None
    curve: tuple[tuple[int, float, float | None], ...]
