"""Images that lie on disk: mapped into memory, and in it only while they are looked at.

Shape letters: N images, B batch, R rows of the array on disk, C channels, H height, W width.
"""

import math
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from alearn.values import Array, Images

ROOM = 0.6
"""Share of the GPU's free memory that images may take; the rest is for training."""

KEPT = 8 << 20
"""Bytes that are delivered until the system may forget the pages that they came from. They are clean and stay in its
cache, but while they are mapped they count as this process's memory; and with each page Linux maps those around it.
"""

COPIED = 64 << 20
"""Bytes that go to the GPU at a time."""


class Mapping:
    """An array of rows in a file, uint8 [R, C, H, W], read only. Rows that are not touched cost no memory.

    held: whatever must live as long as rows are read, for example a lock.
    """

    def __init__(self, path: Path, row: tuple[int, int, int], held: object = None) -> None:
        """row: (C, H, W). The file holds at least one row; a last one that is not whole is left out."""
        self._held, self._delivered = held, 0
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        total = len(self._map) // math.prod(row)
        self.array: Array = np.frombuffer(self._map, np.uint8, total * math.prod(row)).reshape(total, *row)

    def copy(self, rows: Array, out: Array) -> None:
        """Copy some rows, int64 [B], to an array of their shape; then forget them, now and then."""
        np.take(self.array, rows, axis=0, out=out, mode="clip")  # "raise" would copy twice; rows are ours and there
        self._delivered += out.nbytes
        if self._delivered >= KEPT:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._delivered = 0


class Mapped:
    """Some rows of a mapping, in an order, as `alearn.journal.Images`. They come as batches on a device."""

    dtype = torch.uint8

    def __init__(self, mapping: Mapping, rows: Array, device: torch.device | None = None) -> None:
        """rows: int64 [N], of the mapping's array; each is there."""
        self._mapping, self._rows, self.device = mapping, rows, device or torch.device("cpu")

    @property
    def shape(self) -> Sequence[int]:
        """[N, C, H, W]."""
        return (len(self._rows), *self._mapping.array.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images of an index, int64 [B], as a new tensor [B, C, H, W] on the device. It waits for the index if
        that lies on a GPU, and not for the copy.
        """
        pinned = self.device.type == "cuda"
        rows = self._rows[index.cpu().numpy()]
        found = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        self._mapping.copy(rows, found.numpy())
        return found.to(self.device, non_blocking=True)

    def take(self, index: Array) -> Self:
        """The images of an index, int64 [n], in that order; none is copied."""
        return type(self)(self._mapping, self._rows[index], self.device)

    def tensor(self, device: torch.device) -> Tensor:
        """All of them, copied to a device."""
        found = torch.empty(tuple(self.shape), dtype=torch.uint8, device=device)
        if not len(self):
            return found
        step = max(1, COPIED // math.prod(self.shape[1:]))
        here = type(self)(self._mapping, self._rows, device)
        for start in range(0, len(self), step):
            found[start : start + step] = here[torch.arange(start, min(start + step, len(self)))]
        return found

    def to(self, device: torch.device) -> Images:
        """A tensor on a GPU that has ROOM for it; else these rows, which come to the device batch by batch."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if math.prod(self.shape) <= ROOM * free:
                return self.tensor(device)
        return type(self)(self._mapping, self._rows, device)
