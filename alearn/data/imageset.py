"""The type of all data sets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from alearn.data.file_store import Place
from alearn.data.on_demand import OnDemand, Unseen
from alearn.data.pixels import Mapped
from alearn.values import Array, Images


@dataclass(frozen=True)
class ImageSet:
    """N images.

    Attributes:
        images: uint8 [N, C, H, W]; H and W are 0 if only the features are known.
        ids: N names, stable across runs: the path of a file, or the number that the data set gives to the image.
        classes: The names of the classes, by number. If people may add classes, a list that grows.
        truth: int64 [N], the true classes; None if unknown. Only an oracle and the measuring code may read them.
        given: int64 [N], labels that exist already and cost nothing, -1 where there is none; None if there are none.
        root: If the ids are files, the folder or other place that they are relative to.
        skipped: The files that were left out, and why: (id, "is empty (0 bytes)").
        features: float16 [N, F], what the model gets in place of the pixels; None if it gets the pixels.
    """

    images: Images
    ids: Sequence[str]
    classes: Sequence[str]
    truth: Array | None
    given: Array | None = None
    root: Path | Place | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    features: Images | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4:
            raise ValueError(f"images must be uint8 [N, C, H, W], got {self.images.dtype} {shape}")
        if self.features is not None and (self.features.dtype != torch.float16 or len(self.features.shape) != 2):
            raise ValueError(f"features must be float16 [N, F], got {self.features.dtype} {tuple(self.features.shape)}")
        if len(self.ids) != len(self) or any(
            x is not None and len(x) != len(self) for x in (self.truth, self.given, self.features)
        ):
            raise ValueError(
                f"{len(self)} images need as many ids, truths, given labels and features, got {len(self.ids)} ids"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def visible(self) -> bool:
        """Whether there are pictures for people. There are none if only features are known."""
        return self.images.shape[-1] > 0

    @property
    def inputs(self) -> Images:
        """What the model gets: the features if there are any, otherwise the pixels."""
        return self.images if self.features is None else self.features

    def to(self, device: torch.device) -> Self:
        """Return the same set with its inputs on a device. If these are features, the pixels stay where they are."""
        if self.features is None:
            return replace(self, images=self.images.to(device))
        return replace(self, features=self.features.to(device))

    def subset(self, index: Array) -> Self:
        """Return the images of `index` (int64 [n]), in that order, with their ids. Images on disk are not copied."""
        return replace(
            self,
            images=_taken(self.images, index),
            ids=tuple(self.ids[i] for i in index),
            truth=None if self.truth is None else self.truth[index],
            given=None if self.given is None else self.given[index],
            features=None if self.features is None else _taken(self.features, index),
        )

    def sample(self, count: int, generator: np.random.Generator) -> Self:
        """Return a uniform random subset of `count` images, in the original order."""
        return self.subset(np.sort(generator.choice(len(self), count, replace=False)))


def _taken(images: Images, index: Array) -> Images:
    if isinstance(images, Mapped | OnDemand | Unseen):
        return images.take(index)
    return images[torch.from_numpy(index).to(images.device)]
