"""Images on disk, as pixels or as features: mapped into memory, and only in memory while they are read.

Shape letters: N images, B batch, R rows of the array on disk. A row is [C, H, W] or [F]: C channels, H height, W width,
F features.
"""

import math
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from alearn.values import Array, Images

ROOM = 0.6
"""Share of the free GPU memory that images may take. The rest is for training."""

KEPT = 8 << 20
"""After this many bytes are mapped, the system may drop their pages. The pages are clean and stay in the system's
cache. But while they are mapped, they count as memory of this process.
"""

AROUND = 64 << 10
"""Bytes that Linux maps when one of them is read."""

TAKEN = 1 << 10
"""Rows that are copied before pages are dropped; if they lie far apart, each of them maps AROUND bytes."""

COPIED = 64 << 20
"""Bytes that are copied to the GPU at a time."""


class Mapping:
    """An array of rows in a file, [R, *row], read only. Rows that nobody reads take no memory."""

    def __init__(self, path: Path, row: Sequence[int], dtype: npt.DTypeLike = np.uint8, held: object = None) -> None:
        """Map a file that holds at least one row. A partial row at its end is ignored.

        Args:
            path: The file.
            row: The shape of a row.
            dtype: The type of its numbers.
            held: An object that must live as long as the mapping, for example a lock.
        """
        self._held = held
        self._mapped = 0
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        total = len(self._map) // (math.prod(row) * np.dtype(dtype).itemsize)
        self.array: Array = np.frombuffer(self._map, dtype, total * math.prod(row)).reshape(total, *row)

    def copy(self, rows: Array, out: Array) -> None:
        """Copy some rows (int64 [B]) to `out`, [B, *row]. Drop the pages once KEPT bytes are mapped."""
        stride = math.prod(self.array.shape[1:]) * self.array.itemsize
        for start in range(0, len(rows), TAKEN):
            some = slice(start, start + TAKEN)
            np.take(self.array, rows[some], axis=0, out=out[some], mode="clip")  # "raise" would copy twice
            self._mapped += out[some].nbytes + len(np.unique(rows[some] * stride // AROUND)) * AROUND
            if self._mapped >= KEPT:
                self._map.madvise(mmap.MADV_DONTNEED)
                self._mapped = 0


class Mapped:
    """Some rows of a mapping, in any order, as `alearn.values.Images`. Batches of them are copied to a device."""

    def __init__(self, mapping: Mapping, rows: Array, device: torch.device | None = None) -> None:
        """rows: int32 or int64 [N], existing rows of the array of the mapping."""
        self._mapping = mapping
        self._rows = rows
        self.device = device or torch.device("cpu")
        self.dtype = torch.from_numpy(np.empty(0, mapping.array.dtype)).dtype

    @property
    def shape(self) -> Sequence[int]:
        """[N, *row]."""
        return (len(self._rows), *self._mapping.array.shape[1:])

    @property
    def nbytes(self) -> int:
        """The bytes of all images together."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Return the images of an index (int64 [B]) as a new tensor on the device, [B, *row].

        If the index is on a GPU, wait for it. Do not wait for the copy.
        """
        pinned = self.device.type == "cuda"
        rows = self._rows[index.cpu().numpy()].astype(np.int64)
        batch = torch.empty((len(rows), *self.shape[1:]), dtype=self.dtype, pin_memory=pinned)
        self._mapping.copy(rows, batch.numpy())
        return batch.to(self.device, non_blocking=True)

    def take(self, index: Array) -> Self:
        """Return the images of an index (int64 [n]) in that order, without copying them."""
        return type(self)(self._mapping, self._rows[index], self.device)

    def tensor(self, device: torch.device) -> Tensor:
        """Copy all images to a device, [N, *row]."""
        tensor = torch.empty(tuple(self.shape), dtype=self.dtype, device=device)
        if not len(self):
            return tensor
        step = max(1, COPIED * len(self) // self.nbytes)
        here = type(self)(self._mapping, self._rows, device)
        for start in range(0, len(self), step):
            tensor[start : start + step] = here[torch.arange(start, min(start + step, len(self)))]
        return tensor

    def to(self, device: torch.device) -> Images:
        """Return a tensor if the device is a GPU with ROOM for it, else rows that are copied there batch by batch."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.nbytes <= ROOM * free:
                return self.tensor(device)
        return type(self)(self._mapping, self._rows, device)
