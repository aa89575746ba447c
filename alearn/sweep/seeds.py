"""Mean and standard deviation over the seeds of a setting. Tables, pages, pictures and TensorBoard average here."""

import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """Mean and standard deviation (the sample's). None where too few values are known: one, or two."""

    mean: float | None
    sd: float | None


class Run(NamedTuple):
    """How a value went in a trial.

    points: (step, value), in order. finished: whether the trial keeps its last value from then on.
    """

    points: Sequence[tuple[int, float | None]]
    finished: bool = True


def spread(values: Iterable[float | None]) -> Spread:
    """Return mean and standard deviation of the values that are known."""
    known = [value for value in values if value is not None]
    return Spread(
        mean=statistics.fmean(known) if known else None,
        sd=statistics.stdev(known) if len(known) > 1 else None,
    )


def by_setting(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each setting, in order of first appearance: those that differ in their seed alone."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        settings.setdefault(row["setting"], []).append(row)
    return settings


def average(runs: Iterable[Run]) -> dict[int, Spread]:
    """Return the spread of runs at each step that one of them has, from the first at which all have a point.

    A run holds its value until its next point.
    """
    runs = [run for run in runs if run.points]
    if not runs:
        return {}
    start = max(run.points[0][0] for run in runs)
    steps = sorted({step for run in runs for step, _ in run.points if step >= start})
    return {step: spread(_at(run, step) for run in runs) for step in steps}


def _at(run: Run, step: int) -> float | None:
    """Return the value of a run at a step that is not before its first one."""
    place = bisect_right(run.points, step, key=lambda point: point[0]) - 1
    last_step, value = run.points[place]
    ended = place == len(run.points) - 1 and step > last_step and not run.finished
    return None if ended else value
