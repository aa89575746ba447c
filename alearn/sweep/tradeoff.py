"""What labels cost: a picture of a sweep that shows the share of hand labels against the share of wrong labels.

Matplotlib is slow to import, and a sweep's workers never draw. So it is imported only when something is drawn.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alearn.files import atomic
from alearn.report.html.curves import STYLE, inline
from alearn.report.html.page import LIGHT
from alearn.sweep import averages
from alearn.sweep.sweep_table import names
from alearn.trial.metrics import objectives

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
"""Share of hand labels, share of wrong labels; both of all images."""

COLOURS = [LIGHT[f"s{number}"] for number in range(8)]
"""The colours of settings. If there are more settings, all have the same colour."""


def learning_curve(rows: Sequence[dict[str, Any]]) -> list[Point]:
    """Return the mean points that the trials of one setting would have reached if they had finished earlier.

    There is a point for each number of hand labels that all of these trials had at the end of some round.
    """
    runs = [{hand: wrong for hand, wrong in row.get("learning_curve", ()) if wrong is not None} for row in rows]
    means = {
        hand: averages.spread(run[hand] for run in runs).mean for hand in sorted(set.intersection(*map(set, runs)))
    }
    images = rows[0]["images"]
    return [(hand / images, mean / images) for hand, mean in means.items() if mean is not None]


def published(row: dict[str, Any]) -> Point | None:
    """Return the point of the published trial that a trial is compared with, None if there is none.

    The published share of wrong labels is a share of the auto labels. Here it becomes a share of all images.
    """
    result = row["published"]
    if result is None:
        return None
    total = result["hand"] + result["auto"]
    return result["hand"] / total, result["mislabeled"] * result["auto"] / total


def front(points: Sequence[Point]) -> list[int]:
    """Return the Pareto front: the indices of the points that no other point beats, sorted by hand labels.

    A point beats another if it is not worse in either share, and better in at least one.
    """
    best: list[int] = []
    for number in sorted(range(len(points)), key=lambda i: points[i]):
        if not best or points[number][1] < points[best[-1]][1] or points[number] == points[best[-1]]:
            best.append(number)
    return best


def save(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write tradeoff.png and tradeoff.svg. Write nothing if no row knows how many of its labels are wrong."""
    if any(row["mislabeled_total"] is not None for row in rows):
        for kind in ("png", "svg"):
            atomic.replace(folder / f"tradeoff.{kind}", _drawn(rows, kind, "white"))


def svg(rows: Sequence[dict[str, Any]]) -> str:
    """Return the picture as an <svg> element for a page, "" if no row knows how many of its labels are wrong."""
    if all(row["mislabeled_total"] is None for row in rows):
        return ""
    return inline(_drawn(rows, "svg", "none").decode(), "tradeoff")


def _drawn(rows: Sequence[dict[str, Any]], kind: str, background: str) -> bytes:
    import matplotlib as mpl

    content = io.BytesIO()
    with mpl.rc_context(STYLE):
        metadata = {"Date": None} if kind == "svg" else {}  # the same rows give the same file
        draw(rows).savefig(content, format=kind, dpi=150, facecolor=background, metadata=metadata)
    return content.getvalue()


def draw(rows: Sequence[dict[str, Any]]) -> "Figure":
    """Draw the picture.

    It has a point for each trial; a mean, a standard deviation and a learning curve for each setting; the published
    points; and the Pareto front of the means.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    rows = [row for row in rows if row["mislabeled_total"] is not None]
    groups = averages.by_setting(rows)
    figure = Figure(figsize=(7.2, 4), layout="constrained")
    axes = figure.subplots()
    few = len(groups) <= len(COLOURS)
    titles = names({row["setting"]: row["config"] for row in rows})
    means: list[Point] = []
    for number, (setting, group) in enumerate(groups.items()):
        colour = COLOURS[number] if few else COLOURS[0]
        hand, wrong = zip(*map(objectives, group), strict=True)
        mean_hand, sd_hand = averages.spread(hand)
        mean_wrong, sd_wrong = averages.spread(wrong)
        assert mean_hand is not None
        assert mean_wrong is not None
        means.append((mean_hand, mean_wrong))
        if few and (curve := learning_curve(group)):
            axes.plot(*zip(*curve, strict=True), color=colour, lw=1.2, alpha=0.8)
        axes.scatter(hand, wrong, s=14, color=colour, alpha=0.5, linewidths=0)
        label = titles[setting] if few else "_none"  # an underscore keeps it out of the legend
        axes.errorbar(*means[-1], sd_wrong or 0, sd_hand or 0, fmt="o", ms=5, capsize=3, color=colour, label=label)
    best = [means[number] for number in front(means)]
    x, y = zip(*best, strict=True)
    axes.step(x, y, where="post", color=LIGHT["soft"], lw=1, ls="--", zorder=0, label="Pareto front")
    _draw_published(axes, rows)
    if min(row["mislabeled_total"] for row in rows) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axes.set_yscale("symlog", linthresh=max(1 / row["images"] for row in rows))  # this scale has a place for 0
        axes.set_ylim(bottom=0)
    axes.set(xlabel="hand labels, share of all images", ylabel="wrong labels, share of all images")
    axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    axes.legend(fontsize="small", labelcolor=LIGHT["ink"], frameon=False)
    return figure


def _draw_published(axes: "Axes", rows: Sequence[dict[str, Any]]) -> None:
    """Draw a cross for each published point, with the names of the trials that are compared with it."""
    compared: dict[Point, set[str]] = {}
    for row in rows:
        if (point := published(row)) is not None:
            compared.setdefault(point, set()).add(row["trial"])
    if not compared:
        return
    x, y = zip(*compared, strict=True)
    axes.scatter(x, y, marker="x", s=40, color=LIGHT["ink"], label="published")
    middle = sum(axes.get_xlim()) / 2
    for (hand, wrong), trials in compared.items():
        left = hand > middle
        axes.annotate(
            ", ".join(sorted(trials)),
            (hand, wrong),
            xytext=(-4 if left else 4, 4),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize="small",
            color=LIGHT["ink"],
        )
