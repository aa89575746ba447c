"""Keep a row for each image on disk, so that it is computed only once, whatever its name and however often it is used.

A row is the pixels of an image, uint8 [C, H, W], or the features that an extractor makes of them, float16 [F]. Each
source of images, with its size and channels and with the key of the extractor, has a folder. The folder holds one array
of rows, and an index. For each image, the index records the size and the time of the last change of its file, the hash
of its content, and either its row or the reason why it has none. Rows are on disk before the index refers to them, so a
crash at any moment loses at most the chunk that was being computed and the one that was being read. A row is reused
only while nobody reads the array: readers hold a lock.

Shape letters: n images, C channels, H height, W width, F features.
"""

import fcntl
import hashlib
import json
import math
import os
import sqlite3
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from alearn.data.pixels import Mapped, Mapping
from alearn.data.progress_bar import Bar
from alearn.data.row_source import Entry, Source, read_ahead
from alearn.errors import AlearnError
from alearn.values import Array, Extractor, Images

CHUNK = 1024
"""The most images whose rows are computed between two commits of the index."""

CHUNK_BYTES = 64 << 20
"""The most bytes of pixels of a chunk. Two chunks are in memory at the same time: threads read one of them while the
rows of the other are computed and written.
"""

IN_MEMORY = 256 << 20
"""A set of at least this many bytes of rows stays on disk. A smaller set becomes a tensor."""

INDEX, FEATURES = "index.sqlite", "features.f16"

TABLE = "file (path TEXT PRIMARY KEY, bytes INT, mtime_ns INT, sha256 BLOB, row INT, reason TEXT) WITHOUT ROWID"


class Rows(NamedTuple):
    """The rows of the n images of a source.

    mapping: the array, None if no image could be read. rows: int64 [n], the row of each image in the array, -1 if it
    has none. reasons: for each image without a row, the reason, by its position. none: no row, [0, *row].
    """

    mapping: Mapping | None
    rows: Array
    reasons: dict[int, str]
    none: Tensor

    def images(self, rows: Array) -> Images:
        """Return some rows (int64 [m], none of them -1) as images: as a tensor if they are few, else on disk."""
        if self.mapping is None or not len(rows):
            return self.none
        mapped = Mapped(self.mapping, rows)
        return mapped.tensor(mapped.device) if mapped.nbytes < IN_MEMORY else mapped


def load(cache: Path, source: Source, extractor: Extractor | None = None, key: str = "data.cache") -> Rows:
    """Return the rows of the images of a source. Compute those that are new, and show a progress bar.

    A file whose size and time of change are unchanged is not read. An image whose content is known is not computed.
    Images with the same content have the same row. If another process computes rows of the same folder, wait for it.

    Args:
        cache: The folder for the folders of all sources.
        source: The images.
        extractor: What makes features of pixels. If None, the rows are the pixels.
        key: What sets `cache`, for messages.

    Raises:
        AlearnError: `cache` cannot be written or is full.
    """
    place = folder(cache, source, extractor)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / ".lock")
        try:
            lock.acquire(timeout=1)
        except Timeout:
            print(f"{source.key[0]}: waiting for another process that reads its images", file=sys.stderr, flush=True)
            lock.acquire()
        try:
            return _Store(place, source, extractor).load()
        finally:
            lock.release()
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        what = "decoded images" if extractor is None else "features"
        raise AlearnError(
            f"{key}={cache}: {what} cannot be kept there ({why}); make room there, or give another folder"
        ) from None


def folder(cache: Path, source: Source, extractor: Extractor | None) -> Path:
    """Return where `load` keeps the rows of a source."""
    kind = "decoded" if extractor is None else "features"
    parts = [*source.key] if extractor is None else [*source.key, extractor.key]
    return cache.expanduser() / kind / hashlib.sha256(os.fsencode(json.dumps(parts))).hexdigest()[:16]


def kept(folder: Path) -> dict[str, Entry]:
    """Return what the index of a folder has, by name; nothing if there is no index or it is damaged."""
    if not (folder / INDEX).exists():
        return {}
    try:
        with closing(sqlite3.connect(folder / INDEX)) as index:
            return {
                path: Entry((size, mtime), *rest) for path, size, mtime, *rest in index.execute("SELECT * FROM file")
            }
    except sqlite3.DatabaseError:
        return {}


class _Readers:
    """The readers of the array: a lock that all of them share. This object holds it until it is deleted."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def alone(self) -> bool:
        """Return whether there is no reader. If so, there will be none before `share` is called."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Become a reader."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def __del__(self) -> None:
        os.close(self._file)


class _Store:
    """The folder of a source, while its lock is held."""

    def __init__(self, folder: Path, source: Source, extractor: Extractor | None) -> None:
        self._source = source
        self._extractor = extractor
        self._row: tuple[int, ...] = source.shape if extractor is None else (extractor.width,)
        self._dtype = np.dtype(np.uint8 if extractor is None else np.float16)
        self._stride = math.prod(self._row) * self._dtype.itemsize
        self._array = folder / ("images.u8" if extractor is None else FEATURES)
        self._index = folder / INDEX
        self._readers = _Readers(folder / "readers")
        self._row_of = dict[bytes, int]()  # by the SHA-256 of the content

    def load(self) -> Rows:
        """Return the rows of the source, as the function `load` does."""
        file = os.open(self._array, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with closing(self._opened()) as index:
                entries = self._update(index, file)
        finally:
            os.close(file)
        self._readers.share()
        names = self._source.names
        rows = np.array([-1 if entries[name].row is None else entries[name].row for name in names], np.int64)
        reasons = {at: entries[name].reason or "" for at, name in enumerate(names) if entries[name].row is None}
        some = len(reasons) < len(names)
        mapping = Mapping(self._array, self._row, self._dtype, self._readers) if some else None
        return Rows(mapping, rows, reasons, torch.from_numpy(np.empty((0, *self._row), self._dtype)))

    def _opened(self) -> sqlite3.Connection:
        """Open the index. If it is missing or damaged, create an empty one."""
        index = sqlite3.connect(self._index)
        try:
            index.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")
            index.execute("SELECT count(reason) FROM file").fetchone()
        except sqlite3.OperationalError:  # the disk is full, or the file is not writable
            index.close()
            raise
        except sqlite3.DatabaseError:
            index.close()
            self._index.unlink()
            return self._opened()
        return index

    def _update(self, index: sqlite3.Connection, file: int) -> dict[str, Entry]:
        """Compute the new rows, forget what is gone, and return the entry of each name."""
        source = self._source
        there = os.fstat(file).st_size // self._stride
        known = {
            path: Entry((size, mtime), sha256, row, reason)
            for path, size, mtime, sha256, row, reason in index.execute("SELECT * FROM file")
            if row is None or row < there
        }
        for entry in known.values():
            if entry.sha256 is not None and entry.row is not None:
                self._row_of[entry.sha256] = entry.row
        free = self._unused(there)
        entries = {
            name: known[name] for name in source.names if name in known and known[name].stamp == source.stamp(name)
        }
        new = [name for name in dict.fromkeys(source.names) if name not in entries]
        with (
            Bar(len(new), "decoding" if self._extractor is None else "features") as bar,
            closing(self._read(new)) as chunks,
        ):
            for read in chunks:
                entries |= self._written(read, file, free)
                os.fsync(file)
                kept = ((name, entries[name]) for name in read)
                lines = [(name, *entry.stamp, *entry[1:]) for name, entry in kept if entry.stamp and entry.sha256]
                index.executemany("REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", lines)
                index.commit()
                bar.advance(len(read))
                read.clear()  # free the pixels before the next chunk is taken
        gone = [(name,) for name in known.keys() - entries.keys() if source.gone(name)]
        index.executemany("DELETE FROM file WHERE path = ?", gone)
        index.commit()
        return entries

    def _read(self, names: Sequence[str]) -> Generator[dict[str, tuple[Entry, Array | None]]]:
        """Yield what the source has, chunk by chunk, by name."""
        most = CHUNK if self._extractor is None else min(CHUNK, self._extractor.chunk)
        step = max(1, min(most, CHUNK_BYTES // math.prod(self._source.shape)))
        return read_ahead(self._source, names, step, self._row_of)

    def _written(self, read: dict[str, tuple[Entry, Array | None]], file: int, free: Iterator[int]) -> dict[str, Entry]:
        """Compute the rows of a chunk, write them to `free` rows, and return the entry of each name."""
        pixels = {
            entry.sha256: image
            for entry, image in read.values()
            if entry.sha256 is not None and image is not None and entry.sha256 not in self._row_of
        }
        if pixels:
            for sha256, values in zip(pixels, self._computed([*pixels.values()]), strict=True):
                row = next(free)
                _write(file, values, row * self._stride)
                self._row_of[sha256] = row
        return {
            name: entry._replace(row=self._row_of[entry.sha256]) if entry.sha256 and entry.reason is None else entry
            for name, (entry, _) in read.items()
        }

    def _computed(self, pixels: list[Array]) -> list[Array]:
        """Return the rows of n images, each uint8 [C, H, W]."""
        if self._extractor is None:
            return pixels
        features: Array = self._extractor(torch.from_numpy(np.stack(pixels))).numpy()
        assert features.dtype == self._dtype
        assert features.shape == (len(pixels), *self._row)
        return list(features)

    def _unused(self, there: int) -> Iterator[int]:
        """Yield rows to write to: the rows of deleted files, if there is no reader of the array, then new rows."""
        used = set(self._row_of.values())
        if self._readers.alone():
            yield from (row for row in range(there) if row not in used)
        yield from count(there)


def _write(file: int, row: Array, offset: int) -> None:
    """Write all of a row. A disk that fills up may write only some of the bytes, so write the rest again."""
    left = memoryview(row.tobytes())
    while left:
        written = os.pwrite(file, left, offset)
        left = left[written:]
        offset += written
