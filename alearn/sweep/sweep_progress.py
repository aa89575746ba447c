"""The progress of a sweep, as its main process sees it: which jobs have ended, the time left, the results so far."""

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from rich.console import Console

from alearn.report.html.page import duration
from alearn.sweep import results
from alearn.trial import row, status
from alearn.trial.status import Status

EVERY = 1.0
"""Seconds between two looks at a sweep whose jobs run in other processes."""
SHARE = 0.05
"""The share of the time that the table may take while jobs run. The pictures and reports may take the same share.

Each rebuild reads all rows, so without a limit, a job would cost more in a large sweep than in a small one.
"""


class Progress:
    """The watch over a sweep. It reports the jobs that end, and rebuilds the results.

    It reads only the folder of the sweep, so it works with every launcher.

    Attributes:
        folder: The folder of the sweep.
        ended: How many jobs have ended since the watch began.
        finished: How many of these jobs have finished, and not failed.
    """

    def __init__(
        self,
        folder: Path,
        total: int | None,
        fixed: Collection[str] = (),
        search: bool = False,
        out: Console | None = None,
    ) -> None:
        """Look at the folder for the first time.

        Args:
            folder: The folder of the sweep.
            total: The number of jobs, None if nobody knows it.
            fixed: The overrides that are the same for all jobs.
            search: Whether the sweep is a search. A search does not run failed jobs again, but replaces them.
            out: Where to print.
        """
        self.folder = folder
        self.ended = 0
        self.finished = 0
        self._total = total
        self._fixed = set(fixed)
        self._search = search
        self._out = out or Console(highlight=False, soft_wrap=True)
        self._start = monotonic()
        self._built: dict[Callable[[Path], Any], tuple[float, float]] = {}  # when, and how many seconds it took
        self._status: dict[Path, Status] = {}
        self._best: tuple[float, int, Path] | None = None
        jobs = status.trials(folder)
        self._old = {path: _failed_at(path) for path in jobs}
        self._look(jobs)
        self._thread = Thread(target=self._watch, daemon=True)
        self._over = Event()

    def watch(self) -> None:
        """Look every second from now on. This is for jobs that run in other processes."""
        self._thread.start()

    def update(self, job: Path | None = None) -> None:
        """Look once. If jobs have ended since the last look, report them and rebuild the results.

        Args:
            job: The folder of the only job to look at; None for all jobs.
        """
        new = self._look(status.trials(self.folder) if job is None else [job])
        self.ended += len(new)
        self.finished += sum(self._status[path] is Status.FINISHED for path in new)
        for path in new:
            self._say(self._job(path))
        if new:
            self._say(self.line())
            self._build()

    def close(self) -> None:
        """Stop watching: all jobs have ended. Write the last results."""
        self._unwatch()
        self.update()
        if self._count(Status.FINISHED, Status.FAILED) and self._build(last=True):
            self._say(f"results: {self.folder}/table.md, tradeoff.png, report.html")

    def wait(self) -> None:
        """Wait until no job is running."""
        self._unwatch()
        self.update()
        while self._count(Status.RUNNING):
            sleep(EVERY)
            self.update()

    def line(self) -> str:
        """Return a line that says how far the sweep is."""
        done, failed, running = map(self._count, (Status.FINISHED, Status.FAILED, Status.RUNNING))
        parts = [f"{done} of {self._total or len(self._status)} done"]
        if failed:
            parts.append(f"{failed} failed")
        if running:
            parts.append(f"{running} running")
        left = (self._total or 0) - done - failed
        if left > 0 and self.ended:
            parts.append(f"about {duration((monotonic() - self._start) / self.ended * left)} left")
        if self._best is not None:
            _, _, path = self._best
            best = row.load(path)
            parts[-1] += f"; fewest wrong: {self._name(path)} with {_outcome(best)}" if best else ""
        return f"sweep: {', '.join(parts)}"

    def again(self) -> str:
        """Return the command that continues the sweep, in words."""
        return f"the same command with hydra.sweep.dir={shlex.quote(str(self.folder))}"

    def failures(self) -> str:
        """Return what to do about the jobs that failed, "" if there are none or if a search will replace them."""
        failed = self._count(Status.FAILED)
        if not failed or self._search:
            return ""
        return f"{failed} of {self._total or len(self._status)} jobs failed; {self.again()} runs them again"

    def _unwatch(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        with self._out.status("") as live:  # shows on a terminal only
            while not self._over.wait(EVERY):
                self.update()
                live.update(self.line())

    def _look(self, jobs: Iterable[Path]) -> list[Path]:
        """Record the status of jobs; return those that have ended since the last look."""
        new = []
        for path in jobs:
            before = self._status.get(path)
            if before is not Status.FINISHED:
                self._status[path] = now = self._status_now(path)
                if now is not before and now in (Status.FINISHED, Status.FAILED):
                    new.append(path)
                done = row.load(path) if now is Status.FINISHED else None
                if done and done["mislabeled_total"] is not None:
                    mine = (done["mislabeled_total"], done["hand"], path)
                    self._best = min(self._best or mine, mine)
        return new

    def _status_now(self, path: Path) -> Status:
        state, _ = status.of(path)
        if state is Status.FAILED and _failed_at(path) in (None, self._old.get(path)):
            return Status.INTERRUPTED  # it failed before this sweep began, and will be run again
        return state

    def _count(self, *which: Status) -> int:
        counts = Counter(self._status.values())
        return sum(counts[state] for state in which)

    def _job(self, path: Path) -> str:
        name = self._name(path)
        done = row.load(path)
        if done is None:
            return f"{name} failed: {' '.join(status.of(path)[1].split())}"
        own = " ".join(override for override in done["overrides"] if override not in self._fixed)
        return f"{name}{f' ({own})' if own else ''}: {_outcome(done)}, {duration(done['seconds']['total'])}"

    def _build(self, last: bool = False) -> bool:
        """Rebuild the table, and the pictures with the report, each if its share of the time allows it.

        Args:
            last: Rebuild both in any case.

        Returns:
            Whether the results could be written.
        """
        for build in (results.table, results.pictures):
            then, took = self._built.get(build, (self._start, 0.0))
            start = monotonic()
            if last or start - then >= took / SHARE:
                try:
                    build(self.folder)
                except OSError as error:  # this must not stop the jobs; they report errors themselves
                    self._say(f"{self.folder}: cannot write results ({error.strerror}); alearn table writes them later")
                    return False
                self._built[build] = monotonic(), monotonic() - start
        return True

    def _name(self, path: Path) -> str:
        return f"job {path.relative_to(self.folder)}"

    def _say(self, text: str) -> None:
        self._out.print(text, markup=False)


def _failed_at(path: Path) -> int | None:
    try:
        return (path / status.FAILED).stat().st_mtime_ns
    except OSError:  # it has not failed, or its failure was removed
        return None


def _outcome(done: dict[str, Any]) -> str:
    share = done["mislabeled_total"]
    return ("" if share is None else f"{share:.2%} mislabeled, ") + f"{done['hand']:,} by hand"
