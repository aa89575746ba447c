"""The status of trials, read from their folders, and the lock that keeps a second process out of a folder."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.trial import row

CONFIG = "config.yaml"
FAILED = "failed.json"
WAITING = "waiting.json"
LOCK = ".lock"
PATIENCE = 5.0
"""Seconds to wait for a lock, because a process that was just killed may not have ended yet."""


class Status(StrEnum):
    """The status of a trial.

    An interrupted trial can be resumed. So can a failed one if its cause is fixed, and a waiting one once people have
    done their part.
    """

    FINISHED = "finished"
    FAILED = "failed"
    RUNNING = "running"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"


def of(folder: Path) -> tuple[Status, str]:
    """Return the status of the trial in a folder, and why it failed or what it waits for, otherwise ""."""
    if row.load(folder) is not None:
        return Status.FINISHED, ""
    if locked(folder):
        return Status.RUNNING, ""
    return stopped(folder)


def stopped(folder: Path) -> tuple[Status, str]:
    """Return the status of a trial that neither runs nor has finished, and the reason as `of` does."""
    for state, name in ((Status.FAILED, FAILED), (Status.WAITING, WAITING)):
        reason = _reason(folder / name)
        if reason is not None:
            return state, reason
    return Status.INTERRUPTED, ""


def trials(folder: Path) -> list[Path]:
    """Return all folders, from this one down, that hold a trial in any state. Job 10 comes after job 9."""
    folders = []
    for path, subfolders, files in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]  # .hydra has a config.yaml, too
        if {CONFIG, FAILED, row.NAME} & set(files):
            folders.append(Path(path))
    return sorted(folders, key=lambda path: [(int(part), "") if part.isdigit() else (-1, part) for part in path.parts])


def rows(*folders: Path) -> list[dict[str, Any]]:
    """Return the rows of the finished trials below the folders."""
    loaded = (row.load(path) for path in dict.fromkeys(path for folder in folders for path in trials(folder)))
    return [values for values in loaded if values is not None]


def missing(*folders: Path) -> dict[str, str]:
    """Return why the other trials below the folders have no row: a reason for each trial's folder.

    If there is only one folder, the trials' folders are relative to it.
    """
    result = {}
    for path in dict.fromkeys(path for folder in folders for path in trials(folder)):
        state, reason = of(path)
        if state is not Status.FINISHED:
            name = str(path.relative_to(folders[0]) if len(folders) == 1 else path)
            if (path / row.NAME).exists():
                reason = f"{row.NAME} cannot be read"
            result[name] = " ".join(reason.split()) or state.value
    return result


def fail(folder: Path, reason: str) -> None:
    """Record why the trial in a folder failed."""
    _record(folder / FAILED, reason)


def wait(folder: Path, reason: str) -> None:
    """Record what the trial in a folder waits for."""
    _record(folder / WAITING, reason)


def start(folder: Path) -> None:
    """Remove the record of how an earlier attempt ended."""
    for name in (FAILED, WAITING):
        (folder / name).unlink(missing_ok=True)


def failure(folder: Path) -> str | None:
    """Return why the last attempt at a trial failed, None if it did not fail."""
    return _reason(folder / FAILED)


def _record(path: Path, reason: str) -> None:
    atomic.replace(path, json.dumps({"reason": reason}, indent=1) + "\n")


def _reason(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["reason"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return f"{path.name} cannot be read"


def lock(folder: Path, what: str) -> FileLock:
    """Lock a folder until the lock is released or the process ends, however it ends.

    Args:
        folder: The folder.
        what: "trial" or "sweep", for the message of the error.

    Raises:
        AlearnError: Another process holds the lock.
    """
    held = FileLock(folder / LOCK)
    try:
        held.acquire(timeout=PATIENCE)
    except Timeout:
        raise AlearnError(
            f"{folder}: another {what} is running in this folder; wait for it, or give another folder"
        ) from None
    return held


def locked(folder: Path) -> bool:
    """Return whether a process holds the lock of the folder."""
    if not (folder / LOCK).exists():
        return False
    probe = FileLock(folder / LOCK)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # another user's folder: alearn cannot be running there for us
        return False
    probe.release()
    return False
