"""What a sweep trades: the share of hand labels against the share of mislabels."""

import io
from collections.abc import Sequence
from typing import Any

from alearn.record import table
from alearn.record.curves import inline


def svg(rows: Sequence[dict[str, Any]]) -> str:
    """A picture of finished trials' rows, an `<svg>` for a page: a point a setting."""
    from matplotlib.figure import Figure

    figure, file = Figure((6.4, 3.2), layout="constrained"), io.StringIO()
    axes = figure.add_subplot()
    for line in table.aggregate(rows):
        axes.plot(line["hand_mean"], line["mislabeled_mean"] or 0, "o")
    axes.set_xlabel("hand labels")
    axes.set_ylabel("mislabeled, of auto")
    figure.savefig(file, format="svg", metadata={"Date": None})
    return inline(file.getvalue(), "tradeoff")
