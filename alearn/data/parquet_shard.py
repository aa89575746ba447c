"""List a Parquet file of images, and read them. A column holds the content of image files, or their paths.

The column has bytes, or paths as text, or as Hugging Face's data sets have it, a struct with bytes.
"""

import json
from typing import Any

from alearn.data.file_store import ContentError
from alearn.data.tree import legible
from alearn.files.parquet_tables import pyarrow
from alearn.files.spelling import blurred

IMAGES = ("image", "bytes", "content", "jpg", "png")
"""The usual names of the column of the images."""

LABEL = "label"
ID = "id"


def listed(
    opened: Any, image: str | None, label: str | None
) -> tuple[list[str], list[str | None], list[tuple[int, int]] | list[str], str]:
    """Return the name of each image, its label or None, where it is, and the column of the images.

    The name is that of the column `id`, or else the number of the row. Where it is: its row group and its row in it, or
    the path of its file.

    Args:
        opened: The file.
        image: The column of the images; None takes one of IMAGES.
        label: The column of the labels, text or whole numbers; None takes LABEL if there is one.

    Raises:
        AlearnError: pyarrow is not installed.
        ContentError: The file is damaged, lacks a column, or has a wrong one. The message is a predicate.
    """
    arrow, parquet = pyarrow()
    try:
        file = parquet.ParquetFile(opened)
    except (arrow.ArrowException, OSError) as error:
        raise ContentError(f"is no Parquet file, or is damaged ({' '.join(str(error).split())})") from None
    schema = file.schema_arrow
    columns = ", ".join(schema.names)
    column = image or next((name for name in IMAGES if name in schema.names), None)
    if column is None:
        raise ContentError(
            f"has none of the columns {', '.join(IMAGES)}, but {columns}; name one with data.image_field"
        )
    for key, name in (("image_field", column), ("label_field", label)):
        if name is not None and name not in schema.names:
            raise ContentError(f"has no column {name}, which data.{key} asks for, but {columns}")
    kind = schema.field(column).type
    if arrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    types = arrow.types
    files = types.is_string(kind) or types.is_large_string(kind)
    if not (files or types.is_binary(kind) or types.is_large_binary(kind)):
        raise ContentError(
            f"has the column {column} of {kind}; it must be bytes, the content of image files, or their paths"
        )
    groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    labels: list[str | None] = [None] * sum(groups)
    if label is None:
        label = LABEL if LABEL in schema.names else None
        blurry = [name for name in schema.names if name != LABEL and blurred(name) == LABEL]
        if blurry:
            raise ContentError(f"has a column {blurry[0]!r}; call it {LABEL}, or give data.label_field")
    if label is not None:
        labels = labels_as_text(file.read(columns=[label]).column(0).to_pylist(), label_names(schema, label), label)
    if ID in schema.names:
        ids = file.read(columns=[ID]).column(0).to_pylist()
        bad = next((row for row, value in enumerate(ids) if not isinstance(value, str | int) or value == ""), None)
        if bad is not None:
            raise ContentError(f"has {ids[bad]!r} in the column {ID}, row {bad}; it must be text or a whole number")
        names = [str(value) for value in ids]
        if len(set(names)) < len(names):
            raise ContentError(f"has the same {ID} in several rows")
    else:
        names = [str(row) for row in range(len(labels))]
    if files:
        return names, labels, [str(path) for path in file.read(columns=[column]).column(0).to_pylist()], column
    return names, labels, [(group, row) for group, rows in enumerate(groups) for row in range(rows)], column


def group(opened: Any, column: str, number: int) -> Any:
    """Return the column of the images of a row group."""
    _, parquet = pyarrow()
    return parquet.ParquetFile(opened).read_row_group(number, columns=[column]).column(0)


def content(cells: Any, row: int) -> bytes:
    """Return the bytes of an image. They are empty if there is none."""
    value = cells[row].as_py()
    if isinstance(value, dict):
        value = value["bytes"]
    return value or b""


def labels_as_text(values: list[Any], names: list[str] | None, column: str) -> list[str | None]:
    """Return labels as text. names: the class names, by number, if the file knows them."""
    found = list[str | None]()
    for value in values:
        if isinstance(value, int) and names is not None:
            if value >= len(names):
                raise ContentError(f"has the class {value} in the column {column}, and {len(names)} names of classes")
            found.append(names[value] if value >= 0 else None)  # -1: without a label
        elif value is None or (isinstance(value, str | int) and legible(str(value))):
            found.append(None if value is None else str(value).strip() or None)
        else:
            raise ContentError(f"has {value!r} in the column {column}; labels must be text or whole numbers")
    return found


def label_names(schema: Any, column: str) -> list[str] | None:
    """Return the class names that Hugging Face's data sets write into the file."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        names = about["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]
