"""The results of one sweep or of several sweeps, as tables for people and for programs."""

import json
import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.sweep import bands, joint_promise, sweep_page, tradeoff
from alearn.sweep.sweep_table import aggregate, markdown, to_csv
from alearn.trial import status
from alearn.trial.metrics import METRICS

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def table(*folders: Path, rows: Sequence[dict[str, Any]] | None = None) -> str:
    """Write table.md, table.csv and table.json into the first folder; return the text of table.md.

    Args:
        folders: The folders below which the trials are.
        rows: The rows to use, in this order; None for all rows of these trials.
    """
    every = status.rows(*folders)
    rows = every if rows is None else rows
    lines = list(aggregate(rows).values())
    missing = status.missing(*folders)
    text = markdown(lines, missing)
    if promise := joint_promise.in_words(every):  # also of those left out, because whoever leaves some out chooses
        text += f"\n{promise}\n"
    into = folders[0]
    atomic.replace(into / "table.md", text)
    atomic.replace(into / "table.csv", to_csv(lines))
    atomic.replace(into / "table.json", json.dumps({"settings": lines, "trials": rows, "missing": missing}) + "\n")
    return text


def pictures(folder: Path) -> None:
    """Write the pictures of a sweep so far: the trade-off, the report and the mean curves."""
    tradeoff.save(folder, status.rows(folder))
    sweep_page.write(folder)
    bands.write(folder)


def where(rows: Sequence[dict[str, Any]], condition: str) -> list[dict[str, Any]]:
    """Return the rows that meet a condition such as "policy.threshold>=0.999".

    Raises:
        AlearnError: The condition cannot be understood, or no row has its key.
    """
    parts = re.fullmatch(r"([^=!<>]+)(!=|<=|>=|=|<|>)(.*)", condition)
    if parts is None:
        raise AlearnError(f"--where {condition}: must be KEY=VALUE, or have one of != < <= > >= in place of =")
    key, sign, text = parts.groups()
    try:
        wanted: Any = json.loads(text)
    except ValueError:
        wanted = text
    equality = sign in ("=", "!=")
    compare = COMPARE[sign]
    values = _values(rows, key)
    if not equality and not isinstance(wanted, int | float):
        raise AlearnError(f"--where {condition}: {sign} needs a number")
    return [
        row
        for row, value in zip(rows, values, strict=True)
        if (equality or isinstance(value, int | float)) and compare(value, wanted)
    ]


def sort(rows: Sequence[dict[str, Any]], key: str, descending: bool = False) -> list[dict[str, Any]]:
    """Return the rows sorted by a key: numbers before text. Rows without a value are last in both directions."""
    pairs = list(zip(_values(rows, key), rows, strict=True))
    known = sorted((pair for pair in pairs if pair[0] is not None), key=_order, reverse=descending)
    return [row for _, row in known] + [row for value, row in pairs if value is None]


def _order(pair: tuple[Any, dict[str, Any]]) -> tuple[bool, float, str]:
    value, _ = pair
    return (False, value, "") if isinstance(value, int | float) else (True, 0.0, str(value))


def _values(rows: Sequence[dict[str, Any]], key: str) -> list[Any]:
    """Return the value of a key for each row, None if the row does not have it.

    Args:
        rows: The rows.
        key: A key of the config, a key of the row, or the key of a metric.

    Raises:
        AlearnError: No row has the key.
    """
    metrics = [metric for metric in METRICS if metric.in_row]
    flat = [row["config"] | {metric.key: metric.of(row) for metric in metrics} | row | row["config"] for row in rows]
    known = dict.fromkeys(name for values in flat for name in values)
    if key not in known:
        raise AlearnError(f"{key}: no such key in the rows; there are {', '.join(known)}")
    return [values.get(key) for values in flat]
