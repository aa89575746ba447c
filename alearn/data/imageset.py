"""The type of all data sets."""

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

    Attributes:
        images: uint8 [N, C, H, W].
        ids: N names, stable across runs: the path of a file, or the number that the data set gives to the image.
        classes: The names of the classes, by number. If people may add classes, a list that grows.
        truth: int64 [N], the true classes; None if unknown. Only an oracle and the measuring code may read them.
        given: int64 [N], labels that exist already and cost nothing, -1 where there is none; None if there are none.
        root: If the ids are files, the folder that they are relative to.
        skipped: The files that were left out, and why: (id, "is empty (0 bytes)").
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
        """Return the same set with its images on a device."""
        return replace(self, images=self.images.to(device))

    def subset(self, index: Array) -> Self:
        """Return the images of `index` (int64 [n]), in that order, with their ids. Images on disk are not copied."""
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
        """Return a uniform random subset of `count` images, in the original order."""
        return self.subset(np.sort(generator.choice(len(self), count, replace=False)))
