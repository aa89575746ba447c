"""Mean and standard deviation over the seeds of a setting, for tables, pages, pictures and TensorBoard."""

import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """Mean and sample standard deviation. The mean is None without a known value, sd is None without two."""

    mean: float | None
    sd: float | None


class Run(NamedTuple):
    """The course of a value in a trial.

    Attributes:
        points: (step, value), in the order of the steps.
        finished: Whether the trial has finished. If so, it keeps its last value at all later steps.
    """

    points: Sequence[tuple[int, float | None]]
    finished: bool = True


def spread(values: Iterable[float | None]) -> Spread:
    """Return the mean and the standard deviation of the known values."""
    known = [value for value in values if value is not None]
    return Spread(
        mean=statistics.fmean(known) if known else None,
        sd=statistics.stdev(known) if len(known) > 1 else None,
    )


def by_setting(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each setting, in order of first appearance. They differ only in their seed."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        settings.setdefault(row["setting"], []).append(row)
    return settings


def average(runs: Iterable[Run]) -> dict[int, Spread]:
    """Return the spread of the runs at each step that any of them has, once all of them have had a point.

    A run keeps its value until its next point.
    """
    runs = [run for run in runs if run.points]
    if not runs:
        return {}
    start = max(run.points[0][0] for run in runs)
    steps = sorted({step for run in runs for step, _ in run.points if step >= start})
    return {step: spread(_at(run, step) for run in runs) for step in steps}


def _at(run: Run, step: int) -> float | None:
    """Return the value of a run at a step, which must not come before its first point."""
    place = bisect_right(run.points, step, key=lambda point: point[0]) - 1
    last_step, value = run.points[place]
    ended = place == len(run.points) - 1 and step > last_step and not run.finished
    return None if ended else value
