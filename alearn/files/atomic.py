"""Write files so that each is either complete or absent."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

PREFIX = 100
"""Characters of a name that its temporary file has, too, so that it is not too long."""


def replace(path: Path, content: bytes | str) -> None:
    """Replace the content of a file so that a crash at any moment leaves either the old content or the new."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write the new content of `path` to. If the context ends with an exception, the old content stays.

    It is a temporary file, which is synced and renamed; then the folder is synced.
    """
    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def copy(source: Path, path: Path) -> None:
    """Copy a file so that a kill at any moment leaves either a complete copy or none.

    The copy is not synced: the caller can make it again.
    """
    partial = _partial(path)
    try:
        shutil.copyfile(source, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder. No other process may write there."""
    for partial in folder.glob(".*.partial"):
        partial.unlink()


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name[:PREFIX]}.{uuid4().hex}.partial")  # machines may share the folder
