"""Images in shards: members of tar files in the layout of webdataset, and rows of Parquet files.

A shard is listed once. What was found is kept in data.cache, so that the next start does not read the shards again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

from alearn.data import parquet_shard, tar_shard
from alearn.data.file_store import ContentError, Found, Store, Stored, StoredFile, number
from alearn.errors import AlearnError
from alearn.files import atomic

VERSION = 1
"""Must go up whenever the same shard gives another index."""

GROUPS = 2
"""Row groups of Parquet files that are kept in memory. Images are read in their order, so one is nearly enough."""


NAMED = 1024
"""Shards whose names are kept in memory by their place."""


class Index(NamedTuple):
    """What a shard holds, image by image.

    names: each image's name in the shard, unique. labels: class names, None where there is none. where: for a member of
    a tar file, its first byte and the one after its last; for a row of a Parquet file, its row group and its place in
    it, or the path of an image file relative to the root. column: the column of the images in a Parquet file. skipped:
    files of the shard that are not used, with the reason.
    """

    names: list[str]
    labels: list[str | None]
    where: Sequence[Sequence[int] | str]
    column: str | None
    skipped: Sequence[Sequence[str]] = ()


class Image:
    """An image of a shard."""

    def __init__(
        self, name: str, shard: Found, place: tuple[object, ...], size: int | None, read: Callable[[], bytes]
    ) -> None:
        self._name = name
        self._shard = shard
        self._place = place
        self.size = size
        self.read = read

    def __str__(self) -> str:
        return self._name

    def stamp(self) -> tuple[int, int]:
        """Return two numbers that change with the content of the shard, and with the place in it."""
        return self._shard.size, number(f"{self._shard.ukey} {self._place}")


class Shards:
    """The images of all shards below a root. An image is called SHARD/NAME, where SHARD is relative to the root."""

    def __init__(self, store: Store, image: str | None, label: str | None, cache: Path) -> None:
        """List the shards. None is opened before somebody asks for its images.

        Args:
            store: The files.
            image: The suffix of the images in tar files, and their column in Parquet files; None for the usual ones.
            label: The same of the labels.
            cache: Where the indexes are kept.

        Raises:
            AlearnError: There is no shard.
        """
        self._store = store
        files = store.files()
        self._shards = {file.name: file for file in files if is_shard(file.name)}
        if not self._shards:
            raise AlearnError(
                f"data.root={store.root}: has no *.tar or *.parquet files, and data.layout=shards needs some"
            )
        self._files = {file.name: file for file in files if not is_shard(file.name)}
        self._fields = image, label
        self._cache = cache
        self._indexes = dict[str, Index]()
        self._keep()

    def _keep(self) -> None:
        """Begin to keep in memory what was read last."""
        self._places = lru_cache(maxsize=NAMED)(self._places_of)
        self._lock = Lock()
        self._group = lru_cache(maxsize=GROUPS)(self._read_group)

    def __getstate__(self) -> dict[str, Any]:
        """Return what to send to another process: all but what is kept in memory."""
        return {name: value for name, value in vars(self).items() if name not in ("_places", "_lock", "_group")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what another process sent."""
        vars(self).update(state)
        self._keep()

    def __str__(self) -> str:
        return self._store.root

    def __truediv__(self, name: str) -> Stored:
        """Return an image by its name."""
        shard = next((shard for shard in _starts(name) if shard in self._shards), None)
        if shard is None:
            raise KeyError(name)
        file, index = self._shards[shard], self.index(shard)
        found = index.where[self._places(shard)[name.removeprefix(f"{shard}/")]]
        if isinstance(found, str):
            return StoredFile(self._store, self._files[found])
        first, second = found
        where = f"{self._store.root}/{name}"
        if index.column is None:
            read = lambda: self._store.read(file.path, first, second)  # noqa: E731
            return Image(where, file, (first, second), second - first, read)
        column = index.column
        return Image(where, file, (column, first, second), None, lambda: self._cell(file, column, first, second))

    def part(self, names: Iterable[str]) -> Self:
        """Return the same shards with some of their images only, which are few enough to send to another machine."""
        inside = dict[str, list[str]]()
        for name in names:
            shard = next(shard for shard in _starts(name) if shard in self._shards)
            inside.setdefault(shard, []).append(name.removeprefix(f"{shard}/"))
        part = copy(self)
        part._shards = {shard: self._shards[shard] for shard in inside}
        part._indexes = {shard: self._some(shard, some) for shard, some in inside.items()}
        part._files = {path: self._files[path] for path in part._paths()}
        return part

    def _some(self, shard: str, names: Sequence[str]) -> Index:
        index, places = self.index(shard), self._places(shard)
        rows = [places[name] for name in names]
        return Index([*names], [index.labels[row] for row in rows], [index.where[row] for row in rows], index.column)

    def has(self, where: Sequence[int] | str) -> bool:
        """Return whether an image is there. A Parquet file may have paths of files that are not."""
        return not isinstance(where, str) or where in self._files

    @property
    def names(self) -> Sequence[str]:
        """The names of the shards."""
        return list(self._shards)

    @property
    def others(self) -> list[str]:
        """The names of the files that are neither shards nor images of Parquet files."""
        return sorted(self._files.keys() - self._paths())

    def _paths(self) -> set[str]:
        """Return the paths of the image files that Parquet files have."""
        return {path for name in self._shards for path in self.index(name).where if isinstance(path, str)}

    def index(self, name: str) -> Index:
        """Return what a shard holds. Raise AlearnError if it is damaged, or lacks a column."""
        if name not in self._indexes:
            self._indexes[name] = self._index(self._shards[name], *self._fields, self._cache)
        return self._indexes[name]

    def _places_of(self, shard: str) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.index(shard).names)}

    def _index(self, file: Found, image: str | None, label: str | None, cache: Path) -> Index:
        """Return the index of a shard, from the cache or from the shard."""

        def read() -> Index:
            try:
                with self._store.opened(file.path) as opened:
                    if file.name.lower().endswith(".tar"):
                        names, labels, places, skipped = tar_shard.listed(opened, file.size, image, label)
                        return Index(names, labels, places, None, skipped)
                    return Index(*parquet_shard.listed(opened, image, label))
            except ContentError as error:
                raise AlearnError(f"data.root={self._store.root}: {file.name} {error}") from None

        return _kept(cache, [self._store.root, file.name, file.size, file.ukey, image, label], read)

    def _cell(self, file: Found, column: str, group: int, row: int) -> bytes:
        with self._lock:  # the other threads would read the same group
            return parquet_shard.content(self._group(file, column, group), row)

    def _read_group(self, file: Found, column: str, group: int) -> Any:
        with self._store.opened(file.path) as opened:
            return parquet_shard.group(opened, column, group)


def is_shard(name: str) -> bool:
    """Return whether a file is a shard, by its name."""
    return name.lower().endswith((".tar", ".parquet"))


def _kept(cache: Path, key: list[Any], make: Callable[[], Index]) -> Index:
    """Return the index of a shard from the cache, or make it and keep it there."""
    digest = hashlib.sha256(json.dumps([VERSION, *key]).encode()).hexdigest()[:16]
    path = cache.expanduser() / "shards" / f"{digest}.json"
    try:
        return Index(*json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        pass
    index = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(path, json.dumps(index))
    except OSError as error:
        if not path.exists():  # another process may have written it
            raise AlearnError(f"data.cache={cache}: cannot be written ({error.strerror}); give another one") from None
    return index


def _starts(name: str) -> Iterator[str]:
    """Yield what may be the name of the shard in the name of an image."""
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)
