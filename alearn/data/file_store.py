"""Read files wherever they lie: on this machine, or in a store that fsspec reaches, such as s3:// or gs://.

fsspec is a library that torch brings along. The stores themselves need a library each.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from fsspec.core import url_to_fs

from alearn.errors import AlearnError
from alearn.files import atomic

EXTRAS = {"s3fs": "s3", "gcsfs": "gcs"}
"""The extra that installs the library of a store."""


class ContentError(Exception):
    """What a file holds is wrong. The message is a predicate, for example "is cut off"."""


class Stored(Protocol):
    """The content of an image that is no file of this machine. As text, it is where the image lies."""

    @property
    def size(self) -> int | None:
        """Bytes; None if they are not known before it is read."""

    def stamp(self) -> tuple[int, int]:
        """Return two numbers that change with the content."""

    def read(self) -> bytes:
        """Return the content. Raise AlearnError if the store does not give it."""


class Place(Protocol):
    """Where the images of a data set lie, if it is no folder of this machine: `place / name` is an image."""

    def __truediv__(self, name: str) -> Stored:
        """Return an image by its name. Raise KeyError if there is no such image."""


class Found(NamedTuple):
    """A file in a store. path: as the store calls it. name: relative to the root. ukey: changes with the content."""

    path: str
    name: str
    size: int
    ukey: str


class Store:
    """The files below a root. Errors of the store are AlearnErrors here, with the root in their message."""

    def __init__(self, root: str, key: str = "data.root") -> None:
        """root: a folder of this machine, or a URL. key: what sets it, for messages.

        Raises:
            AlearnError: There is no such kind of store, or its library is not installed.
        """
        self._key = key
        self.root = root.rstrip("/") if is_url(root) else str(Path(root).expanduser().resolve())
        try:
            self._fs, self._path = url_to_fs(self.root)
        except ImportError as error:
            package = next((name for name in EXTRAS if name in str(error)), None)
            how = f"pip install 'alearn[{EXTRAS[package]}]'" if package else str(error)
            raise AlearnError(f"{key}={root}: the library for this store is not installed; {how}") from None
        except ValueError as error:
            raise AlearnError(f"{key}={root}: {error}; must be a folder, or a URL such as s3://BUCKET/DIR") from None
        except Exception as error:  # each kind of store has errors of its own
            raise AlearnError(f"{key}={root}: cannot be reached ({' '.join(str(error).split())})") from error

    def files(self) -> list[Found]:
        """Return the files below the root, by name, without hidden ones.

        Raises:
            AlearnError: The store cannot be reached, or there is nothing below the root.
        """
        files = self.listed()
        if not files:
            raise AlearnError(f"{self._key}={self.root}: there are no files; give the folder of your images")
        return files

    def listed(self) -> list[Found]:
        """Return the files below the root, as `files` does. There may be none."""
        with self._reached():
            self._fs.invalidate_cache()
            found: dict[str, Any] = self._fs.find(self._path, detail=True)
        prefix = self._path.rstrip("/") + "/"
        files = [
            Found(path, path.removeprefix(prefix), int(info.get("size") or 0), _ukey(info))
            for path, info in sorted(found.items())
            if path.startswith(prefix) and not path.endswith("/")  # some stores have files that stand for folders
        ]
        return [file for file in files if not any(part.startswith(".") for part in file.name.split("/"))]

    def write(self, name: str, content: bytes) -> None:
        """Write a file below the root. A kill at any moment leaves either all of it or nothing."""
        path = self.path(name)
        with self._reached(path, "written"):
            if is_url(self.root):
                self._fs.pipe_file(path, content)  # an object appears when it is complete
            else:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                atomic.replace(Path(path), content)

    def found(self, name: str) -> Found:
        """Return a file by its name. Raise AlearnError if there is none."""
        path = self.path(name)
        with self._reached(path):
            info: dict[str, Any] = self._fs.info(path)
        return Found(path, name, int(info.get("size") or 0), _ukey(info))

    def path(self, name: str) -> str:
        """Return the path of a file of the store by its name relative to the root."""
        return f"{self._path.rstrip('/')}/{name}"

    def read(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return the bytes of a file, or some of them."""
        with self._reached(path):
            content: bytes = self._fs.cat_file(path, start=start, end=end)
            return content

    @contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Open a file that can be read at any place."""
        with self._reached(path), self._fs.open(path, "rb") as file:
            yield file

    @contextmanager
    def _reached(self, path: str | None = None, what: str = "read") -> Iterator[None]:
        try:
            yield
        except (AlearnError, ContentError):
            raise
        except Exception as error:  # each store has errors of its own
            why = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
            where = "" if path is None else f"{path} "
            raise AlearnError(f"{self._key}={self.root}: {where}cannot be {what} ({why})") from error


class StoredFile:
    """A file of a store."""

    def __init__(self, store: Store, file: Found) -> None:
        self._store = store
        self._file = file
        self.size = file.size

    def __str__(self) -> str:
        return f"{self._store.root}/{self._file.name}"

    def stamp(self) -> tuple[int, int]:
        """Return the size, and a number made of what the store says about the file."""
        return self.size, number(self._file.ukey)

    def read(self) -> bytes:
        """Return the content."""
        return self._store.read(self._file.path)


class Folder:
    """A folder of image files in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._files = {file.name: file for file in store.files()}

    def __str__(self) -> str:
        return self._store.root

    def __truediv__(self, name: str) -> StoredFile:
        """Return a file by its name."""
        return StoredFile(self._store, self._files[name])

    def part(self, names: Iterable[str]) -> Self:
        """Return the same folder with some of its files only, which is small enough to send to another machine."""
        part = copy(self)
        part._files = {name: self._files[name] for name in names}
        return part

    @property
    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return list(self._files)


def is_url(root: str) -> bool:
    """Return whether a root is a URL, and not a folder of this machine."""
    return "://" in root


def number(text: str) -> int:
    """Return a number below 2^60 that is another one for another text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def _ukey(info: dict[str, Any]) -> str:
    """Return what tells one content of a file from another: its tag if it has one, else its time and size."""
    tag = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    return str(tag or (info.get("mtime") or info.get("LastModified") or info.get("updated"), info.get("size")))
