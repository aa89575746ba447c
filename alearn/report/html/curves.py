"""Curves as SVG inside a page. Text stays text, and colours are variables of the page, so both follow its dark mode.

A legend is part of the page and not of the picture, so it wraps on a phone, and its names may contain anything. Only
this module and `alearn.sweep.tradeoff` use matplotlib. They use its objects, because pyplot would keep every figure and
look for a display.
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
"""Width and height in inches. If two pictures stand side by side, a point is about a pixel."""

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
    """One line of a chart, or one layer of its bars.

    Attributes:
        label: Its name in the legend.
        colour: The name of its colour in `page.LIGHT`.
        y: A number for each x; None or nan if it is unknown.
        x: The places on the x axis; None for 1, 2, 3, ...
        sd: Half the width of a band around the line, for each x; None for no band.
        dashed: Whether the line is dashed.
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
    """A picture for a page.

    Attributes:
        title: Its title.
        svg: Its markup.
        legend: (label, name of the colour) for each series; () if one series needs no legend.
        note: A sentence below the title, "" for none.
    """

    title: str
    svg: str
    legend: tuple[tuple[str, str], ...]
    note: str


def lines(title: str, series: Sequence[Series], x_label: str = "round", log: bool = False) -> Chart | None:
    """Draw shares over rounds or over `x_label`; return None if there is nothing to draw.

    Args:
        title: The title of the chart.
        series: Its lines.
        x_label: The label of the x axis.
        log: Whether to use a logarithmic scale if the values differ enough.
    """
    shown = [line for line in series if line.known]
    if not shown:
        return None
    values = np.concatenate([_floats(line.y) for line in shown])
    positive = values[values > 0]
    scaled = log and len(positive) > 0 and positive.max() / positive.min() > 10

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        for line in shown:
            x = np.arange(1, len(line.y) + 1) if line.x is None else _floats(line.x)
            y = _floats(line.y)
            y = np.where(y > 0, y, np.nan) if scaled else y
            marker = "" if line.dashed or len(x) > 40 else "o"
            axes.plot(x, y, color=LIGHT[line.colour], marker=marker, linestyle="--" if line.dashed else "-")
            if line.sd is not None:
                sd = _floats(line.sd)
                low = np.maximum(y - sd, y / 10 if scaled else 0)  # a logarithmic scale does not reach zero
                axes.fill_between(x, low, y + sd, color=LIGHT[line.colour], alpha=0.18, linewidth=0)
        if scaled:
            axes.set_yscale("log")
            decades = math.log10(positive.max() / positive.min())
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 3.0)))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.3g} %"))
        if x_label == "round":
            _rounds(axes, 1, max(len(line.y) for line in shown if line.x is None))
        else:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
            axes.locator_params(axis="x", nbins=5)

    zeros = "The scale is logarithmic, so values of zero are not shown." if scaled and (values == 0).any() else ""
    return _chart(title, draw, shown, x_label, zeros)


def stacked(title: str, series: Sequence[Series], first: int = 1, last: str = "", unit: str = "") -> Chart:
    """Draw a bar of stacked layers for each round.

    Args:
        title: The title of the chart.
        series: The layers, from the bottom up.
        first: The number of the first round.
        last: The label of the last bar; "" for its number.
        unit: The text after the numbers on the y axis.
    """

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import FuncFormatter

        bars = len(series[0].y)
        base: Array = np.zeros(bars)
        edges = np.arange(first, first + bars + 1) - 0.5
        for layer in series:
            top = base + _floats(layer.y)
            axes.stairs(top, edges, baseline=base, fill=True, color=LIGHT[layer.colour], linewidth=0)
            base = top
        axes.margins(x=0)
        axes.set_ylim(0, max(float(base.max()) * 1.03, 1e-9))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}{unit}"))
        _rounds(axes, first, first + bars - 1, last)

    return _chart(title, draw, series, "round")


def scatter(title: str, series: Sequence[Series], note: str) -> Chart:
    """Draw points, the later series over the earlier ones, on axes without numbers."""

    def draw(axes: Axes) -> None:
        for layer in series:
            assert layer.x is not None
            axes.plot(_floats(layer.x), _floats(layer.y), ".", color=LIGHT[layer.colour], markersize=3)
        axes.set_xticks([])
        axes.set_yticks([])

    return _chart(title, draw, series, "", note)


def _rounds(axes: Axes, first: int, last: int, name: str = "") -> None:
    """Write whole numbers on the x axis. If `name` is not empty, it replaces the last number."""
    step = max(1, math.ceil((last - first + 1) / 10))
    ticks = [tick for tick in range(first, last + 1, step) if not name or tick <= last - max(1, 0.7 * step)]
    labels = list(map(str, ticks))
    if name:
        ticks.append(last)
        labels.append(name)
    axes.set_xticks(ticks, labels)


def _floats(values: Sequence[float | None]) -> Array:
    return np.array([math.nan if value is None else value for value in values], float)


def _chart(title: str, draw: Callable[[Axes], Any], series: Sequence[Series], x_label: str, note: str = "") -> Chart:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    file = io.StringIO()
    with mpl.rc_context(STYLE):
        figure = Figure(SIZE)
        # This leaves room for "60,000". A layout engine would take most of the time.
        axes = figure.add_axes((0.14, 0.185, 0.84, 0.775))
        draw(axes)
        axes.set_xlabel(x_label)
        figure.savefig(file, format="svg", metadata={"Date": None})
    legend = tuple((drawn.label, drawn.colour) for drawn in series)
    return Chart(title, inline(file.getvalue(), title), legend if len(legend) > 1 else (), note)


def inline(svg: str, title: str) -> str:
    """Return matplotlib's file as markup for a page.

    What only a file needs is removed, ids get the title as a prefix, and colours become variables of the page.
    """
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    head, body = text.split(">", 1)
    text = re.sub(r' (xmlns(:\w+)?|version|width|height)="[^"]*"', "", head) + ">" + body
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    own = "".join(letter if letter.isalnum() else "-" for letter in title)
    text = re.sub(r' id="([^"]*)"', lambda match: f' id="{own}-{match[1]}"' if match[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{own}-", text)
    names = {value: name for name, value in LIGHT.items()}
    text = re.sub(r"#[0-9a-f]{6}\b", lambda match: f"var(--{names[match[0]]})" if match[0] in names else match[0], text)
    return re.sub(r">\s+<", "><", text)
