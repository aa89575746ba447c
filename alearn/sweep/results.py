"""The results of a sweep, or of several: tables for people and for programs."""

import json
import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.report.tensorboard import bands
from alearn.sweep import sweep_page, tradeoff
from alearn.sweep.sweep_table import aggregate, markdown, to_csv
from alearn.trial import status

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def table(*folders: Path, rows: Sequence[dict[str, Any]] | None = None) -> str:
    """Write table.md, table.csv and table.json of the trials below some folders into the first; returns table.md.

    rows: the ones that are wanted, in their order; all that there are if it is not given.
    """
    rows = status.rows(*folders) if rows is None else rows
    lines, missing = aggregate(rows), status.missing(*folders)
    text, into = markdown(lines, missing), folders[0]
    atomic.replace(into / "table.md", text)
    atomic.replace(into / "table.csv", to_csv(lines))
    atomic.replace(into / "table.json", json.dumps({"settings": lines, "trials": rows, "missing": missing}) + "\n")
    return text


def pictures(folder: Path) -> None:
    """Draw what a sweep has come to so far."""
    tradeoff.save(folder, status.rows(folder))
    sweep_page.write(folder)
    bands.write(folder)


def where(rows: Sequence[dict[str, Any]], condition: str) -> list[dict[str, Any]]:
    """The rows that meet a condition such as "policy.threshold>=0.999"."""
    parts = re.fullmatch(r"([^=!<>]+)(!=|<=|>=|=|<|>)(.*)", condition)
    if parts is None:
        raise AlearnError(f"--where {condition}: must be KEY=VALUE, or with != < <= > >= in between")
    key, sign, text = parts.groups()
    known(rows, key)
    values = [value(one, key) for one in rows]
    try:
        wanted: Any = json.loads(text)
    except ValueError:
        wanted = text
    if sign not in ("=", "!=") and not isinstance(wanted, int | float):
        raise AlearnError(f"--where {condition}: {sign} needs a number")
    result = []
    for one, there in zip(rows, values, strict=True):
        comparable = sign in ("=", "!=") or isinstance(there, int | float)
        if comparable and COMPARE[sign](there, wanted):
            result.append(one)
    return result


def sort(rows: Sequence[dict[str, Any]], key: str, descending: bool = False) -> list[dict[str, Any]]:
    """By a key; numbers are less than text, and rows without a value come last either way."""
    known(rows, key)

    def order(one: dict[str, Any]) -> tuple[bool, float, str]:
        found = value(one, key)
        number = isinstance(found, int | float)
        return (not number, found if number else 0.0, "" if number else str(found))

    there = [one for one in rows if value(one, key) is not None]
    return sorted(there, key=order, reverse=descending) + [one for one in rows if value(one, key) is None]


def value(one: dict[str, Any], key: str) -> Any:
    """Of a config key, or of a key of the row itself; None where there is neither."""
    for there in (one["config"], one):
        if key in there:
            return there[key]
    return None


def known(rows: Sequence[dict[str, Any]], key: str) -> None:
    """Raises AlearnError for a key that no row has."""
    keys = {name: None for one in rows for name in (*one["config"], *one)}
    if key not in keys:
        raise AlearnError(f"{key}: no such key in the rows; there are {', '.join(keys)}")
