"""List the files of a data set, and the labels that are known. Nothing is decoded here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alearn.config import Folder
from alearn.data import label_table
from alearn.data.decode import SUFFIXES
from alearn.data.file_store import Folder as StoredFolder
from alearn.data.file_store import Place, Store, is_url
from alearn.data.shards import Shards, is_shard
from alearn.data.tree import NOT_LEGIBLE, InStore, Skipped, Tree, legible, tree
from alearn.errors import AlearnError

SHARDS = "shards"
UNLABELED = "unlabeled"
"""The layout in which folders mean nothing. Also the name of the folder, beside those of the classes, that holds images
without a label.
"""

NAMED = 5
"""How many classes a message names before it only counts the others."""

FIRST = 3
"""How many files a message names."""

Labeled = tuple[str, str | None]
"""A path and its class."""


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


def listed(data: Folder, at: Path | Place | None = None) -> tuple[Listing, Listing]:
    """List the pool and the test set (empty if there is none), sorted by path, or in the order of data.labels.

    Hidden files and folders are left out. Each folder is listed once, even if several links lead to it.

    at: what `place` returned, so that a store is not listed again.

    Raises:
        AlearnError: The root cannot be read, a class is not one of data.classes, the test set has a class that the pool
            does not have, or something in data.labels is wrong.
    """
    root = data.root
    if data.labels is not None and data.layout == SHARDS:
        raise AlearnError(
            f"data.labels={data.labels}: with data.layout=shards the labels come from the shards; leave it out"
        )
    if data.labels is not None:
        rows = label_table.read(_folder(data, "data.labels"), data.labels, data.classes)
        skipped = [(repr(path), NOT_LEGIBLE) for path, _ in rows if not legible(path)]
        pool = [row for row in rows if legible(row[0])]
        return _both(data, pool, [], {label for _, label in rows if label is not None}, skipped)
    if isinstance(at, Shards):
        return _of_shards(data, at)
    files = InStore(at) if isinstance(at, StoredFolder) else tree(root)
    which = layout(files)[0] if data.layout == "auto" else data.layout
    if which == SHARDS:
        return _of_shards(data, shards(data))
    paths, skipped = files.walk()
    if which == UNLABELED:
        return _both(data, [(path, None) for path in paths], [], set(), skipped)
    prefix, names = _classes(files)
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


def layout(files: Tree) -> tuple[str, str]:
    """Return the layout that data.layout=auto stands for, and the reason in words.

    The layout is "shards" if there are shards in the root, or in train/, and no images below it. It is "unlabeled" if
    the root itself holds an image or has no folders. Otherwise it is "classes". The user needs the reason because
    nested folders, for example of dates, look like classes too.
    """
    inside = [*files.inside("")]
    loose = any(not entry.folder and entry.name.lower().endswith(_IMAGES) for entry in inside)
    first = [*inside, *(files.inside("train/") if ("train", True) in inside else [])]
    found = [entry.name for entry in first if not entry.folder and is_shard(entry.name)]
    if found and not loose and not any(path.lower().endswith(_IMAGES) for path in files.walk()[0]):
        return SHARDS, f"images are read from files such as {min(found)}"
    if loose or not any(entry.folder for entry in inside):
        return UNLABELED, "images lie in the folder itself, so no folder is taken as a class"
    _, names = _classes(files)
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


def _classes(files: Tree) -> tuple[str, list[str]]:
    """Return where the folders of the classes lie ("train/", or "" for root itself), and their names."""

    def folders(prefix: str) -> list[str]:
        names = [entry.name for entry in files.inside(prefix) if entry.folder]
        return sorted(name for name in names if name != UNLABELED and legible(name))

    names = folders("")
    if "train" in names and (inner := folders("train/")):
        return "train/", inner
    return "", names


def place(data: Folder) -> Path | StoredFolder | Shards:
    """Return where the images of a data set lie. Raise AlearnError if a store or a shard cannot be read."""
    if data.layout == SHARDS:
        return shards(data)
    return StoredFolder(Store(data.root)) if is_url(data.root) else Path(data.root).expanduser().absolute()


def shards(data: Folder) -> Shards:
    """Return the shards of a data set. Raise AlearnError if one cannot be read."""
    return Shards(Store(data.root), data.image_field, data.label_field, Path(data.cache))


def _of_shards(data: Folder, found: Shards) -> tuple[Listing, Listing]:
    """List the images of shards. Shards below test/ are the test set if there are others below train/."""
    apart = any(name.startswith("train/") for name in found.names)
    pool = list[Labeled]()
    test = list[Labeled]()
    skipped = [(name, "is no shard") for name in found.others]
    named = _named(data, found)
    for shard in found.names:
        index = found.index(shard)
        rows = test if apart and shard.startswith("test/") else pool
        skipped += [(f"{shard}/{name}", reason) for name, reason in index.skipped]
        for name, label, where in zip(index.names, index.labels, index.where, strict=True):
            if not legible(f"{shard}/{name}"):
                skipped.append((repr(f"{shard}/{name}"), NOT_LEGIBLE))
            elif not found.has(where):
                skipped.append((f"{shard}/{name}", f"is missing: there is no file {where}"))
            else:
                rows.append((f"{shard}/{name}", None if label is None else named.get(label, label)))
    names = {label for _, label in pool if label is not None}
    if extra := sorted({label for _, label in test if label is not None} - names - {*(data.classes or ())}):
        raise AlearnError(f"data.root={data.root}: {extra[0]} is a class in test/, and none in train/")
    return _both(data, pool, test, names, skipped)


def _named(data: Folder, found: Shards) -> dict[str, str]:
    """Return the names of classes that labels stand for, if they are numbers that count data.classes from 0.

    They are if all labels of all shards are numbers, and none is in data.classes.
    """
    known = {label: shard for shard in found.names for label in found.index(shard).labels if label is not None}
    if data.classes is None or not known:
        return {}
    if known.keys() & {*data.classes} or not all(label.isdecimal() for label in known):
        if strange := sorted(known.keys() - {*data.classes}):
            at = f"data.root={data.root}: {known[strange[0]]}"
            raise AlearnError(f"{at}: {strange[0]!r} is none of data.classes=[{','.join(data.classes)}]")
        return {}
    most = max(known, key=int)
    if int(most) >= len(data.classes):
        raise AlearnError(
            f"data.root={data.root}: {known[most]} has the class {most}, and data.classes {len(data.classes)}"
        )
    return {label: data.classes[int(label)] for label in known}


def _folder(data: Folder, key: str) -> Path:
    if is_url(data.root):
        raise AlearnError(f"{key}: is read from a folder of this machine, and data.root={data.root} is none")
    return Path(data.root).expanduser()
