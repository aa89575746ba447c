"""Write files so that each is either complete or absent."""

import os
from pathlib import Path


def replace(path: Path, content: bytes | str) -> None:
    """Replace the content of a file so that a crash at any moment leaves either the old content or the new.

    The content goes into a temporary file, which is synced and renamed; then the folder is synced.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
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
