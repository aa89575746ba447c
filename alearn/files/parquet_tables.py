"""Read tables in Parquet files as the CSV files that they stand for, so that one set of rules applies to both."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alearn.errors import AlearnError
from alearn.files import csv_tables

SUFFIX = ".parquet"


def as_csv(path: Path, columns: Iterable[str]) -> bytes:
    """Return some columns of a Parquet file, as far as there are such columns, as the content of a CSV file.

    Line n of it is row n - 1 of the table, counted from 1. If there is none of the columns, its header has all columns,
    for the message.

    Raises:
        AlearnError: pyarrow is not installed, or the file cannot be read or is no Parquet file.
    """
    arrow, parquet = pyarrow()
    try:
        names = parquet.read_schema(path).names
        there = [name for name in dict.fromkeys(columns) if name in names]
        table = parquet.read_table(path, columns=there)
    except (arrow.ArrowException, OSError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise AlearnError(f"{path}: cannot be read as a Parquet file ({why})") from None
    if not there:
        return csv_tables.to_text(names, []).encode()
    return csv_tables.to_text(there, zip(*(table.column(name).to_pylist() for name in there), strict=True)).encode()


def pyarrow() -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet. Raise AlearnError if they are not installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise AlearnError("Parquet files need pyarrow; pip install 'alearn[parquet]' installs it") from None
    return pyarrow, parquet
