"""The Pareto front of a search, in pareto.md and pareto.csv: the trials that no other trial beats (see `front`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alearn.files import atomic, csv_tables
from alearn.sweep import tradeoff
from alearn.trial.metrics import BY_KEY, OBJECTIVES

NAME = "pareto.md"


@dataclass(frozen=True)
class Point:
    """A finished trial.

    Attributes:
        number: Its number.
        choices: What the search chose for it, by key, as values for the command line.
        values: Its objectives.
        folder: Its folder, relative to the folder of the sweep.
    """

    number: int
    choices: Mapping[str, str]
    values: tuple[float, float]
    folder: str


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points for which no other point is at least as good in both objectives and better in one.

    They are sorted by the share of hand labels. Of points with the same choices, only the first is returned.
    """
    kept: list[Point] = []
    points = sorted(points, key=lambda point: point.number)
    for point in (points[i] for i in tradeoff.front([point.values for point in points])):
        if all(point.choices != other.choices for other in kept):
            kept.append(point)
    return kept


def write(folder: Path, points: Sequence[Point]) -> None:
    """Write the front of the points to pareto.md and pareto.csv. Write nothing if there are no points."""
    if points:
        atomic.replace(folder / "pareto.csv", to_csv(front(points)))
        atomic.replace(folder / NAME, markdown(front(points)))


def to_csv(best: Sequence[Point]) -> str:
    """Return the text of pareto.csv: number, a column for each key, the objectives with all digits, and folder."""
    return csv_tables.to_text(
        ["number", *best[0].choices, *OBJECTIVES, "folder"],
        ([point.number, *point.choices.values(), *point.values, point.folder] for point in best),
    )


def markdown(best: Sequence[Point]) -> str:
    """Return the text of pareto.md, for people: numbers have up to 7 digits, and shares are in percent."""
    lines = [["number", *best[0].choices, *(BY_KEY[key].title for key in OBJECTIVES), "folder"]]
    lines.append(["---"] * len(lines[0]))
    for point in best:
        hand, mislabeled = point.values
        lines.append(
            [str(point.number), *map(_short, point.choices.values()), f"{hand:.2%}", f"{mislabeled:.3%}", point.folder]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def progress(points: Sequence[Point], wanted: int, failed: int) -> str:
    """Return a line that says how many of the wanted trials have finished or failed, with both ends of the front."""
    line = f"search: {len(points)} of {wanted} trials finished"
    if failed:
        line += f", {failed} failed"
    best = [
        f"{hand:.2%} by hand, {mislabeled:.3%} mislabeled"
        for hand, mislabeled in (point.values for point in front(points))
    ]
    if best:
        ends = best if len(best) == 1 else [best[0], best[-1]]
        line += f"; front of {len(best)}: {' ... '.join(ends)}"
    return line


def _short(value: str) -> str:
    try:
        return f"{float(value):.7g}" if len(value) > 9 else value
    except ValueError:
        return value
