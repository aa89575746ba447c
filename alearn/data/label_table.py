"""Read the table of data.labels, which lists the images and the labels that are known.

A CSV or Parquet file has the column `path` and, optionally, the column `label`. A .jsonl or .manifest file has the
format of Amazon SageMaker's labeling jobs: each line is an object with the path in `source-ref` and the label in
`class-name` of `SOMETHING-metadata`. Labels that a model gave (`source` auto, `human-annotated` no) are ignored: given
labels count as a human's, and no audit checks them.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from alearn.errors import AlearnError
from alearn.files import csv_tables, parquet_tables

MANIFEST = (".jsonl", ".manifest")


def read(root: Path, name: str, classes: Sequence[str] | None) -> list[tuple[str, str | None]]:
    """Return the path of each row as it is written, and its label (None if it has none), in the order of the table.

    Args:
        root: The folder of the images.
        name: The name of the table, relative to root.
        classes: The labels that are allowed; None allows any.

    Raises:
        AlearnError: A path leads out of root or occurs twice, a label is not one of the classes, or the file is not a
            table of this kind. The message names the line.
    """
    path = root / Path(name).expanduser()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AlearnError(f"data.labels={name}: there is no file {path}") from None
    except OSError as error:
        raise AlearnError(f"data.labels={name}: {path} cannot be read ({error.strerror})") from None
    rows = list[tuple[str, str | None]]()
    lines = dict[PurePosixPath, int]()
    for line, where, label in (_manifest if path.suffix.lower() in MANIFEST else _table)(path, content):
        at = f"{path}: line {line}"
        pure = PurePosixPath(where)
        if not where.strip():
            raise AlearnError(f"{at}: the path is missing")
        if pure.is_absolute() or ".." in pure.parts or "://" in where:
            raise AlearnError(f"{at}: {where!r} leads out of data.root; paths must be relative to it, without ..")
        if pure in lines:
            raise AlearnError(f"{at}: {where!r} is in line {lines[pure]} already")
        if label is not None and classes is not None and label not in classes:
            raise AlearnError(f"{at}: {label!r} is none of data.classes=[{','.join(classes)}]")
        lines[pure] = line
        rows.append((where, label))
    if not rows:
        raise AlearnError(f"{path} has no rows")
    return rows


def _table(path: Path, content: bytes) -> Iterator[tuple[int, str, str | None]]:
    """Yield the line number, the path and the label of each row of a CSV or Parquet file."""
    if path.suffix.lower() == parquet_tables.SUFFIX:
        content = parquet_tables.as_csv(path, ("path", "label", "source"))
    for number, row in csv_tables.parse(path, content, ("path",), optional=("label", "source")).items():
        label = row.get("label", "").strip() or None
        yield number, row["path"], None if row.get("source") == "auto" else label


def _manifest(path: Path, content: bytes) -> Iterator[tuple[int, str, str | None]]:
    """Yield the line number, the path and the label of each row of a manifest."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AlearnError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start:,}); save it as UTF-8") from None
    for number, line in enumerate(io.StringIO(text), start=1):  # splitlines would split not only at line feeds
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("source-ref"), str):
            raise AlearnError(f'{path}: line {number}: must be a JSON object with "source-ref", the path of an image')
        yield number, row["source-ref"], _label(row, f"{path}: line {number}")


def _label(row: dict[str, Any], at: str) -> str | None:
    """Return the label of a manifest's row, None if it has none. at: the file and the line, for messages."""
    names = [
        about["class-name"]
        for key, about in row.items()
        if key.endswith("-metadata") and isinstance(about, dict) and about.get("class-name") not in (None, "")
        if about.get("human-annotated") != "no"
    ]
    if len(names) > 1 or not all(isinstance(name, str) for name in names):
        raise AlearnError(f'{at}: must have one "class-name", a text, in its metadata, not {json.dumps(names)}')
    return names[0] if names else None
