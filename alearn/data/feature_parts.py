"""Compute the features of a folder in parts, by several processes or machines that share a file system, and merge them.

Each part has rows and an index of its own, so no process waits for another. A part that was killed goes on where it
stopped. Merging copies rows; nothing is computed.
"""

import shutil
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from alearn.config import Folder
from alearn.data import listing, row_store
from alearn.data.part import Part
from alearn.data.pixels import Mapping
from alearn.data.row_source import Entry, Files
from alearn.errors import AlearnError
from alearn.values import Array, Extractor

MISSING = "has no features yet"


class Done(NamedTuple):
    """What there is now: images with features, and files without, which were skipped. folder: where the rows are."""

    images: int
    skipped: int
    folder: Path


def compute(data: Folder, extractor: Extractor, part: Part) -> Done:
    """Compute the features of a part, as far as they are not there already.

    Raises:
        AlearnError: The images cannot be listed, or data.cache cannot be written.
    """
    files = _files(data, extractor)
    home = row_store.folder(Path(data.cache), files, extractor)
    there = row_store.kept(home)
    names = part.of(files.names)
    files.names = [name for name in names if name not in there or there[name].stamp != files.stamp(name)]
    place = home / "parts" / str(part)
    rows = row_store.load(place, files, extractor)
    skipped = len(rows.reasons) + sum(there[name].reason is not None for name in {*names} - {*files.names})
    return Done(len(names) - skipped, skipped, place)


def merge(data: Folder, extractor: Extractor) -> Done:
    """Copy the features of all parts to where a trial looks for them, and delete the parts.

    Raises:
        AlearnError: Some images have no features yet. Those that are there are merged; the parts stay.
    """
    files = _files(data, extractor)
    home = row_store.folder(Path(data.cache), files, extractor)
    parts = sorted((home / "parts").glob("*-of-*"))
    source = _Merged(files, [row_store.folder(part, files, extractor) for part in parts], extractor.width)
    rows = row_store.load(Path(data.cache), source, _Copied(extractor))
    missing = sum(reason == MISSING for reason in rows.reasons.values())
    if missing:
        there = ", ".join(part.name for part in parts) or "none"
        raise AlearnError(
            f"{home}: {missing:,} of {len(files.names):,} images have no features yet. Parts that are there: {there}. "
            "Start those that are missing or were stopped again, then merge again"
        )
    shutil.rmtree(home / "parts", ignore_errors=True)
    return Done(len(files.names) - len(rows.reasons), len(rows.reasons), home)


class _Merged:
    """The images of a folder as a `row_source.Source`, with the features of the parts in place of their pixels."""

    def __init__(self, files: Files, parts: Sequence[Path], width: int) -> None:
        """parts: the folders of their rows. width: the features of an image."""
        self._files = files
        self._found = dict[str, tuple[Entry, Array | None]]()
        for part in parts:
            entries = row_store.kept(part)
            rows = part / row_store.FEATURES
            some = any(entry.row is not None for entry in entries.values()) and rows.exists()
            array = Mapping(rows, (width,), np.float16).array if some else None
            for name, entry in entries.items():
                if name in self._found and entry.stamp != files.stamp(name):
                    continue  # of a part that was cut otherwise, before the file changed
                there = array is not None and entry.row is not None and entry.row < len(array)
                self._found[name] = entry, array[entry.row] if there and array is not None else None
        self.key = files.key
        self.names = files.names
        self.shape = (1, 1, width)  # what bounds the chunks that are copied
        self.stamp = files.stamp
        self.gone = files.gone

    def read(self, name: str, known: Container[bytes]) -> tuple[Entry, Array | None]:
        """Return the entry of an image and its features, float16 [F]. Read its file only if no part has it."""
        entry, row = self._found.get(name, (None, None))
        if entry is not None and entry.stamp == self.stamp(name) and (row is not None or entry.reason is not None):
            return entry._replace(row=None), None if entry.sha256 in known else row
        entry, _ = self._files.read(name, ())
        return (entry if entry.reason is not None else Entry(None, None, None, MISSING)), None


class _Copied:
    """An extractor that gets features."""

    def __init__(self, extractor: Extractor) -> None:
        self.key, self.width = extractor.key, extractor.width
        self.size, self.channels = extractor.size, extractor.channels
        self.chunk = row_store.CHUNK
        self.done = 0

    def __call__(self, pixels_bchw: Tensor) -> Tensor:
        """Return features as they are."""
        return pixels_bchw


def _files(data: Folder, extractor: Extractor) -> Files:
    place = listing.place(data)
    pool, test = listing.listed(data, place)
    return Files(place, pool.ids + test.ids, extractor.size, extractor.channels)
