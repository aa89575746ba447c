"""Curves as SVG inside of a page. Text stays text and colours are the page's variables, so they follow its dark mode.

A legend is part of the page, not of the picture: it wraps on a phone, and names in it may hold anything. This module
and `alearn.sweep.tradeoff` know matplotlib, by its objects: pyplot would keep every figure and look for a display.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from alearn.report.html.page import LIGHT
from alearn.values import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.4, 2.5)
"""Inches. A point is about a pixel when two stand side by side."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "alearn",  # the same curves give the same file
    "font.size": 9.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["grid"],
    "axes.labelcolor": LIGHT["soft"],
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LIGHT["grid"],
    "grid.linewidth": 0.6,
    "xtick.color": LIGHT["grid"],
    "ytick.color": LIGHT["grid"],
    "xtick.labelcolor": LIGHT["soft"],
    "ytick.labelcolor": LIGHT["soft"],
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
}


@dataclass(frozen=True)
class Series:
    """One line or layer. colour: a name of `page.LIGHT`. y: a number for each x, None or nan where there is none.

    x: 1, 2, 3, ... if nothing else is given. sd: half the width of a band around it.
    """

    label: str
    colour: str
    y: Sequence[float | None]
    x: Sequence[float | None] | None = None
    sd: Sequence[float | None] | None = None
    dashed: bool = False

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return bool(np.isfinite(_floats(self.y)).any())


@dataclass(frozen=True)
class Chart:
    """A picture for a page. svg: markup. legend: (label, colour name)."""

    title: str
    svg: str
    legend: tuple[tuple[str, str], ...]
    note: str


def lines(title: str, series: Sequence[Series], x_label: str = "round", log: bool = False) -> Chart | None:
    """Shares over rounds, or over `x_label`; None if there is nothing to draw. log: on a log scale, if that helps."""
    shown = [one for one in series if one.known]
    if not shown:
        return None
    values = np.concatenate([_floats(one.y) for one in shown])
    positive = values[values > 0]
    scaled = log and len(positive) > 0 and positive.max() / positive.min() > 10

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        for one in shown:
            y, x = _floats(one.y), np.arange(1, len(one.y) + 1) if one.x is None else _floats(one.x)
            y = np.where(y > 0, y, np.nan) if scaled else y
            marker = "" if one.dashed or len(x) > 40 else "o"
            axes.plot(x, y, color=LIGHT[one.colour], marker=marker, linestyle="--" if one.dashed else "-")
            if one.sd is not None:
                sd = _floats(one.sd)
                low = np.maximum(y - sd, y / 10 if scaled else 0)  # a log scale has no zero to reach down to
                axes.fill_between(x, low, y + sd, color=LIGHT[one.colour], alpha=0.18, linewidth=0)
        if scaled:
            axes.set_yscale("log")
            decades = math.log10(positive.max() / positive.min())
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 3.0)))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.3g} %"))
        if x_label == "round":
            _rounds(axes, 1, max(len(one.y) for one in shown if one.x is None))
        else:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
            axes.locator_params(axis="x", nbins=5)

    zeros = "The scale is logarithmic: what is zero has no point." if scaled and (values == 0).any() else ""
    return _chart(title, draw, shown, x_label, zeros)


def stacked(title: str, series: Sequence[Series], first: int = 1, last: str = "", unit: str = "") -> Chart:
    """Bars of one unit's width, on top of each other, from round `first` on. last: what to call the last bar instead of
    its number.
    """

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import FuncFormatter

        bars = len(series[0].y)
        base: Array = np.zeros(bars)
        edges = np.arange(first, first + bars + 1) - 0.5
        for one in series:
            top = base + _floats(one.y)
            axes.stairs(top, edges, baseline=base, fill=True, color=LIGHT[one.colour], linewidth=0)
            base = top
        axes.margins(x=0)
        axes.set_ylim(0, max(float(base.max()) * 1.03, 1e-9))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}{unit}"))
        _rounds(axes, first, first + bars - 1, last)

    return _chart(title, draw, series, "round")


def _rounds(axes: Axes, first: int, last: int, name: str = "") -> None:
    """Whole numbers on the x axis, the last one under a name if it has one."""
    step = max(1, math.ceil((last - first + 1) / 10))
    ticks = [tick for tick in range(first, last + 1, step) if not name or tick <= last - max(1, 0.7 * step)]
    labels = list(map(str, ticks))
    if name:
        ticks, labels = [*ticks, last], [*labels, name]
    axes.set_xticks(ticks, labels)


def _floats(values: Sequence[float | None]) -> Array:
    return np.array([math.nan if value is None else value for value in values], float)


def _chart(title: str, draw: Callable[[Axes], Any], series: Sequence[Series], x_label: str, note: str = "") -> Chart:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    file = io.StringIO()
    with mpl.rc_context(STYLE):
        figure = Figure(SIZE)
        axes = figure.add_axes(
            (0.14, 0.185, 0.84, 0.775)
        )  # room for "60,000"; a layout engine would take most of the time
        draw(axes)
        axes.set_xlabel(x_label)
        figure.savefig(file, format="svg", metadata={"Date": None})
    legend = tuple((one.label, one.colour) for one in series)
    return Chart(title, inline(file.getvalue(), title), legend if len(legend) > 1 else (), note)


def inline(svg: str, title: str) -> str:
    """From matplotlib's file to markup for a page: without what only a file needs, ids made the picture's own, colours
    made variables.
    """
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    head, body = text.split(">", 1)
    text = re.sub(r' (xmlns(:\w+)?|version|width|height)="[^"]*"', "", head) + ">" + body
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    own = "".join(letter if letter.isalnum() else "-" for letter in title)
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{own}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{own}-", text)
    names = {value: name for name, value in LIGHT.items()}
    text = re.sub(r"#[0-9a-f]{6}\b", lambda found: f"var(--{names[found[0]]})" if found[0] in names else found[0], text)
    return re.sub(r">\s+<", "><", text)
