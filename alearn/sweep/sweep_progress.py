"""A sweep as its main process sees it: what has ended, how long the rest will take, the results so far."""

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
"""Of the time: what the table may take while jobs run, and what pictures and reports may. All of them are read whole
for it: without a limit, a job of a large sweep would cost more than one of a small sweep.
"""


class Progress:
    """Says what ends, and rebuilds the results. It reads the sweep's folder alone, so it works with every launcher.

    folder: the sweep's. ended, finished: how many jobs have come to an end since this began, to a good one.
    """

    def __init__(
        self,
        folder: Path,
        total: int | None,
        fixed: Collection[str] = (),
        search: bool = False,
        out: Console | None = None,
    ) -> None:
        """total: number of jobs, None if nobody knows. fixed: words of the command line that are the same for all.

        search: its failed jobs are not run again, others take their place.
        """
        self.folder, self._total, self._fixed = folder, total, set(fixed)
        self._out = out or Console(highlight=False, soft_wrap=True)
        self._search, self._start, self.ended, self.finished = search, monotonic(), 0, 0
        self._built: dict[Callable[[Path], Any], tuple[float, float]] = {}  # when, and how many seconds it took
        self._stands: dict[Path, Status] = {}
        self._best: tuple[float, int, Path] | None = None
        jobs = status.trials(folder)
        self._old = {path: _failed_at(path) for path in jobs}
        self._look(jobs)
        self._thread, self._over = Thread(target=self._watch, daemon=True), Event()

    def watch(self) -> None:
        """Look every second from now on: the jobs run in other processes."""
        self._thread.start()

    def update(self, job: Path | None = None) -> None:
        """Look once, at one job's folder if it is known. If any have ended since, say so and rebuild the results."""
        new = self._look(status.trials(self.folder) if job is None else [job])
        self.ended += len(new)
        self.finished += sum(self._stands[path] is Status.FINISHED for path in new)
        for path in new:
            self._say(self._job(path))
        if new:
            self._say(self.line())
            self._build()

    def close(self) -> None:
        """The jobs are over, one way or another."""
        self._unwatch()
        self.update()
        if self._count(Status.FINISHED, Status.FAILED) and self._build(last=True):
            self._say(f"results: {self.folder}/table.md, tradeoff.png, report.html")

    def wait(self) -> None:
        """Until no job is running."""
        self._unwatch()
        self.update()
        while self._count(Status.RUNNING):
            sleep(EVERY)
            self.update()

    def line(self) -> str:
        """Where the sweep stands."""
        done, failed, running = map(self._count, (Status.FINISHED, Status.FAILED, Status.RUNNING))
        parts = [f"{done} of {self._total or len(self._stands)} done"]
        parts += [f"{failed} failed"] * bool(failed) + [f"{running} running"] * bool(running)
        left = (self._total or 0) - done - failed
        if left > 0 and self.ended:
            parts.append(f"about {duration((monotonic() - self._start) / self.ended * left)} left")
        if self._best is not None:
            _, _, path = self._best
            best = row.load(path)
            parts[-1] += f"; fewest wrong: {self._name(path)} with {_outcome(best)}" if best else ""
        return f"sweep: {', '.join(parts)}"

    def again(self) -> str:
        """How to go on with the sweep, in words."""
        return f"the same command with hydra.sweep.dir={shlex.quote(str(self.folder))}"

    def failures(self) -> str:
        """What to do about the jobs that failed; "" if none did."""
        failed = self._count(Status.FAILED)
        total = self._total or len(self._stands)
        return f"{failed} of {total} jobs failed; {self.again()} runs them again" * bool(failed and not self._search)

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
        """Take down how jobs stand; returns those that have ended since the last time."""
        new = []
        for path in jobs:
            before = self._stands.get(path)
            if before is not Status.FINISHED:
                self._stands[path] = now = self._stand(path)
                if now is not before and now in (Status.FINISHED, Status.FAILED):
                    new.append(path)
                done = row.load(path) if now is Status.FINISHED else None
                if done and done["mislabeled_total"] is not None:
                    mine = (done["mislabeled_total"], done["hand"], path)
                    self._best = min(self._best or mine, mine)
        return new

    def _stand(self, path: Path) -> Status:
        stands, _ = status.of(path)
        if stands is Status.FAILED and _failed_at(path) in (None, self._old.get(path)):
            return Status.INTERRUPTED  # that was an earlier sweep: this one will run it again
        return stands

    def _count(self, *which: Status) -> int:
        counts = Counter(self._stands.values())
        return sum(counts[one] for one in which)

    def _job(self, path: Path) -> str:
        name = self._name(path)
        done = row.load(path)
        if done is None:
            return f"{name} failed: {' '.join(status.of(path)[1].split())}"
        words = " ".join(word for word in done["overrides"] if word not in self._fixed)
        return f"{name}{f' ({words})' if words else ''}: {_outcome(done)}, {duration(done['seconds']['total'])}"

    def _build(self, last: bool = False) -> bool:
        """The table, and the pictures and the report, each if its time has come. Returns whether there was room."""
        for build in (results.table, results.pictures):
            then, took = self._built.get(build, (self._start, 0.0))
            start = monotonic()
            if last or start - then >= took / SHARE:
                try:
                    build(self.folder)
                except OSError as error:  # the jobs are what counts: they go on, or say so themselves
                    self._say(f"{self.folder}: no results ({error.strerror}); alearn table writes them when it can")
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
    except OSError:  # not, or not any more
        return None


def _outcome(done: dict[str, Any]) -> str:
    share = done["mislabeled_total"]
    return ("" if share is None else f"{share:.2%} mislabeled, ") + f"{done['hand']:,} by hand"
