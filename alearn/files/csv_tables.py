"""CSV files of labels and answers, with errors that name the line."""

import csv
from collections.abc import Collection, Sequence
from pathlib import Path

from alearn.errors import AlearnError

NAMED = 20
"""Classes that a message names."""


def table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The lines of a CSV file in UTF-8 by column. Raises AlearnError if it cannot be read or lacks a column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file, strict=True))
            header = list(lines[0]) if lines else list(columns)
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise AlearnError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    missing = [column for column in columns if column not in header]
    if missing:
        hint = "; are they separated by commas?" if len(header) == 1 else ""
        raise AlearnError(f"{path}: has no column {missing[0]}; there are {', '.join(map(str, header))}{hint}")
    for number, line in enumerate(lines, 2):
        if None in line:
            raise AlearnError(f"{path}: line {number} has too many fields; quote those that hold a comma")
        if any(line[column] is None for column in columns):
            raise AlearnError(f"{path}: line {number} has too few fields")
    return lines


def has_column(path: Path, name: str) -> bool:
    """Whether a CSV file has it."""
    return bool((lines := table(path, ())) and name in lines[0])


def answers(
    path: Path, lines: list[dict[str, str]], items: Collection[str], classes: Collection[str]
) -> dict[str, str]:
    """The answers on a sheet, by item. Raises AlearnError for one that is no class, for an item that is none, and for
    two answers that differ.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 2):
        item, answer, where = line["item"], line["answer"].strip(), f"{path}: line {number}"
        if item not in items:
            raise AlearnError(f"{where}: item={item}: is none of the items; did a spreadsheet change its name?")
        if not answer:
            continue
        if answer not in classes:
            allowed = ", ".join(map(repr, sorted(classes)[:NAMED])) + (", ..." if len(classes) > NAMED else "")
            raise AlearnError(f"{where}: answer={answer}: must be one of {allowed}; more of them with --classes")
        if found.setdefault(item, answer) != answer:
            raise AlearnError(f"{where}: item={item}: has two answers, {found[item]} and {answer}; keep one")
    return found
