"""The sweep that a process has started: the command owns it, and Hydra's callback, which Hydra creates, finds it here.

A process that runs a single trial, or a job for a launcher, has none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from alearn.sweep.sweep_progress import Progress

_CURRENT: ContextVar["RunningSweep | None"] = ContextVar("running_sweep", default=None)


class RunningSweep:
    """The lock on a sweep's folder and the watch over its jobs, from the first job to the end of the command.

    progress: None until the sweep has begun, and again once it has ended.
    """

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self._lock: FileLock | None = None

    def begin(self, progress: "Progress", lock: FileLock) -> None:
        """Take over a sweep whose folder is locked."""
        self.progress, self._lock = progress, lock

    def again(self) -> str:
        """Say which command goes on with it."""
        return self.progress.again() if self.progress else "the same command"

    def end(self) -> str:
        """Write the last results, and return what to do about failed jobs: "" if there are none."""
        if self.progress is None:
            return ""
        progress, self.progress = self.progress, None
        progress.close()
        return progress.failures()

    def release(self) -> None:
        """Let another process have the folder."""
        if self._lock is not None:
            self._lock.release()


@contextmanager
def owned() -> Iterator[RunningSweep]:
    """Own the sweep that Hydra may start inside of the `with` block; it ends with the block."""
    sweep = RunningSweep()
    token = _CURRENT.set(sweep)
    try:
        yield sweep
    finally:
        _CURRENT.reset(token)
        try:
            sweep.end()
        finally:
            sweep.release()


def current() -> RunningSweep | None:
    """Return the sweep that the command of this process owns."""
    return _CURRENT.get()
