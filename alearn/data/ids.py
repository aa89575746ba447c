"""The names of millions of images: bytes in files, where a tuple of strings would take a gigabyte of memory."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np

from alearn.values import Array

TEXT, ENDS, HASHES, PLACES = "ids.utf8", "ids.ends", "ids.hashes", "ids.places"

BLOCK = 1 << 14
"""Names that are decoded at a time when all are read."""


class StoredIds(Sequence[str]):
    """n different names, in files that `IdsWriter` wrote."""

    def __init__(self, folder: Path) -> None:
        """Map the files of a folder."""
        self._ends = np.memmap(folder / ENDS, np.int64, "r")
        self._text = np.memmap(folder / TEXT, np.uint8, "r")
        self._folder = folder

    def __len__(self) -> int:
        return len(self._ends)

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
        first = int(self._ends[start - 1]) if start else 0
        ends = (self._ends[start:stop] - first).tolist()
        text = self._text[first : first + ends[-1]].tobytes()
        starts = [0, *ends[:-1]]
        if text.isascii():
            names = text.decode()
            return [names[begin:end] for begin, end in zip(starts, ends, strict=True)]
        return [text[begin:end].decode() for begin, end in zip(starts, ends, strict=True)]

    def positions(self) -> Mapping[str, int]:
        """Return the position of each name."""
        return _Positions(self, self._folder)


class _Positions(Mapping[str, int]):
    """The positions of names, found by binary search among their hashes."""

    def __init__(self, ids: StoredIds, folder: Path) -> None:
        self._ids = ids
        self._hashes = np.memmap(folder / HASHES, np.uint64, "r")
        self._places = np.memmap(folder / PLACES, np.int64, "r")

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
    """Writes names to the files of a folder, some at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text: BinaryIO = (folder / TEXT).open("wb")
        self._ends: BinaryIO = (folder / ENDS).open("wb")
        self._hashes: list[Array] = []
        self._end = 0

    def add(self, names: Sequence[str]) -> None:
        """Append names."""
        coded = [name.encode() for name in names]
        ends = self._end + np.cumsum([len(name) for name in coded], dtype=np.int64)
        self._text.write(b"".join(coded))
        self._ends.write(ends.tobytes())
        self._hashes.append(np.array([_hash(name) for name in coded], np.uint64))
        if len(ends):
            self._end = int(ends[-1])

    def close(self) -> tuple[str, int, int] | None:
        """Finish the files. Return a name that occurs twice, and its positions, if there is one."""
        self._text.close()
        self._ends.close()
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


def digest(ids: Sequence[str]) -> str:
    """Return a hash of names in their order."""
    state = blake2b(digest_size=16)
    for start in range(0, len(ids), BLOCK):
        state.update("\n".join([*ids[start : start + BLOCK], ""]).encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _hash(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")
