"""Decoded images on disk, so that a file is decoded once, however it is called and however often it is used.

A folder for each data set, size and number of channels holds one array of pixels, `images.u8`, and an index, which
says of each file what was in it when (size, time of its last change), and where its pixels are or why there are none.
Pixels are on disk before the index speaks of them, so a crash at any moment loses at most the chunk that was under way.
A row is used again only while nobody reads the array: readers hold a lock.

Shape letters: n files, C channels, H height, W width.
"""

import fcntl
import hashlib
import json
import math
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from alearn.data import decode
from alearn.data.decode import NotReadError
from alearn.data.pixels import Mapping
from alearn.data.progress_bar import Bar
from alearn.errors import AlearnError
from alearn.values import Array

CHUNK = 1024
"""Files between two commits ..."""

CHUNK_BYTES = 64 << 20
"""... but no more than so many bytes of pixels: they are in memory at once."""

TABLE = "file (path TEXT PRIMARY KEY, bytes INT, mtime_ns INT, sha256 BLOB, row INT, reason TEXT) WITHOUT ROWID"


class Decoded(NamedTuple):
    """mapping: the array, None if no file could be read. rows: int64 [n], each file's row in it, -1 where it has none.
    reasons: why, by position.
    """

    mapping: Mapping | None
    rows: Array
    reasons: dict[int, str]


class _Entry(NamedTuple):
    """What is known of a file: `stamp` is (bytes, mtime_ns) when it was read. Either row or reason is None."""

    stamp: tuple[int, int] | None
    sha256: bytes | None
    row: int | None
    reason: str | None


def load(cache: Path, root: Path, ids: Sequence[str], size: int, channels: int) -> Decoded:
    """The images of some files below root, decoded now if they are not yet, in parallel, with a bar.

    ids: paths relative to root. size: pixels a side. Files that have not changed since (bytes, mtime) are not read;
    those with known content are not decoded. Files with the same content have the same row. Another process that does
    the same is waited for. Raises AlearnError if `cache` cannot be written or is full.
    """
    root = root.resolve()
    key = json.dumps([os.fsdecode(root), size, channels, decode.VERSION])
    folder = cache.expanduser() / "decoded" / hashlib.sha256(os.fsencode(key)).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=1)
        except Timeout:
            print(f"{root}: waiting for another process that decodes its images", file=sys.stderr, flush=True)
            lock.acquire()
        try:
            return _Store(folder, root, (channels, size, size)).load(ids)
        finally:
            lock.release()
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise AlearnError(
            f"data.cache={cache}: decoded images cannot be kept there ({why}); make room there, or give another folder"
        ) from None


class _Readers:
    """Who reads the array, as a lock that all of them share until this object goes."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def alone(self) -> bool:
        """Whether there is none, and will be none before `share`."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Be one of them."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def __del__(self) -> None:
        os.close(self._file)


class _Store:
    """One folder of the cache, while its lock is held."""

    def __init__(self, folder: Path, root: Path, row: tuple[int, int, int]) -> None:
        """row: (C, H, W)."""
        self._root, self._row, self._stride = root, row, math.prod(row)
        self._array, self._index = folder / "images.u8", folder / "index.sqlite"
        self._readers = _Readers(folder / "readers")
        self._row_of = dict[bytes, int]()  # by the SHA-256 of files' contents

    def load(self, ids: Sequence[str]) -> Decoded:
        """See the function."""
        file = os.open(self._array, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with closing(self._opened()) as index:
                found = self._update(index, file, ids)
        finally:
            os.close(file)
        self._readers.share()
        rows = np.array([-1 if found[name].row is None else found[name].row for name in ids], np.int64)
        reasons = {at: found[name].reason or "" for at, name in enumerate(ids) if found[name].row is None}
        some = len(reasons) < len(ids)
        return Decoded(Mapping(self._array, self._row, self._readers) if some else None, rows, reasons)

    def _opened(self) -> sqlite3.Connection:
        """The index; an empty one if there is none, or none that can be read."""
        index = sqlite3.connect(self._index)
        try:
            index.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")
            index.execute("SELECT count(reason) FROM file").fetchone()
        except sqlite3.OperationalError:  # full, or not writable
            index.close()
            raise
        except sqlite3.DatabaseError:
            index.close()
            self._index.unlink()
            return self._opened()
        return index

    def _update(self, index: sqlite3.Connection, file: int, ids: Sequence[str]) -> dict[str, _Entry]:
        """Decode what is new and forget files that went; returns the entry of each id."""
        there = os.fstat(file).st_size // self._stride
        known = {
            path: _Entry((size, mtime), sha256, row, reason)
            for path, size, mtime, sha256, row, reason in index.execute("SELECT * FROM file")
            if row is None or row < there
        }
        for entry in known.values():
            if entry.sha256 is not None and entry.row is not None:
                self._row_of[entry.sha256] = entry.row
        rows = self._unused(there)
        found = {name: known[name] for name in ids if name in known and known[name].stamp == self._stamp(name)}
        new = [name for name in dict.fromkeys(ids) if name not in found]
        step = max(1, min(CHUNK, CHUNK_BYTES // self._stride))
        with ThreadPoolExecutor() as threads, Bar(len(new)) as bar:  # Pillow and SHA-256 work outside of Python's lock
            for start in range(0, len(new), step):
                chunk = new[start : start + step]
                for name, (entry, pixels) in zip(chunk, threads.map(self._read, chunk), strict=True):
                    if entry.sha256 is not None and entry.reason is None:
                        if pixels is not None and entry.sha256 not in self._row_of:
                            self._row_of[entry.sha256] = next(rows)
                            _write(file, pixels, self._row_of[entry.sha256] * self._stride)
                        entry = entry._replace(row=self._row_of[entry.sha256])
                    found[name] = entry
                os.fsync(file)
                keep = [(name, *one.stamp, *one[1:]) for name in chunk if (one := found[name]).stamp and one.sha256]
                index.executemany("REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", keep)
                index.commit()
                bar.advance(len(chunk))
        gone = [(name,) for name in known.keys() - found.keys() if not os.path.lexists(self._root / name)]
        index.executemany("DELETE FROM file WHERE path = ?", gone)
        index.commit()
        return found

    def _unused(self, there: int) -> Iterator[int]:
        """Rows to write to: those of files that went, if nobody reads them any more, then new ones."""
        used = set(self._row_of.values())
        if self._readers.alone():
            yield from (row for row in range(there) if row not in used)
        yield from count(there)

    def _read(self, name: str) -> tuple[_Entry, Array | None]:
        """What is in a file now, and its pixels if its content is new. Without a SHA-256 it is not worth keeping."""
        path, stamp, sha256 = self._root / name, self._stamp(name), None
        try:
            data = decode.content(path)
            sha256 = hashlib.sha256(data).digest()
            decode.form(data, path)
            known = sha256 in self._row_of
            pixels = None if known else decode.pixels(data, path, self._row[1:], self._row[0])
        except NotReadError as error:
            lasting = not isinstance(error.__cause__, MemoryError)
            return _Entry(stamp, sha256 if lasting else None, None, error.reason), None
        return _Entry(stamp, sha256, None, None), pixels

    def _stamp(self, name: str) -> tuple[int, int] | None:
        """Changes with the file's content. It is taken before the file is read: a change in between shows later."""
        try:
            found = os.stat(self._root / name)
        except (OSError, ValueError):
            return None
        return found.st_size, found.st_mtime_ns


def _write(file: int, pixels: Array, offset: int) -> None:
    """All of it: a disk that gets full takes a part first."""
    left = memoryview(pixels.tobytes())
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written
