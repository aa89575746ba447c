"""The sweep that this process runs. The command owns it. Hydra creates the callback, which looks up the sweep here.

A process that runs a single trial, or a job for a launcher, has no sweep.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

    from alearn.sweep.sweep_progress import Progress


class RunningSweep:
    """The lock on a sweep's folder and the watch over its jobs, from before the first job to the end of the command.

    Attributes:
        progress: The watch. It is None before the sweep has begun and after it has ended.
    """

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self._lock: FileLock | None = None

    def lock(self, folder: Path) -> None:
        """Create the sweep's folder, and lock it until `release`.

        Raises:
            AlearnError: Another process has locked it.
        """
        from alearn.trial import status

        folder.mkdir(parents=True, exist_ok=True)
        self._lock = status.lock(folder, "sweep")

    def begin(self, progress: "Progress", watch: bool) -> None:
        """Begin to report the jobs that end. watch: Whether to look for them, because they run in other processes."""
        self.progress = progress
        if watch:
            progress.watch()

    def update(self, job: Path) -> None:
        """Report a job that has ended in this process, if it belongs to a sweep."""
        if self.progress is not None:
            self.progress.update(job)

    def again(self) -> str:
        """Return the command that continues the sweep, in words."""
        return self.progress.again() if self.progress else "the same command"

    def end(self) -> str:
        """Write the last results, and return what to do about failed jobs ("" if there are none)."""
        if self.progress is None:
            return ""
        progress, self.progress = self.progress, None
        progress.close()
        return progress.failures()

    def release(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            self._lock.release()


_current: ContextVar[RunningSweep] = ContextVar("running_sweep")


def current() -> RunningSweep | None:
    """Return the sweep that the command of this process owns, None if it owns none."""
    return _current.get(None)


@contextmanager
def owned() -> Iterator[RunningSweep]:
    """Own the sweep that Hydra may start inside the `with` block. It ends with the block."""
    sweep = RunningSweep()
    token = _current.set(sweep)
    try:
        yield sweep
    finally:
        _current.reset(token)
        try:
            sweep.end()
        finally:
            sweep.release()
