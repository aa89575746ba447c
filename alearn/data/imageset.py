"""The one type of a data set."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from alearn.events import Array


@dataclass(frozen=True)
class ImageSet:
    """N images, resident on one device.

    images: uint8 [N, C, H, W]. ids: N names, stable across runs (a file's path, or the data set's own number). classes:
    K names. truth: int64 [N], the true classes, or None where nobody knows them. Only an oracle and the measuring code
    may read `truth`.
    """

    images: Tensor
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    truth: Array | None

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be uint8 [N, C, H, W], got {self.images.dtype} {tuple(self.images.shape)}")
        if len(self.ids) != len(self) or (self.truth is not None and len(self.truth) != len(self)):
            raise ValueError(f"{len(self)} images need as many ids and truths, got {len(self.ids)} ids")

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Self:
        """The same set with its images on a device."""
        return replace(self, images=self.images.to(device))

    def subset(self, index: Array) -> Self:
        """The images of `index` (int64 [n]), in that order, with their own ids."""
        return replace(
            self,
            images=self.images[torch.from_numpy(index).to(self.images.device)],
            ids=tuple(self.ids[i] for i in index),
            truth=None if self.truth is None else self.truth[index],
        )

    def sample(self, count: int, generator: np.random.Generator) -> Self:
        """A uniform random subset of `count` images, in the original order."""
        return self.subset(np.sort(generator.choice(len(self), count, replace=False)))
