"""The names of millions of images: bytes in files, where a tuple of strings would take a gigabyte of memory."""

import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, Self, overload
from weakref import finalize

import numpy as np

from alearn.values import Array

TEXT, ENDS, HASHES, PLACES = "ids.utf8", "ids.ends", "ids.hashes", "ids.places"

WIDTH = 8
"""Bytes of a number in ENDS."""

BLOCK = 1 << 14
"""Names that are decoded at a time when all are read."""


class StoredIds(Sequence[str]):
    """n different names, in files that `IdsWriter` wrote."""

    def __init__(self, folder: Path) -> None:
        """Open the files of a folder. They are read, not mapped, because mapped pages count as memory of a process."""
        self._ends, self._text = (os.open(folder / name, os.O_RDONLY) for name in (ENDS, TEXT))
        for file in (self._ends, self._text):
            finalize(self, os.close, file)
        self._folder = folder
        self._total = os.fstat(self._ends).st_size // WIDTH

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            return self._block(start, stop) if step == 1 else [self[i] for i in range(start, stop, step)]
        place = range(len(self))[at]
        return self._block(place, place + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            yield from self._block(start, min(start + BLOCK, len(self)))

    def _block(self, start: int, stop: int) -> list[str]:
        """Return the names from one position to another."""
        if stop <= start:
            return []
        before = max(0, start - 1)
        edges = np.frombuffer(os.pread(self._ends, (stop - before) * WIDTH, before * WIDTH), np.int64)
        if not start:
            edges = np.concatenate([[0], edges])
        first, *ends = edges.tolist()
        text = os.pread(self._text, ends[-1] - first, first)
        ends = [end - first for end in ends]
        starts = [0, *ends[:-1]]
        if text.isascii():
            names = text.decode()
            return [names[begin:end] for begin, end in zip(starts, ends, strict=True)]
        return [text[begin:end].decode() for begin, end in zip(starts, ends, strict=True)]

    def some(self, index: Array) -> list[str]:
        """Return the names at some positions (int64 [n]), in that order."""
        ends = np.memmap(self._folder / ENDS, np.int64, "r")  # the mapping ends with this call
        starts = np.where(index > 0, ends[index - 1], 0).tolist()
        with (self._folder / TEXT).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as text:
            return [text[start:end].decode() for start, end in zip(starts, ends[index].tolist(), strict=True)]

    def positions(self) -> Mapping[str, int]:
        """Return the position of each name."""
        return _Positions(self, self._folder)


class _Positions(Mapping[str, int]):
    """The positions of names, found by binary search among their hashes."""

    def __init__(self, ids: StoredIds, folder: Path) -> None:
        self._ids = ids
        some = len(ids) > 0  # an empty file cannot be mapped
        self._hashes: Array = np.memmap(folder / HASHES, np.uint64, "r") if some else np.empty(0, np.uint64)
        self._places: Array = np.memmap(folder / PLACES, np.int64, "r") if some else np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __getitem__(self, name: str) -> int:
        value = np.uint64(_hash(name.encode()))
        at = int(np.searchsorted(self._hashes, value))
        while at < len(self._hashes) and self._hashes[at] == value:
            place = int(self._places[at])
            if self._ids[place] == name:
                return place
            at += 1
        raise KeyError(name)


class IdsWriter:
    """Writes names to the files of a folder, some at a time. A context that closes the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text: BinaryIO = (folder / TEXT).open("wb")
        self._ends: BinaryIO = (folder / ENDS).open("wb")
        self._hashes: list[Array] = []
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._text.close()
        self._ends.close()

    def add(self, names: Sequence[str]) -> None:
        """Append names."""
        coded = [name.encode() for name in names]
        ends = self._end + np.cumsum([len(name) for name in coded], dtype=np.int64)
        self._text.write(b"".join(coded))
        self._ends.write(ends.tobytes())
        self._hashes.append(np.array([_hash(name) for name in coded], np.uint64))
        if len(ends):
            self._end = int(ends[-1])

    def finish(self) -> tuple[str, int, int] | None:
        """Write the index of all names. Return a name that occurs twice, and its positions, if there is one."""
        self._text.flush()
        self._ends.flush()
        hashes = np.concatenate([np.empty(0, np.uint64), *self._hashes])
        self._hashes.clear()
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        hashes.tofile(self._folder / HASHES)
        order.tofile(self._folder / PLACES)
        ids = StoredIds(self._folder) if len(order) else ()
        for at in np.flatnonzero(hashes[1:] == hashes[:-1]).tolist():
            first, second = sorted((int(order[at]), int(order[at + 1])))
            if ids[first] == ids[second]:
                return ids[first], first, second
        return None


def positions(ids: Sequence[str]) -> Mapping[str, int]:
    """Return the position of each name. The names must be different."""
    return ids.positions() if isinstance(ids, StoredIds) else {name: at for at, name in enumerate(ids)}


def some(ids: Sequence[str], index: Array) -> Iterator[str]:
    """Yield the names at some positions (int64 [n]), in that order."""
    for start in range(0, len(index), BLOCK):
        here = index[start : start + BLOCK]
        yield from ids.some(here) if isinstance(ids, StoredIds) else [ids[at] for at in here.tolist()]


def digest(ids: Sequence[str]) -> str:
    """Return a hash of names in their order."""
    state = blake2b(digest_size=16)
    for start in range(0, len(ids), BLOCK):
        state.update("\n".join([*ids[start : start + BLOCK], ""]).encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _hash(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")
