"""data.labels: which images there are and which labels are known, from a table that somebody wrote.

A CSV file has a header with `path` and, if it likes, `label`. A .jsonl or .manifest file is one as Amazon SageMaker's
labeling jobs write it: an object a line, the path in `source-ref`, the label in `class-name` of `SOMETHING-metadata`.
A label that a model gave (`source` auto, `human-annotated` no) is none: what is given counts as a human's, and no audit
looks at it.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from alearn.errors import AlearnError

MANIFEST = (".jsonl", ".manifest")


def read(root: Path, name: str, classes: Sequence[str] | None) -> list[tuple[str, str | None]]:
    """Path, as it stands there, and label, None where there is none, of each row, in order.

    name: the file's, relative to root. classes: what labels may be; None allows any. Raises AlearnError, which names
    the line, for a path that leads out of root or comes twice, a label that is none of the classes, and a file that is
    no such table.
    """
    path = root / Path(name).expanduser()
    rows, lines = list[tuple[str, str | None]](), dict[PurePosixPath, int]()
    try:
        for line, where, label in (_manifest if path.suffix.lower() in MANIFEST else _table)(path):
            at, pure = f"{path}, line {line}", PurePosixPath(where)
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
    except FileNotFoundError:
        raise AlearnError(f"data.labels={name}: there is no file {path}") from None
    except OSError as error:
        raise AlearnError(f"data.labels={name}: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise AlearnError(f"{path} is not UTF-8 ({error.reason}); save it as that") from None
    except csv.Error as error:
        raise AlearnError(f"{path} cannot be read as CSV ({error})") from None
    if not rows:
        raise AlearnError(f"{path} has no rows")
    return rows


def _table(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """Line, path and label of each row of a CSV file; with the mark that spreadsheets put before UTF-8 or without."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = reader.fieldnames or []
        for column in ("path", "label"):
            if header.count(column) > 1 or (column == "path" and column not in header):
                raise AlearnError(
                    f"{path}: its header must have one column {column}, separated by commas; it has {', '.join(header)}"
                )
        for row in reader:
            label = (row.get("label") or "").strip() or None
            yield reader.line_num, row["path"] or "", None if row.get("source") == "auto" else label


def _manifest(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """The same of a manifest."""
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or not isinstance(row.get("source-ref"), str):
                raise AlearnError(f'{path}, line {line}: must be a JSON object with "source-ref", the path of an image')
            yield line, row["source-ref"], _label(row, f"{path}, line {line}")


def _label(row: dict[str, Any], at: str) -> str | None:
    """The one label of a manifest's row."""
    found = [
        about["class-name"]
        for key, about in row.items()
        if key.endswith("-metadata") and isinstance(about, dict) and about.get("class-name") not in (None, "")
        if about.get("human-annotated") != "no"
    ]
    if len(found) > 1 or not all(isinstance(name, str) for name in found):
        raise AlearnError(f'{at}: must have one "class-name", a text, in its metadata, not {json.dumps(found)}')
    return found[0] if found else None
