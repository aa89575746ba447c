"""The Pareto front of a search: the trials that no other beats in both objectives. pareto.md and pareto.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alearn.files import atomic, csv_tables
from alearn.sweep import tradeoff
from alearn.trial.metrics import BY_KEY, OBJECTIVES

NAME = "pareto.md"


@dataclass(frozen=True)
class Point:
    """A finished trial: its number, its choices by key, its objectives, its folder within the sweep's."""

    number: int
    words: Mapping[str, str]
    values: tuple[float, float]
    folder: str


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points for which no other is at least as good in both objectives and better in one, by hand share.

    Of points with the same choices, only the first counts.
    """
    kept: list[Point] = []
    points = sorted(points, key=lambda point: point.number)
    for point in (points[i] for i in tradeoff.front([point.values for point in points])):
        if all(point.words != other.words for other in kept):
            kept.append(point)
    return kept


def write(folder: Path, points: Sequence[Point]) -> None:
    """Write pareto.md and pareto.csv of the front of these points, whole; nothing if there are none."""
    if points:
        atomic.replace(folder / "pareto.csv", to_csv(front(points)))
        atomic.replace(folder / NAME, markdown(front(points)))


def to_csv(best: Sequence[Point]) -> str:
    """Return pareto.csv: number, a column for each key, the objectives as shares with all digits, folder."""
    return csv_tables.to_text(
        ["number", *best[0].words, *OBJECTIVES, "folder"],
        ([point.number, *point.words.values(), *point.values, point.folder] for point in best),
    )


def markdown(best: Sequence[Point]) -> str:
    """Return pareto.md, for people: numbers cut to 7 digits, shares in percent."""
    lines = [["number", *best[0].words, *(BY_KEY[key].title for key in OBJECTIVES), "folder"]]
    lines.append(["---"] * len(lines[0]))
    for point in best:
        hand, mislabeled = point.values
        lines.append(
            [str(point.number), *map(_short, point.words.values()), f"{hand:.2%}", f"{mislabeled:.3%}", point.folder]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def progress(points: Sequence[Point], wanted: int, failed: int) -> str:
    """Return a line: how many of the wanted trials have finished or failed, and the two ends of the front."""
    line = f"search: {len(points)} of {wanted} trials finished"
    if failed:
        line += f", {failed} failed"
    best = [
        f"{hand:.2%} by hand, {mislabeled:.3%} mislabeled" for hand, mislabeled in (p.values for p in front(points))
    ]
    if best:
        ends = best if len(best) == 1 else [best[0], best[-1]]
        line += f"; front of {len(best)}: {' ... '.join(ends)}"
    return line


def _short(word: str) -> str:
    try:
        return f"{float(word):.7g}" if len(word) > 9 else word
    except ValueError:
        return word
