"""Where the rows of a store come from: files below a folder, or images in memory.

Shape letters: N images, C channels, H height, W width.
"""

import hashlib
import os
from collections.abc import Container, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from alearn.data import decode
from alearn.data.decode import NotReadError
from alearn.data.file_store import Place
from alearn.values import Array, Images

BLOCK = 4096
"""Images that are hashed at a time."""


class Entry(NamedTuple):
    """What is known about an item. stamp: (bytes, mtime_ns) when it was read. Either row or reason is None."""

    stamp: tuple[int, int] | None
    sha256: bytes | None
    row: int | None
    reason: str | None


class Source(Protocol):
    """Items with names, each of which is an image."""

    @property
    def key(self) -> Sequence[str | int]:
        """What tells this source apart from others. Sources with the same key share their rows."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the items. A name may occur several times."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The (C, H, W) of the pixels of every item."""

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Return two numbers that change with the content of an item; None if there is no such item."""

    def read(self, name: str, known: Container[bytes]) -> tuple[Entry, Array | None]:
        """Return the entry of an item as it is now, and its pixels, uint8 [C, H, W].

        The pixels are None if the SHA-256 of the content is in `known`, or if there is a reason against them. An entry
        without a SHA-256 must not be kept: the next call has to read the item again.
        """

    def gone(self, name: str) -> bool:
        """Return whether an item that was there once is there no more."""


class Files:
    """Image files below a folder or in another place, whose names are relative to it."""

    def __init__(self, root: Path | Place, names: Sequence[str], size: int, channels: int) -> None:
        """size: pixels per side. channels: 1 for grey, 3 for colour."""
        self._root = root.resolve() if isinstance(root, Path) else root
        where = os.fsdecode(self._root) if isinstance(self._root, Path) else str(self._root)
        self.key = (where, size, channels, decode.VERSION)
        self.names = names
        self.shape = (channels, size, size)

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Return size and time of change.

        Call this before reading the file: then a later stamp shows a change that happens in between.
        """
        try:
            image = self._root / name
            if not isinstance(image, Path):
                return image.stamp()
            status = os.stat(image)
        except (OSError, ValueError, KeyError):
            return None
        return status.st_size, status.st_mtime_ns

    def read(self, name: str, known: Container[bytes]) -> tuple[Entry, Array | None]:
        """Read a file, and decode it if its content is not known."""
        path = self._root / name
        stamp = self.stamp(name)
        sha256 = None
        try:
            data = decode.content(path)
            sha256 = hashlib.sha256(data).digest()
            decode.form(data, path)
            pixels = None if sha256 in known else decode.pixels(data, path, self.shape[1:], self.shape[0])
        except NotReadError as error:
            lasting = not isinstance(error.__cause__, MemoryError)
            return Entry(stamp, sha256 if lasting else None, None, error.reason), None
        return Entry(stamp, sha256, None, None), pixels

    def gone(self, name: str) -> bool:
        """Return whether there is no such file."""
        try:
            image = self._root / name
        except KeyError:
            return True
        return isinstance(image, Path) and not os.path.lexists(image)


class InMemory:
    """N images in memory. The name of an image is the SHA-256 of its pixels, so its content never changes."""

    def __init__(self, images: Images) -> None:
        """images: uint8 [N, C, H, W], on the CPU."""
        channels, height, width = images.shape[1:]
        self._images = images
        self.shape = (channels, height, width)
        self.key = ("images in memory", *self.shape)
        self.names = [
            hashlib.sha256(image.numpy()).hexdigest()
            for index in torch.split(torch.arange(len(images)), BLOCK)
            for image in images[index].contiguous()
        ]
        self._place = {name: place for place, name in enumerate(self.names)}

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Return the same for all images, because another content has another name."""
        return 0, 0

    def read(self, name: str, known: Container[bytes]) -> tuple[Entry, Array | None]:
        """Return the pixels of an image if it is not known."""
        sha256 = bytes.fromhex(name)
        pixels = None if sha256 in known else self._images[torch.tensor([self._place[name]])][0].numpy()
        return Entry((0, 0), sha256, None, None), pixels

    def gone(self, name: str) -> bool:
        """Return False: an image that this array lacks may be in another one."""
        return False


def read_ahead(
    source: Source, names: Sequence[str], step: int, known: Container[bytes] = ()
) -> Generator[dict[str, tuple[Entry, Array | None]]]:
    """Yield what a source has, by name, `step` items at a time. Threads read some while the caller uses others."""
    threads = ThreadPoolExecutor()  # Pillow and SHA-256 release Python's lock
    try:
        before: tuple[Sequence[str], Iterator[tuple[Entry, Array | None]]] | None = None
        for start in range(0, len(names), step):
            chunk = names[start : start + step]
            reading = chunk, threads.map(lambda name: source.read(name, known), chunk)
            if before is not None:
                yield dict(zip(*before, strict=True))
            before = reading
        if before is not None:
            yield dict(zip(*before, strict=True))
    finally:
        threads.shutdown(cancel_futures=True)
