"""Images that are decoded whenever somebody looks at them, so that none of them takes memory or room on disk.

And images that nobody can see, because only their features are known.

Shape letters: N images, n some of them, C channels, H height, W width.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from torch import Tensor

from alearn.data import decode
from alearn.data.decode import Where
from alearn.data.file_store import Place
from alearn.errors import AlearnError
from alearn.values import Array


class OnDemand:
    """N image files as `alearn.values.Images`, for people who look at a few of them. They stay on the CPU."""

    dtype = torch.uint8
    device = torch.device("cpu")

    def __init__(self, files: Sequence[Where], shape: tuple[int, int, int]) -> None:
        """shape: (C, H, W), of the pixels of every image."""
        self._files = files
        self._image = shape

    @property
    def shape(self) -> Sequence[int]:
        """[N, C, H, W]."""
        return (len(self), *self._image)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Decode the images of an index (int64 [n]) in threads, uint8 [n, C, H, W].

        A file that cannot be read any more gives a white image: a picture for people is no reason to end a trial.
        """
        with ThreadPoolExecutor() as threads:
            images = list(threads.map(self._decoded, index.tolist()))
        return torch.from_numpy(np.stack(images)) if images else torch.empty((0, *self._image), dtype=torch.uint8)

    def take(self, index: Array) -> Self:
        """Return the images of an index (int64 [n]) in that order, without decoding them."""
        return type(self)([self._files[at] for at in index], self._image)

    def to(self, device: torch.device) -> Self:
        """Return the same images, on the CPU."""
        return self

    def _decoded(self, at: int) -> Array:
        channels, *size = self._image
        try:
            return decode.decoded(self._files[at], (size[0], size[1]), channels)
        except AlearnError:
            return np.full(self._image, 255, np.uint8)


class Located(Sequence[Where]):
    """The images of some names in a place. None is looked for before it is asked for."""

    def __init__(self, place: Path | Place, ids: Sequence[str]) -> None:
        self._place = place
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> Where: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Where]: ...
    def __getitem__(self, at: int | slice) -> Where | Sequence[Where]:
        if isinstance(at, slice):
            return [self._place / name for name in self._ids[at]]
        return self._place / self._ids[at]


class Unseen:
    """N images of which only the features are known, as `alearn.values.Images` without pixels."""

    dtype = torch.uint8
    device = torch.device("cpu")

    def __init__(self, total: int) -> None:
        self._total = total

    @property
    def shape(self) -> Sequence[int]:
        """[N, 3, 0, 0]."""
        return self._total, 3, 0, 0

    def __len__(self) -> int:
        return self._total

    def __getitem__(self, index: Tensor) -> Tensor:
        """Return images without pixels, uint8 [n, 3, 0, 0]."""
        return torch.empty((len(index), 3, 0, 0), dtype=torch.uint8)

    def take(self, index: Array) -> Self:
        """Return the images of an index (int64 [n])."""
        return type(self)(len(index))

    def to(self, device: torch.device) -> Self:
        """Return the same images."""
        return self
