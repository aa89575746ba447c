"""A folder a class, as torchvision's ImageFolder and most training programs read: OUT/CLASS/PATH.

Files are hard links, which take no space and outlive their originals' names; where the file system has none, copies.
Only names that this module wrote are ever taken away again, and never those of the data set.
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
MARK, CLASSES, CANNOT_TELL, UNLABELED = ".alearn-export.json", "classes.csv", "cannot_tell.csv", "unlabeled.csv"
"""The mark lists all files of an export: a folder with others than these is not replaced."""
COPIED = "this file system has no hard links to there: the files were copied"


@register_exporter(
    "folders",
    "one for each class, as torchvision's ImageFolder reads them",
    file="export",
    options=("how",),
    folder=True,
)
def write(labeled: Labeled, out: Path, how: How = "hard") -> list[str]:
    """Write the folder, or replace an earlier one; it appears whole. Returns what there is to say of it.

    Raises AlearnError for images that are missing, and for a folder with anything in it that no export wrote.
    """
    given = [one for one in labeled.records if one.label is not None]
    sources = located(labeled, [one.id for one in given])
    _apart(labeled, out)
    _ours(out)
    folder = class_folders.folders((str(one.label) for one in given), taken=(MARK, CLASSES, CANNOT_TELL, UNLABELED))
    places = [f"{folder[str(one.label)]}/{one.id}" for one in given]
    lists = {
        CLASSES: csv_tables.to_text(("folder", "class"), sorted((there, name) for name, there in folder.items())),
        CANNOT_TELL: _paths(one for one in labeled.records if one.cannot_tell),
        UNLABELED: _paths(one for one in labeled.records if one.source is None),
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
    """Raises AlearnError where the export and the data set are inside of each other: one would eat the other."""
    assert labeled.root is not None
    here, there = out.resolve(), labeled.root.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise AlearnError(f"--out {out}: lies in {labeled.root} or holds it, the folder of the images; give another")


def _ours(out: Path) -> None:
    """Raises AlearnError unless there is nothing, or an export and nothing else."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise AlearnError(f"--out {out}: is a file or a link; must be a folder that is empty or not there yet")
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        known = set(json.loads((out / MARK).read_text(encoding="utf-8"))["files"]) | {MARK}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise AlearnError(f"--out {out}: is not empty, and no export of alearn; give another folder") from None
    for at, inside, found in os.walk(out):
        links = [name for name in inside if Path(at, name).is_symlink()]
        for name in [*found, *links]:
            file = Path(at, name).relative_to(out).as_posix()
            if file not in known:
                raise AlearnError(f"--out {out}: holds {file}, which no export wrote; move it, or give another folder")


def _place(sources: Sequence[Path], places: Sequence[Path], how: How) -> bool:
    """Put each file at its place; returns whether hard links were wanted and some files copied instead."""
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
            except OSError:  # another device, no hard links there, or none to files of others
                copied = True
        shutil.copy2(original, place)
    return copied


def _swap(new: Path, out: Path) -> None:
    """Put the new folder in the place of the old one. A crash between the two renames leaves both beside it, whole."""
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)  # takes names away; what they were links to stays


def _paths(records: Iterable[Record]) -> str:
    return csv_tables.to_text(("path",), [(one.id,) for one in records])
