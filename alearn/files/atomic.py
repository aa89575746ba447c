"""Files that are either there and whole, or not there."""

import os
from pathlib import Path


def replace(path: Path, content: bytes | str) -> None:
    """Write a file so that a crash at any moment leaves the old one or the new one: temporary, sync, rename, sync."""
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
