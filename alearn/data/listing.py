"""List the files of a data set, and the labels that are known. Nothing is decoded here."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alearn.config import Folder
from alearn.data import label_table
from alearn.data.decode import SUFFIXES
from alearn.errors import AlearnError

UNLABELED = "unlabeled"
"""The layout in which folders mean nothing. Also the name of the folder, beside those of the classes, that holds images
without a label.
"""

NAMED = 5
"""How many classes a message names before it only counts the others."""

FIRST = 3
"""How many files a message names."""

ILLEGIBLE = {"Cc", "Zl", "Zp", "Cs"}
"""Unicode categories that would break a table of paths: control characters, line ends, and bytes that are not UTF-8."""

Labeled = tuple[str, str | None]
"""A path and its class."""

Skipped = tuple[str, str]
"""A path and the reason why it is not in the data set."""


@dataclass(frozen=True)
class Listing:
    """n files that should be images.

    Attributes:
        ids: The paths, relative to the root.
        labels: The names of the classes, None where the label is not known.
        classes: All class names: a tuple if they are fixed, a list if people may add some.
        skipped: Other files, which are not in the data set.
    """

    ids: tuple[str, ...]
    labels: tuple[str | None, ...]
    classes: Sequence[str]
    skipped: tuple[Skipped, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the labels of all files are known."""
        return bool(self.labels) and None not in self.labels


def listed(data: Folder) -> tuple[Listing, Listing]:
    """List the pool and the test set (empty if there is none), sorted by path, or in the order of data.labels.

    Hidden files and folders are left out. Each folder is listed once, even if several links lead to it.

    Raises:
        AlearnError: The root cannot be read, a class is not one of data.classes, the test set has a class that the pool
            does not have, or something in data.labels is wrong.
    """
    root = Path(data.root).expanduser()
    if data.labels is not None:
        rows = label_table.read(root, data.labels, data.classes)
        skipped = [(repr(path), _ILLEGIBLE) for path, _ in rows if not legible(path)]
        pool = [row for row in rows if legible(row[0])]
        return _both(data, pool, [], {label for _, label in rows if label is not None}, skipped)
    paths, skipped = _walk(root)
    if (layout(root)[0] if data.layout == "auto" else data.layout) == UNLABELED:
        return _both(data, [(path, None) for path in paths], [], set(), skipped)
    prefix, names = _classes(root)
    if data.classes is not None and (strange := [name for name in names if name not in data.classes]):
        raise AlearnError(
            f"{root}/{prefix}{strange[0]}: {strange[0]} is none of data.classes=[{','.join(data.classes)}]; add it "
            "or move the folder, or set data.layout=unlabeled if folders are no classes"
        )
    pool = list[Labeled]()
    test = list[Labeled]()
    for path in paths:
        parts = path.removeprefix(prefix).split("/") if path.startswith(prefix) else [""]
        if path.startswith(f"{UNLABELED}/") or parts[0] == UNLABELED:
            pool.append((path, None))
        elif parts[0] in names and len(parts) > 1:
            pool.append((path, parts[0]))
        elif prefix and path.startswith("test/") and path.count("/") > 1:
            test.append((path, path.split("/")[1]))
        else:
            below = f" below {prefix} or test/" if prefix else ""
            skipped.append((path, f"lies in no folder of a class{below}"))
    if extra := [label for _, label in test if label not in (data.classes or names)]:
        there = f"{root}/train" if data.classes is None else f"data.classes=[{','.join(data.classes)}]"
        raise AlearnError(f"{root}/test/{extra[0]}: there is no such class in {there}")
    return _both(data, pool, test, set(names), skipped)


def layout(root: Path) -> tuple[str, str]:
    """Return the layout that data.layout=auto stands for, and the reason in words.

    The layout is "unlabeled" if root itself holds an image or has no folders. Otherwise it is "classes". The user needs
    the reason because nested folders, for example of dates, look like classes too.
    """
    inside = _inside(root, root)
    loose = any(not entry.is_dir() and entry.name.lower().endswith(_IMAGES) for entry in inside)
    if loose or not any(entry.is_dir() for entry in inside):
        return UNLABELED, "images lie in the folder itself, so no folder is taken as a class"
    _, names = _classes(root)
    what = "1 folder is taken as a class" if len(names) == 1 else f"{len(names)} folders are taken as classes"
    some = ", ".join(names[:NAMED])
    if len(names) > NAMED:
        some += f", and {len(names) - NAMED} more"
    return "classes", f"{what}: {some}; if they are none: data.layout=unlabeled"


def nothing(skipped: Sequence[Skipped]) -> str:
    """Return in words why there are no images."""
    if not skipped:
        return "holds no images; they must be in it, in CLASS/ below it, or in train/CLASS/ (and test/CLASS/)"
    some = "; ".join(f"{name} {reason}" for name, reason in skipped[:FIRST])
    files = "the only file was" if len(skipped) == 1 else f"{len(skipped)} files were"
    more = "; ..." if len(skipped) > FIRST else ""
    return f"holds no images that can be read; {files} skipped: {some}{more}"


def legible(path: str) -> bool:
    """Return whether a table can hold a path: it must be valid UTF-8 without control characters."""
    return not any(unicodedata.category(character) in ILLEGIBLE for character in path)


_ILLEGIBLE = "has a name that is not valid UTF-8 or holds control characters; rename it"
_IMAGES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def _both(
    data: Folder, pool: list[Labeled], test: list[Labeled], names: Iterable[str], skipped: list[Skipped]
) -> tuple[Listing, Listing]:
    ids = tuple(path for path, _ in pool)
    labels = tuple(label for _, label in pool)
    classes: Sequence[str] = tuple(data.classes or sorted(names))
    if data.classes is None and (not labels or None in labels):
        classes = list(classes)  # people may add some
    tested = Listing(tuple(path for path, _ in test), tuple(label for _, label in test), classes)
    return Listing(ids, labels, classes, tuple(skipped)), tested


def _classes(root: Path) -> tuple[str, list[str]]:
    """Return where the folders of the classes lie ("train/", or "" for root itself), and their names."""

    def folders(prefix: str) -> list[str]:
        names = [entry.name for entry in _inside(root, root / prefix) if entry.is_dir()]
        return sorted(name for name in names if name != UNLABELED and legible(name))

    if (root / "train").is_dir() and (names := folders("train/")):
        return "train/", names
    return "", folders("")


def _walk(root: Path) -> tuple[list[str], list[Skipped]]:
    """Return the paths of all files below root, relative to it and sorted, and what cannot be listed."""
    paths = list[str]()
    skipped = list[Skipped]()
    seen = set[tuple[int, int]]()
    folders = [""]
    links = list[str]()
    while folders or links:
        prefix = folders.pop() if folders else links.pop()  # links last: a folder's own name goes before a link to it
        try:
            inside = _inside(root, root / prefix)
            status = os.stat(root / prefix)
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
                skipped.append((repr(path), _ILLEGIBLE))
        links.sort(reverse=True)
    return sorted(paths), sorted(skipped)


def _inside(root: Path, folder: Path) -> list["os.DirEntry[str]"]:
    """Return the entries of a folder that are not hidden."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise AlearnError(f"data.root={root}: {folder} cannot be read ({error.strerror})") from error
