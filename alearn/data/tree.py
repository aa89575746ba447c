"""Walk through the files below a folder, on this machine or in a store."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from alearn.data.file_store import Folder, Store, is_url
from alearn.errors import AlearnError

ILLEGIBLE = {"Cc", "Zl", "Zp", "Cs"}
"""Unicode categories that would break a table of paths: control characters, line ends, and bytes that are not UTF-8."""

NOT_LEGIBLE = "has a name that is not valid UTF-8 or holds control characters; rename it"

Skipped = tuple[str, str]
"""A path and the reason why it is not in the data set."""


class Entry(NamedTuple):
    """A file or a folder in a folder."""

    name: str
    folder: bool


class Tree(Protocol):
    """The files below a root. Hidden files and folders are left out."""

    def inside(self, prefix: str) -> Sequence[Entry]:
        """Return what is in a folder. prefix: its path, "" or with a slash at its end."""

    def walk(self) -> tuple[list[str], list[Skipped]]:
        """Return the paths of all files, relative to the root and sorted, and what cannot be listed."""


def tree(root: str) -> Tree:
    """Return the files below a root, which is a folder or a URL. Raise AlearnError if a store cannot be read."""
    return InStore(Folder(Store(root))) if is_url(root) else Local(Path(root).expanduser())


class Local:
    """Files of this machine. Each folder is listed once, even if several links lead to it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def inside(self, prefix: str) -> Sequence[Entry]:
        """Return what is in a folder. Raise AlearnError if it cannot be read."""
        return [Entry(entry.name, entry.is_dir()) for entry in self._entries(prefix)]

    def walk(self) -> tuple[list[str], list[Skipped]]:
        """Return the paths of all files, and what cannot be listed. Raise AlearnError if the root cannot be read."""
        paths = list[str]()
        skipped = list[Skipped]()
        seen = set[tuple[int, int]]()
        folders = [""]
        links = list[str]()
        while folders or links:
            prefix = (
                folders.pop() if folders else links.pop()
            )  # links last: a folder's own name goes before a link to it
            try:
                inside = self._entries(prefix)
                status = os.stat(self._root / prefix)
            except (OSError, AlearnError) as error:
                if not prefix:
                    raise
                why = getattr(error.__cause__ or error, "strerror", error)
                skipped.append((prefix.rstrip("/"), f"cannot be opened ({why})"))
                continue
            if (status.st_dev, status.st_ino) in seen:
                skipped.append((prefix.rstrip("/"), "leads to a folder that is listed already"))
                continue
            seen.add((status.st_dev, status.st_ino))
            for entry in inside:
                path = prefix + entry.name
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(f"{path}/")
                elif legible(path):
                    paths.append(path)
                else:
                    skipped.append((repr(path), NOT_LEGIBLE))
            links.sort(reverse=True)
        return sorted(paths), sorted(skipped)

    def _entries(self, prefix: str) -> list["os.DirEntry[str]"]:
        folder = self._root / prefix
        try:
            with os.scandir(folder) as entries:
                return [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise AlearnError(f"data.root={self._root}: {folder} cannot be read ({error.strerror})") from error


class InStore:
    """Files of a store, which has no folders: they are in the names of the files."""

    def __init__(self, folder: Folder) -> None:
        self._names = folder.names

    def inside(self, prefix: str) -> Sequence[Entry]:
        """Return what is in a folder."""
        below = [name.removeprefix(prefix) for name in self._names if name.startswith(prefix)]
        return [Entry(name, folder) for name, folder in {(part.split("/")[0], "/" in part): None for part in below}]

    def walk(self) -> tuple[list[str], list[Skipped]]:
        """Return the paths of all files, and what cannot be listed."""
        paths = [name for name in self._names if legible(name)]
        return sorted(paths), sorted((repr(name), NOT_LEGIBLE) for name in self._names if not legible(name))


def legible(path: str) -> bool:
    """Return whether a table can hold a path: it must be valid UTF-8 without control characters."""
    return not any(unicodedata.category(character) in ILLEGIBLE for character in path)
