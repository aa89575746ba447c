"""Read CSV files strictly, and write them in one dialect. No other module uses the library csv."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from alearn.errors import AlearnError
from alearn.files.spelling import blurred

Lines = dict[int, dict[str, str]]
"""The lines below the header: the fields of each line by column, keyed by the line's number in the file."""

NEEDS_QUOTES = re.compile('[,"\r\n]').search


def to_text(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return the text of a CSV file.

    The hashes in a certificate depend on these bytes. So we write them ourselves: versions of a library may differ.

    Args:
        header: The names of the columns.
        rows: One field for each column. None becomes an empty field.
    """
    return "".join(map(line, chain([header], rows)))


def line(fields: Iterable[object]) -> str:
    """Return one line, with a line feed at its end. A field is quoted only if it has to be."""
    text = ",".join("" if value is None else field(str(value)) for value in fields)
    return (text or '""') + "\n"  # without the quotes, a single empty field would be a blank line


def field(text: str) -> str:
    """Return a field as it stands in a line: quoted only if it has to be."""
    return '"' + text.replace('"', '""') + '"' if NEEDS_QUOTES(text) else text


def read(path: Path, columns: Sequence[str], exact: bool = False, optional: Sequence[str] = ()) -> Lines:
    """Return the lines of a CSV file: see `parse`.

    Raises:
        AlearnError: The file cannot be read, or `parse` rejects it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror})") from error
    return parse(path, content, columns, exact, optional)


def parse(
    where: object, content: bytes, columns: Sequence[str], exact: bool = False, optional: Sequence[str] = ()
) -> Lines:
    """Return the lines of a CSV file, without blank lines and without the byte order mark that spreadsheets write.

    Args:
        where: The name of the file in messages.
        content: The bytes of the file.
        columns: The columns that the file must have, at least one. The file may have more columns. A line may omit
            fields at its end if no required column is among them.
        exact: Accept only these columns in this order, and neither blank lines nor a byte order mark. Every reader
            sees the same table in such a file.
        optional: More columns that the caller uses if the file has them.

    Raises:
        AlearnError: The content is not CSV in UTF-8, a column is missing or appears twice, another column could be
            mistaken for one that is used, or a line has more or fewer fields than the header.
    """
    try:
        text = content.decode("utf-8" if exact else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise AlearnError(f"{where}: is not UTF-8 ({error.reason} at byte {error.start:,}); save it as UTF-8") from None
    rows = _rows(where, text)
    if not exact:
        rows = {number: row for number, row in rows.items() if row}
    header = rows.pop(next(iter(rows))) if rows else []
    _check_header(where, header, columns, exact, optional)
    fewest = len(header) if exact else max(map(header.index, columns)) + 1
    for number, row in rows.items():
        if not fewest <= len(row) <= len(header):
            hint = "; quote fields that hold a comma" if len(row) > len(header) else ""
            raise AlearnError(f"{where}: line {number}: must have {len(header)} fields, has {len(row)}{hint}")
    return {number: dict(zip_longest(header, row, fillvalue="")) for number, row in rows.items()}


def _rows(where: object, text: str) -> dict[int, list[str]]:
    """Return the fields of each line by the number of the line, including the header and blank lines."""
    rows: dict[int, list[str]] = {}
    limit = csv.field_size_limit(len(text) + 1)  # a picture in a field exceeds the default limit
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        number = 1
        for row in reader:
            rows[number] = row
            number = reader.line_num + 1  # a quoted field may span several lines
    except csv.Error as error:
        raise AlearnError(f"{where}: line {number}: is not CSV ({error})") from None
    finally:
        csv.field_size_limit(limit)
    return rows


def _check_header(
    where: object, header: Sequence[str], columns: Sequence[str], exact: bool, optional: Sequence[str]
) -> None:
    """Raise AlearnError if the header is not as `parse` requires."""
    if exact and list(header) != list(columns):
        raise AlearnError(f"{where}: its header is {','.join(header)}; it must be {','.join(columns)}")
    missing = [name for name in columns if name not in header]
    if missing:
        hint = "; are they separated by commas?" if len(header) == 1 else ""
        raise AlearnError(f"{where}: has no column {missing[0]}; there are {', '.join(header) or 'none'}{hint}")
    twice = [name for name in header if name and header.count(name) > 1]  # spreadsheets add columns without a name
    if twice:
        raise AlearnError(f"{where}: has {header.count(twice[0])} columns {twice[0]}; rename all but one")
    for name in (*columns, *optional):
        for other in header:
            if other != name and blurred(other) == blurred(name):
                has = f"has the columns {name} and {other!r}" if name in header else f"has a column {other!r}"
                choice = "rename or remove one" if name in header else f"call it {name}, or something unlike it"
                raise AlearnError(f"{where}: {has}; {choice}")
