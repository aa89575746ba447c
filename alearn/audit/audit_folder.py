"""The folder of an audit is used by one call at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from alearn.audit.sheets import LOOK, QUESTIONS
from alearn.errors import AlearnError
from alearn.files import atomic


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock the folder of an audit, and remove what a killed call left half written.

    Two calls at once could both draw, and mix their questions on one sheet.

    Raises:
        AlearnError: Another call is using the folder.
    """
    try:
        lock = FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout:
        raise AlearnError(f"{folder}: another call is using this audit; run this again when it has ended") from None
    with lock:
        for written in (folder, folder / QUESTIONS, folder / QUESTIONS / LOOK):
            atomic.remove_partial(written)
        yield
