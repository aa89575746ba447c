"""Keep decoded images on disk, so that a file is decoded only once, whatever its name and however often it is used.

Each data set, image size and number of channels has a folder. The folder holds one array of pixels, `images.u8`, and an
index. For each file, the index records its size, the time of its last change, the hash of its content, and either the
row of its pixels or the reason why it has none. Pixels are on disk before the index refers to them, so a crash at any
moment loses at most the chunk that was being decoded. A row is reused only while nobody reads the array: readers hold a
lock.

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
"""The most files that are decoded between two commits of the index."""

CHUNK_BYTES = 64 << 20
"""The most bytes of pixels that are decoded between two commits. They are in memory at the same time."""

TABLE = "file (path TEXT PRIMARY KEY, bytes INT, mtime_ns INT, sha256 BLOB, row INT, reason TEXT) WITHOUT ROWID"


class Decoded(NamedTuple):
    """The decoded images of n files.

    mapping: the array, None if no file could be read. rows: int64 [n], the row of each file in the array, -1 if it has
    none. reasons: for each file without a row, the reason, by its position.
    """

    mapping: Mapping | None
    rows: Array
    reasons: dict[int, str]


class _Entry(NamedTuple):
    """What is known about a file. stamp: (bytes, mtime_ns) when it was read. Either row or reason is None."""

    stamp: tuple[int, int] | None
    sha256: bytes | None
    row: int | None
    reason: str | None


def load(cache: Path, root: Path, ids: Sequence[str], size: int, channels: int) -> Decoded:
    """Return the images of some files below root. Decode those that are new, in parallel, and show a progress bar.

    A file whose size and time of change are unchanged is not read. A file whose content is known is not decoded. Files
    with the same content have the same row. If another process decodes images of the same folder, wait for it.

    Args:
        cache: The folder for decoded images.
        root: The folder of the files.
        ids: Paths relative to root.
        size: Pixels per side.
        channels: 1 for grey, 3 for colour.

    Raises:
        AlearnError: `cache` cannot be written or is full.
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
    """A folder of the cache, while its lock is held."""

    def __init__(self, folder: Path, root: Path, row: tuple[int, int, int]) -> None:
        """row: (C, H, W)."""
        self._root = root
        self._row = row
        self._stride = math.prod(row)
        self._array = folder / "images.u8"
        self._index = folder / "index.sqlite"
        self._readers = _Readers(folder / "readers")
        self._row_of = dict[bytes, int]()  # by the SHA-256 of the content

    def load(self, ids: Sequence[str]) -> Decoded:
        """Return the images of the files `ids`, as the function `load` does."""
        file = os.open(self._array, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with closing(self._opened()) as index:
                entries = self._update(index, file, ids)
        finally:
            os.close(file)
        self._readers.share()
        rows = np.array([-1 if entries[name].row is None else entries[name].row for name in ids], np.int64)
        reasons = {at: entries[name].reason or "" for at, name in enumerate(ids) if entries[name].row is None}
        some = len(reasons) < len(ids)
        return Decoded(Mapping(self._array, self._row, self._readers) if some else None, rows, reasons)

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

    def _update(self, index: sqlite3.Connection, file: int, ids: Sequence[str]) -> dict[str, _Entry]:
        """Decode the new files, forget the deleted ones, and return the entry of each id."""
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
        entries = {name: known[name] for name in ids if name in known and known[name].stamp == self._stamp(name)}
        new = [name for name in dict.fromkeys(ids) if name not in entries]
        step = max(1, min(CHUNK, CHUNK_BYTES // self._stride))
        with ThreadPoolExecutor() as threads, Bar(len(new)) as bar:  # Pillow and SHA-256 release Python's lock
            for start in range(0, len(new), step):
                chunk = new[start : start + step]
                for name, (entry, pixels) in zip(chunk, threads.map(self._read, chunk), strict=True):
                    if entry.sha256 is not None and entry.reason is None:
                        if pixels is not None and entry.sha256 not in self._row_of:
                            self._row_of[entry.sha256] = next(rows)
                            _write(file, pixels, self._row_of[entry.sha256] * self._stride)
                        entry = entry._replace(row=self._row_of[entry.sha256])
                    entries[name] = entry
                os.fsync(file)
                read = ((name, entries[name]) for name in chunk)
                kept = [(name, *entry.stamp, *entry[1:]) for name, entry in read if entry.stamp and entry.sha256]
                index.executemany("REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", kept)
                index.commit()
                bar.advance(len(chunk))
        gone = [(name,) for name in known.keys() - entries.keys() if not os.path.lexists(self._root / name)]
        index.executemany("DELETE FROM file WHERE path = ?", gone)
        index.commit()
        return entries

    def _unused(self, there: int) -> Iterator[int]:
        """Yield rows to write to: the rows of deleted files, if there is no reader of the array, then new rows."""
        used = set(self._row_of.values())
        if self._readers.alone():
            yield from (row for row in range(there) if row not in used)
        yield from count(there)

    def _read(self, name: str) -> tuple[_Entry, Array | None]:
        """Return the entry of a file as it is now, and its pixels if its content is new.

        An entry without a SHA-256 must not be kept: the next call has to read the file again.
        """
        path = self._root / name
        stamp = self._stamp(name)
        sha256 = None
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
        """Return size and time of change, which change with the content; None if there is no such file.

        Call this before reading the file: then a later stamp shows a change that happens in between.
        """
        try:
            status = os.stat(self._root / name)
        except (OSError, ValueError):
            return None
        return status.st_size, status.st_mtime_ns


def _write(file: int, pixels: Array, offset: int) -> None:
    """Write all of the pixels. A disk that fills up may write only some of the bytes, so write the rest again."""
    left = memoryview(pixels.tobytes())
    while left:
        written = os.pwrite(file, left, offset)
        left = left[written:]
        offset += written
