"""The files behind the ids of a data set: there, and inside of its folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from alearn.errors import AlearnError
from alearn.export.records import Labeled

NAMED = 5
"""Files that a message names."""


def located(labeled: Labeled, ids: Sequence[str]) -> list[Path]:
    """The file of each id. Raises AlearnError that names those that are missing, or that lie elsewhere: what leads out
    of the folder, by `..` or by a symbolic link, is none of the data set.
    """
    root = labeled.root
    if root is None:
        raise AlearnError(f"data={labeled.name}: its images are no files; give the folder of such files as --root DIR")
    if not root.is_dir():
        raise AlearnError(f"{root}: there is no such folder; say where the images are now: --root DIR")
    home = root.resolve()
    outside = [name for name in ids if not _inside(name) or not (root / name).resolve().is_relative_to(home)]
    if outside:
        raise AlearnError(f"{_named(outside)}: must be files below {root}, and no link may lead out of it")
    paths = [root / name for name in ids]
    missing = [name for name, path in zip(ids, paths, strict=True) if not path.is_file()]
    if missing:
        raise AlearnError(
            f"{root}: {len(missing):,} of {len(ids):,} images are missing: {_named(missing)}; bring them back, or say "
            "where they are now: --root DIR"
        )
    return paths


def _inside(name: str) -> bool:
    """Whether a path is relative and goes down only, on any system."""
    windows = PureWindowsPath(name)
    return bool(name) and not PurePosixPath(name).is_absolute() and not windows.anchor and ".." not in windows.parts


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")
