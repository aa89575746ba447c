"""What all HTML pages share: their templates, the formats of numbers, and the colours.

No other module uses jinja2. Templates escape everything, because ids and class names may contain anything.
"""

import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from alearn import __version__
from alearn.files import atomic
from alearn.trial.metric import Metric, Unit

NAME = "report.html"
TEMPLATES = Path(__file__).parent / "templates"

LIGHT = {
    "paper": "#ffffff", "panel": "#f4f6f8", "ink": "#1c2430", "soft": "#5a6675", "grid": "#d9dfe6", "link": "#0b5cad",
    "first": "#0b3c7c", "query": "#2f80d8", "rest": "#93c4f5", "audit": "#2a9d8f", "auto": "#e8a33d",
    "given": "#8e7cc3", "none": "#c9d0d8", "wrong": "#c63d2f",
    "s0": "#2b7ccb", "s1": "#d1730a", "s2": "#1c8a55", "s3": "#b5479c", "s4": "#7d6ad6", "s5": "#8a6d1f",
    "s6": "#17879c", "s7": "#b93f34",
}  # fmt: skip
"""The colours by name: of the page, of the sources of labels, and of up to eight settings."""

DARK = {
    "paper": "#12161c", "panel": "#1c222b", "ink": "#e6eaef", "soft": "#a0acba", "grid": "#323b47", "link": "#7db8f5",
    "first": "#4378c4", "query": "#62a8f2", "rest": "#b5d8fb", "audit": "#5cc8ba", "auto": "#e0a243",
    "given": "#a99ad6", "none": "#4a5562", "wrong": "#f0705f",
    "s0": "#62a8f2", "s1": "#f09a3e", "s2": "#4cc38a", "s3": "#e07cc8", "s4": "#a597f2", "s5": "#cdb05a",
    "s6": "#4bbdd2", "s7": "#f0705f",
}  # fmt: skip
"""The same colours in dark mode."""


def write(folder: Path, template: str, **content: Any) -> None:
    """Fill in a template, and write it as report.html into the folder."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "percent": percent, "accuracy": accuracy, "duration": duration}
    written = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    text = environment.get_template(template).render(
        light=LIGHT, dark=DARK, written=written, version=__version__, **content
    )
    atomic.replace(
        folder / NAME, text.encode("utf-8", "replace")
    )  # file names may contain bytes that UTF-8 cannot encode


def count(value: float | None, digits: int = 0) -> str:
    """Format 12288 as "12,288", and None as "-"."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    """Format 0.2048 as "20.5 %", 0.00027 as "0.03 %", 0.00001667 as "0.0017 %", and None as "-"."""
    if share is None:
        return "-"
    value = 100 * share
    if value == 0:
        return "0 %"
    if abs(value) < 0.01:
        return f"{value:.2g} %"
    return f"{value:.1f} %" if abs(value) >= 10 else f"{value:.2f} %"


def accuracy(share: float | None) -> str:
    """Format 0.9929 as "99.29 %", and None as "-"."""
    return "-" if share is None else f"{share:.2%}".replace("%", " %")


def certainty(doubt: float) -> str:
    """Format p, given log(1 - p), with three digits after its nines: -9.2 as "99.98990 %", and nan as ""."""
    if math.isnan(doubt):
        return ""
    if doubt == -math.inf:
        return "100 %"
    decimals = 1 + max(0, math.floor(-doubt / math.log(10)))
    return f"{abs(100 * math.expm1(doubt)):.{decimals}f} %"


def duration(seconds: float | None) -> str:
    """Format 4.04 as "4.0 s", 91.2 as "91 s", 1000 as "17 min", 9000 as "2.5 h", and None as "-"."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


WRITTEN: dict[Unit, Callable[[float | None], str]] = {
    Unit.COUNT: count,
    Unit.FEW: lambda value: count(value, 1).removesuffix(".0"),
    Unit.SHARE: percent,
    Unit.ACCURACY: accuracy,
    Unit.SECONDS: duration,
}


def title(metric: Metric) -> str:
    """Return the title of a metric on a page. Seconds become "time", because `duration` chooses the unit."""
    return "time" if metric.unit is Unit.SECONDS else metric.title


def text(metric: Metric, value: float | None) -> str:
    """Return a metric's value as a page shows it; "-" for None."""
    return WRITTEN[metric.unit](value)
