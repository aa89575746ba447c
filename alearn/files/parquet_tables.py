"""Read tables in Parquet files as the CSV files that they stand for, so that one set of rules applies to both."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alearn.errors import AlearnError
from alearn.files import csv_tables

SUFFIX = ".parquet"


def as_csv(path: Path, columns: Iterable[str]) -> bytes:
    """Return the content of a CSV file with the columns of a Parquet file. Only some columns are read and not empty.

    Line n of it is row n - 1 of the table, counted from 1.

    Raises:
        AlearnError: pyarrow is not installed, the file cannot be read or is no Parquet file, or a column holds what is
            neither text nor a number.
    """
    arrow, parquet = pyarrow()
    try:
        names = parquet.read_schema(path).names
        there = [name for name in dict.fromkeys(columns) if name in names]
        table = parquet.read_table(path, columns=there)
        values = {name: table.column(name).to_pylist() for name in there}
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise AlearnError(f"{path}: cannot be read as a Parquet file ({why})") from None
    for name, column in values.items():
        odd = next((value for value in column if isinstance(value, bytes | list | dict)), None)
        if odd is not None:
            raise AlearnError(f"{path}: the column {name} holds {str(odd)[:40]}; it must be text or numbers")
    empty = [None] * table.num_rows
    return csv_tables.to_text(names, zip(*(values.get(name, empty) for name in names), strict=True)).encode()


def pyarrow() -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet. Raise AlearnError if they are not installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise AlearnError("Parquet files need pyarrow; pip install 'alearn[parquet]' installs it") from None
    return pyarrow, parquet
