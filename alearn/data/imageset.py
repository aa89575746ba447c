"""The one type of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from alearn.data.pixels import Mapped
from alearn.values import Array, Images


@dataclass(frozen=True)
class ImageSet:
    """N images.

    ids: N names, stable across runs (a file's path, or the data set's own number). classes: names of the classes by
    number; where people may add some, a list that grows. truth: int64 [N], the true classes, or None where nobody knows
    them. Only an oracle and the measuring code may read `truth`. given: int64 [N], labels that are there already and
    cost nothing, -1 where there is none; None where there are none at all. root: the folder in which the ids are files,
    if they are. skipped: the files that are no members, and why: (id, "is empty (0 bytes)").
    """

    images: Images
    ids: tuple[str, ...]
    classes: Sequence[str]
    truth: Array | None
    given: Array | None = None
    root: Path | None = None
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4:
            raise ValueError(f"images must be uint8 [N, C, H, W], got {self.images.dtype} {shape}")
        if len(self.ids) != len(self) or any(x is not None and len(x) != len(self) for x in (self.truth, self.given)):
            raise ValueError(f"{len(self)} images need as many ids, truths and given labels, got {len(self.ids)} ids")

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Self:
        """The same set with its images on a device."""
        return replace(self, images=self.images.to(device))

    def subset(self, index: Array) -> Self:
        """The images of `index` (int64 [n]), in that order, with their own ids. What lies on disk is not copied."""
        images = self.images
        return replace(
            self,
            images=images.take(index)
            if isinstance(images, Mapped)
            else images[torch.from_numpy(index).to(images.device)],
            ids=tuple(self.ids[i] for i in index),
            truth=None if self.truth is None else self.truth[index],
            given=None if self.given is None else self.given[index],
        )

    def sample(self, count: int, generator: np.random.Generator) -> Self:
        """A uniform random subset of `count` images, in the original order."""
        return self.subset(np.sort(generator.choice(len(self), count, replace=False)))
