"""Export one folder per class, OUT/CLASS/PATH, as torchvision's ImageFolder and most training programs read them.

The files are hard links, which take no space and stay if the original is deleted. They are copies if the file system
has no hard links. This module deletes only files that it wrote, and never those of the data set.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from alearn import __version__
from alearn.errors import AlearnError
from alearn.export import class_folders
from alearn.export.image_files import located
from alearn.export.records import Labeled, Record
from alearn.files import atomic, csv_tables
from alearn.registry import register_exporter

How = Literal["hard", "symbolic", "copy"]
MARK = ".alearn-export.json"
"""This file lists all files of an export. A folder with other files is never replaced."""
CLASSES = "classes.csv"
CANNOT_TELL = "cannot_tell.csv"
UNLABELED = "unlabeled.csv"
COPIED = "hard links to the images are not possible there, so the files were copied"


@register_exporter(
    "folders",
    "one folder per class, as torchvision's ImageFolder reads them",
    file="export",
    options=("how",),
    folder=True,
)
def write(labeled: Labeled, out: Path, how: How = "hard") -> list[str]:
    """Write the folder, or replace an earlier export. The folder appears only when it is complete.

    Args:
        labeled: the labels.
        out: the folder.
        how: whether to make hard links, symbolic links or copies.

    Returns:
        Lines of text for the user.

    Raises:
        AlearnError: images are missing, or the folder contains files that no export wrote.
    """
    given = [record for record in labeled.records if record.label is not None]
    sources = located(labeled, [record.id for record in given])
    _apart(labeled, out)
    _ours(out)
    names = (str(record.label) for record in given)
    folder = class_folders.folders(names, taken=(MARK, CLASSES, CANNOT_TELL, UNLABELED))
    places = [f"{folder[str(record.label)]}/{record.id}" for record in given]
    lists = {
        CLASSES: csv_tables.to_text(("folder", "class"), sorted((path, name) for name, path in folder.items())),
        CANNOT_TELL: _paths(record for record in labeled.records if record.cannot_tell),
        UNLABELED: _paths(record for record in labeled.records if record.source is None),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        mark = {"alearn": __version__, "files": [*lists, *places]}
        atomic.replace(partial / MARK, json.dumps(mark, ensure_ascii=False, indent=0) + "\n")
        for name, text in lists.items():
            atomic.replace(partial / name, text)
        copied = _place(sources, [partial / place for place in places], how)
        _swap(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [COPIED] if copied else []


def _apart(labeled: Labeled, out: Path) -> None:
    """Raise AlearnError if the export is inside the data set or the data set inside the export."""
    assert labeled.root is not None
    export = out.resolve()
    images = labeled.root.resolve()
    if export.is_relative_to(images) or images.is_relative_to(export):
        raise AlearnError(
            f"--out {out}: must neither be in {labeled.root}, the folder of the images, nor contain it; give another"
        )


def _ours(out: Path) -> None:
    """Raise AlearnError unless the folder is missing, is empty or contains only an export."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise AlearnError(f"--out {out}: is a file or a link; must be an empty folder or a new one")
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        known = set(json.loads((out / MARK).read_text(encoding="utf-8"))["files"]) | {MARK}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise AlearnError(f"--out {out}: is neither empty nor an export of alearn; give another folder") from None
    for at, folders, files in os.walk(out):
        links = [name for name in folders if Path(at, name).is_symlink()]
        for name in [*files, *links]:
            file = Path(at, name).relative_to(out).as_posix()
            if file not in known:
                raise AlearnError(
                    f"--out {out}: contains {file}, which no export wrote; move it, or give another folder"
                )


def _place(sources: Sequence[Path], places: Sequence[Path], how: How) -> bool:
    """Put each file at its place. Return whether some files had to be copied instead of linked."""
    copied = False
    for source, place in zip(sources, places, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        original = source.resolve()
        if how == "symbolic":
            place.symlink_to(original)
            continue
        if how == "hard" and not copied:
            try:
                place.hardlink_to(original)
                continue
            except OSError:  # another device, no hard links on it, or no permission to link files of other users
                copied = True
        shutil.copy2(original, place)
    return copied


def _swap(new: Path, out: Path) -> None:
    """Put the new folder in the place of the old one. After a crash between the renames both are beside it."""
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)  # deletes only names; the linked images stay


def _paths(records: Iterable[Record]) -> str:
    return csv_tables.to_text(("path",), [(record.id,) for record in records])
