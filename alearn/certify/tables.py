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
        raise AlearnError(f"{path}: has no column {missing[0]}; there are {', '.join(map(str, header))}")
    for number, line in enumerate(lines, 2):
        if any(line[column] is None for column in columns):
            raise AlearnError(f"{path}: line {number} has too few fields")
    return lines


def read_answers(path: Path, classes: Collection[str]) -> dict[str, str]:
    """The answers on a sheet, by item; none if there is no sheet. Raises AlearnError for one that is no class."""
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(table(path, ["item", "answer"]), 2):
        answer = line["answer"].strip()
        if answer and answer not in classes:
            allowed = ", ".join(sorted(classes)[:NAMED]) + (", ..." if len(classes) > NAMED else "")
            raise AlearnError(
                f"{path}: line {number}: answer={answer}: must be one of {allowed}; more of them with --classes"
            )
        if answer:
            found[line["item"]] = answer
    return found
