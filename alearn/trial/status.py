"""How trials stand, read off their folders; and the lock that keeps a second one out of a folder."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.trial import row

CONFIG, FAILED, LOCK = "config.yaml", "failed.json", ".lock"
PATIENCE = 5.0
"""Seconds to wait for a lock: a process that was killed a moment ago may still be on its way out."""


class Status(StrEnum):
    """Of a trial. Interrupted ones can be resumed, failed ones too once their reason is mended."""

    FINISHED = "finished"
    FAILED = "failed"
    RUNNING = "running"
    INTERRUPTED = "interrupted"


def of(folder: Path) -> tuple[Status, str]:
    """Status of the trial in a folder, and why it failed ("" otherwise)."""
    if row.load(folder) is not None:
        return Status.FINISHED, ""
    if locked(folder):
        return Status.RUNNING, ""
    reason = failure(folder)
    return (Status.INTERRUPTED, "") if reason is None else (Status.FAILED, reason)


def trials(folder: Path) -> list[Path]:
    """The folders below one that hold a trial in any state, job 10 after job 9."""
    found = []
    for at, inside, names in os.walk(folder):
        inside[:] = [name for name in inside if not name.startswith(".")]  # Hydra's records have a config.yaml, too
        if {CONFIG, FAILED, row.NAME} & set(names):
            found.append(Path(at))
    return sorted(found, key=lambda path: [(int(part), "") if part.isdigit() else (-1, part) for part in path.parts])


def rows(*folders: Path) -> list[dict[str, Any]]:
    """The rows of the finished trials below some folders."""
    found = (row.load(path) for path in dict.fromkeys(path for folder in folders for path in trials(folder)))
    return [one for one in found if one is not None]


def missing(*folders: Path) -> dict[str, str]:
    """Why the other trials below some folders have no row: trial's folder, relative to a single one, and reason."""
    result = {}
    for path in dict.fromkeys(path for folder in folders for path in trials(folder)):
        stands, reason = of(path)
        if stands is not Status.FINISHED:
            name = str(path.relative_to(folders[0]) if len(folders) == 1 else path)
            if (path / row.NAME).exists():
                reason = f"{row.NAME} cannot be read"
            result[name] = " ".join(reason.split()) or stands.value
    return result


def fail(folder: Path, reason: str) -> None:
    """Leave word of why the trial in a folder came to nothing."""
    atomic.replace(folder / FAILED, json.dumps({"reason": reason}, indent=1) + "\n")


def failure(folder: Path) -> str | None:
    """Why the last attempt at a trial failed, None if it did not."""
    try:
        return str(json.loads((folder / FAILED).read_text())["reason"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return f"{FAILED} cannot be read"


def lock(folder: Path, what: str) -> FileLock:
    """Hold a folder until the lock is released or the process ends, however it ends.

    what: "trial" or "sweep", for the AlearnError that is raised if another process holds it.
    """
    held = FileLock(folder / LOCK)
    try:
        held.acquire(timeout=PATIENCE)
    except Timeout:
        raise AlearnError(f"{folder}: another {what} is running in this folder; wait for it or give another") from None
    return held


def locked(folder: Path) -> bool:
    """Whether a process holds the folder."""
    if not (folder / LOCK).exists():
        return False
    probe = FileLock(folder / LOCK)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder of somebody else's: nothing of ours runs there
        return False
    probe.release()
    return False
