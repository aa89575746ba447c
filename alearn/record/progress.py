"""A sweep as its main process sees it: what has ended, how long the rest will take, the results so far."""

import shlex
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import Any

from rich.console import Console

from alearn.record import results, row, status
from alearn.record.status import Status

EVERY = 1.0
"""Seconds between two looks at a sweep whose jobs run in other processes."""
SHARE = 0.05
"""Of the time: what pictures and reports may take while jobs run."""


class Progress:
    """Says what ends, and rebuilds the results. It reads the sweep's folder alone, so it works with every launcher.

    folder: the sweep's. ended: how many jobs have come to an end since this began.
    """

    def __init__(
        self, folder: Path, total: int | None, fixed: Collection[str] = (), out: Console | None = None
    ) -> None:
        """total: number of jobs, None if nobody knows. fixed: words of the command line that are the same for all."""
        self.folder, self._total, self._fixed = folder, total, set(fixed)
        self._out = out or Console(highlight=False, soft_wrap=True)
        self._began, self._start, self.ended = time(), monotonic(), 0
        self._drawn, self._cost = self._start, 0.0
        self._stands: dict[Path, Status] = {}
        self._look()
        self._thread, self._over = Thread(target=self._watch, daemon=True), Event()

    def watch(self) -> None:
        """Look every second from now on: the jobs run in other processes."""
        self._thread.start()

    def update(self) -> None:
        """Look once. If jobs have ended since, say so and rebuild the table; pictures and reports now and then."""
        new = self._look()
        self.ended += len(new)
        for path in new:
            self._say(self._job(path))
        if new:
            self._say(self.line())
            results.table(self.folder)
            if monotonic() - self._drawn > self._cost / SHARE:
                self._draw()

    def close(self) -> None:
        """The jobs are over, one way or another."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self.update()
        if self._count(Status.FINISHED, Status.FAILED):
            results.table(self.folder)
            self._draw()
            self._say(f"results: {self.folder}/table.md, tradeoff.png, report.html")

    def wait(self) -> None:
        """Until no job is running."""
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
            parts.append(f"about {_time((monotonic() - self._start) / self.ended * left)} left")
        return f"sweep: {', '.join(parts)}{self._best()}"

    def again(self) -> str:
        """How to go on with the sweep, in words."""
        return f"the same command with hydra.sweep.dir={shlex.quote(str(self.folder))}"

    def failures(self) -> str:
        """What to do about the jobs that failed; "" if none did."""
        failed = self._count(Status.FAILED)
        total = self._total or len(self._stands)
        return f"{failed} of {total} jobs failed; {self.again()} runs them again" * bool(failed)

    def _watch(self) -> None:
        with self._out.status("") as live:  # shows on a terminal only
            while not self._over.wait(EVERY):
                self.update()
                live.update(self.line())

    def _look(self) -> list[Path]:
        """Take down how every job stands; returns those that have ended since the last time."""
        new = []
        for path in status.trials(self.folder):
            before = self._stands.get(path)
            if before is not Status.FINISHED:
                self._stands[path] = now = self._stand(path)
                if now is not before and now in (Status.FINISHED, Status.FAILED):
                    new.append(path)
        return new

    def _stand(self, path: Path) -> Status:
        stands, _ = status.of(path)
        if stands is Status.FAILED and (path / status.FAILED).stat().st_mtime < self._began:
            return Status.INTERRUPTED  # that was an earlier sweep: this one will run it again
        return stands

    def _count(self, *which: Status) -> int:
        counts = Counter(self._stands.values())
        return sum(counts[one] for one in which)

    def _job(self, path: Path) -> str:
        name = f"job {path.relative_to(self.folder)}"
        done = row.load(path)
        if done is None:
            return f"{name} failed: {status.of(path)[1]}"
        words = " ".join(word for word in done["overrides"] if word not in self._fixed)
        return f"{name}{f' ({words})' if words else ''}: {_outcome(done)}, {_time(done['seconds']['total'])}"

    def _best(self) -> str:
        rows = {path: row.load(path) for path, stands in self._stands.items() if stands is Status.FINISHED}
        known = [
            (r["mislabeled_total"], r["hand"], path, r)
            for path, r in rows.items()
            if r and r["mislabeled_total"] is not None
        ]
        if not known:
            return ""
        *_, path, best = min(known, key=lambda one: one[:2])
        return f"; fewest wrong: job {path.relative_to(self.folder)} with {_outcome(best)}"

    def _draw(self) -> None:
        start = monotonic()
        results.pictures(self.folder)
        self._drawn = monotonic()
        self._cost = self._drawn - start

    def _say(self, text: str) -> None:
        self._out.print(text, markup=False)


def _outcome(done: dict[str, Any]) -> str:
    share = done["mislabeled_total"]
    return ("" if share is None else f"{share:.2%} mislabeled, ") + f"{done['hand']:,} by hand"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
