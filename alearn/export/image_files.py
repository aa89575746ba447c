"""Find the files of a data set by its ids. They must exist, and must be inside its folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from alearn.errors import AlearnError
from alearn.export.records import Labeled

NAMED = 5
"""The most files that a message names."""


def located(labeled: Labeled, ids: Sequence[str]) -> list[Path]:
    """Return the file of each id.

    Raises:
        AlearnError: files are missing or outside the data set's folder, for example because of `..` or a symbolic link.
            The message names them.
    """
    root = labeled.root
    if root is None:
        raise AlearnError(
            f"data={labeled.name}: its images are not files; if you have them as files, give their folder as --root DIR"
        )
    if not root.is_dir():
        raise AlearnError(f"{root}: there is no such folder; give the folder of the images as --root DIR")
    home = root.resolve()
    outside = [name for name in ids if not _inside(name) or not (root / name).resolve().is_relative_to(home)]
    if outside:
        raise AlearnError(f"{_named(outside)}: must be files below {root}, and no link may lead out of it")
    paths = [root / name for name in ids]
    missing = [name for name, path in zip(ids, paths, strict=True) if not path.is_file()]
    if missing:
        raise AlearnError(
            f"{root}: {len(missing):,} of {len(ids):,} images are missing: {_named(missing)}; bring them back, or give "
            "their folder as --root DIR"
        )
    return paths


def _inside(name: str) -> bool:
    """Return whether a path is relative and leads only downwards, on any system."""
    windows = PureWindowsPath(name)
    return bool(name) and not PurePosixPath(name).is_absolute() and not windows.anchor and ".." not in windows.parts


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")
