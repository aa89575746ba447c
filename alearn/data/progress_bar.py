"""Show the progress of work on images on standard error: a bar on a terminal, otherwise a line from time to time."""

from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

QUIET_SECONDS = 30.0
"""Seconds between two lines if there is no terminal."""


class Bar:
    """A progress bar: a context manager in which `advance` reports finished images."""

    def __init__(self, total: int, doing: str, out: Console | None = None) -> None:
        """total: number of images. doing: what happens to them. out: where to print, standard error if None."""
        self._out = out or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn(doing),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f} images/s"),
            TimeRemainingColumn(),
            console=self._out,
            transient=True,
            disable=not self._out.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, rate=0.0)
        self._doing = doing
        self._total = total
        self._done = 0
        self._start = monotonic()
        self._last = self._start

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, count: int) -> None:
        """Report that `count` more images are done."""
        self._done += count
        now = monotonic()
        rate = self._done / max(now - self._start, 1e-9)
        self._bar.update(self._task, advance=count, rate=rate)
        if not self._out.is_terminal and now - self._last > QUIET_SECONDS:
            left = (self._total - self._done) / rate
            text = f"{self._doing}: {self._done:,} of {self._total:,} images, {rate:,.0f} a second"
            self._out.print(f"{text}, about {left:,.0f} s left", markup=False)
            self._last = now
