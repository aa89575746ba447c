"""CSV files: read strictly, written in one dialect. No other module knows the library csv."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from alearn.errors import AlearnError

Lines = dict[int, dict[str, str]]
"""The lines below the header: fields by column, by the number of the line in the file."""

NEEDS_QUOTES = re.compile('[,"\r\n]').search


def to_text(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a whole CSV file. The hashes of a certificate rest on these bytes, so no version of a library has a say.

    Args:
        header: Names of the columns.
        rows: A field for each column; None is an empty one.
    """
    return "".join(map(line, chain([header], rows)))


def line(fields: Iterable[object]) -> str:
    """Return one line with its line feed. A field is quoted only where it must be."""
    text = ",".join("" if field is None else _field(str(field)) for field in fields)
    return (text or '""') + "\n"  # a line without any text would be a blank one


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if NEEDS_QUOTES(text) else text


def read(path: Path, columns: Sequence[str], exact: bool = False) -> Lines:
    """Return the lines of a CSV file; see `parse`. Raises AlearnError if the file cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror})") from error
    return parse(path, content, columns, exact)


def parse(where: object, content: bytes, columns: Sequence[str], exact: bool = False) -> Lines:
    """Return the lines of a CSV file. Blank lines and the mark that spreadsheets put before UTF-8 are skipped.

    Args:
        where: What messages call the file.
        content: The bytes of the file.
        columns: The columns that it must have, one at least; it may have others, which a line may leave out at its end.
        exact: Accept these columns in this order and nothing else, neither blank lines nor the mark: what every reader
            takes for the same.

    Raises:
        AlearnError: The content is not CSV in UTF-8, a column is missing or there twice, or a line has more or fewer
            fields than the header.
    """
    try:
        text = content.decode("utf-8" if exact else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise AlearnError(f"{where}: is not UTF-8 ({error.reason} at byte {error.start:,}); save it as UTF-8") from None
    rows = _rows(where, text)
    if not exact:
        rows = {number: row for number, row in rows.items() if row}
    header = rows.pop(next(iter(rows))) if rows else []
    _check_header(where, header, columns, exact)
    fewest = len(header) if exact else max(map(header.index, columns)) + 1
    for number, row in rows.items():
        if not fewest <= len(row) <= len(header):
            hint = "; quote fields that hold a comma" if len(row) > len(header) else ""
            raise AlearnError(f"{where}: line {number}: must have {len(header)} fields, has {len(row)}{hint}")
    return {number: dict(zip_longest(header, row, fillvalue="")) for number, row in rows.items()}


def _rows(where: object, text: str) -> dict[int, list[str]]:
    """Return the fields of each line, the header and blank lines included, by the number of the line."""
    rows: dict[int, list[str]] = {}
    limit = csv.field_size_limit(len(text) + 1)  # a picture in a field is longer than what csv allows by default
    try:
        reader, number = csv.reader(io.StringIO(text, newline=""), strict=True), 1
        for row in reader:
            rows[number] = row
            number = reader.line_num + 1  # a quoted field may go over several lines
    except csv.Error as error:
        raise AlearnError(f"{where}: line {number}: is not CSV ({error})") from None
    finally:
        csv.field_size_limit(limit)
    return rows


def _check_header(where: object, header: Sequence[str], columns: Sequence[str], exact: bool) -> None:
    """Raise AlearnError if a header is not as required."""
    if exact and list(header) != list(columns):
        raise AlearnError(f"{where}: its header: found {','.join(header)}, must be {','.join(columns)}")
    missing = [name for name in columns if name not in header]
    if missing:
        hint = "; are they separated by commas?" if len(header) == 1 else ""
        raise AlearnError(f"{where}: has no column {missing[0]}; there are {', '.join(header) or 'none'}{hint}")
    twice = [name for name in header if name and header.count(name) > 1]  # spreadsheets add columns without a name
    if twice:
        raise AlearnError(f"{where}: has {header.count(twice[0])} columns {twice[0]}; rename all but one")
