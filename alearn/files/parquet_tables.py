"""Read tables in Parquet files as the CSV files that they stand for, so that one set of rules applies to both."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alearn.errors import AlearnError
from alearn.files import csv_tables
from alearn.values import Array

SUFFIX = ".parquet"

NOTE = b"alearn"
"""The key of the metadata that `to_bytes` writes."""


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


def to_bytes(columns: Mapping[str, Sequence[str | None] | Array], about: str) -> bytes:
    """Return the content of a Parquet file. The same columns give the same bytes.

    columns: texts, numbers [n], or numbers [n, F], which become lists of F numbers. about: what `note` reads.

    Raises:
        AlearnError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow()
    arrays = {}
    for name, values in columns.items():
        if not isinstance(values, np.ndarray):
            arrays[name] = arrow.array(values, arrow.string())
        elif values.ndim == 1:
            arrays[name] = arrow.array(values)
        else:
            arrays[name] = arrow.FixedSizeListArray.from_arrays(arrow.array(values.ravel()), values.shape[1])
    out = arrow.BufferOutputStream()
    wide = [name for name, values in columns.items() if isinstance(values, np.ndarray)]
    narrow = [name for name in columns if name not in wide]
    table = arrow.table(arrays).replace_schema_metadata({NOTE: about})
    parquet.write_table(table, out, compression="zstd", use_dictionary=narrow)
    content: bytes = out.getvalue().to_pybytes()
    return content


def note(opened: Any) -> str | None:
    """Return what `to_bytes` was told about an open file; None if it was not, or the file is damaged."""
    arrow, parquet = pyarrow()
    try:
        found: bytes | None = (parquet.read_schema(opened).metadata or {}).get(NOTE)
    except (arrow.ArrowException, OSError):
        return None
    return None if found is None else found.decode()
