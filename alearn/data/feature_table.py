"""Load features that were computed before, from Parquet files with a row for each image.

The files are read once. data.cache keeps what they hold as one array, with the names beside it, so that a trial of
millions of images opens in seconds and reads the features from disk in every round.

Shape letters: N images, F features.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock

from alearn.config import Features
from alearn.data.file_store import ContentError, Found, Store
from alearn.data.ids import IdsWriter, StoredIds
from alearn.data.image_place import ImagePlace
from alearn.data.imageset import ImageSet
from alearn.data.on_demand import Located, OnDemand, Unseen
from alearn.data.parquet_shard import label_names, labels_as_text
from alearn.data.pixels import Mapped, Mapping
from alearn.data.progress_bar import Bar
from alearn.data.row_store import IN_MEMORY
from alearn.data.tree import NOT_LEGIBLE, legible
from alearn.errors import AlearnError
from alearn.files.parquet_tables import SUFFIX, pyarrow
from alearn.values import Array

VERSION = 1
"""Must go up whenever the same files give another copy."""

COLUMNS = ("features", "embedding", "embeddings", "vector")
"""The usual names of the column of the features."""

ID, LABEL = "id", "label"

ROWS = 1 << 15
"""Rows that are read at a time."""

SHOWN = 320
"""Pixels a side of images in reports."""

ARRAY, LABELS, ABOUT = "features.f16", "labels.i32", "about.json"


class Columns(NamedTuple):
    """The columns of a file. names: of classes that its labels count, if it knows them."""

    features: str
    label: str | None
    names: list[str] | None


def load(data: Features) -> tuple[ImageSet, ImageSet]:
    """Load the pool and the test set (empty if there is none).

    Files below test/ are the test set if there are others below train/. Rows are in the order of the names of their
    files. If all labels of the pool are known, they are the truth. If only some are known, they are given labels.

    Raises:
        AlearnError: A file cannot be read, a row of it is wrong, or data.cache cannot be written.
    """
    store, pooled, tested = _files(data)
    pool = _set(data, _copied(data, store, pooled), None)
    if not tested:
        return pool, _empty(pool)
    test = _set(data, _copied(data, store, tested), list(pool.classes))
    here, there = test.inputs.shape[1], pool.inputs.shape[1]
    if here != there:
        raise AlearnError(f"data.root={data.root}: test/ has {here} features a row, train/ {there}")
    return pool, test


def known(data: Features) -> bool:
    """Return whether the labels of all rows are known."""
    store, pooled, _ = _files(data)
    return bool((np.fromfile(_copied(data, store, pooled) / LABELS, np.int32) >= 0).all())


def _files(data: Features) -> tuple[Store, list[Found], list[Found]]:
    """Return the store, the files of the pool, and those of the test set."""
    store = Store(data.root)
    files = [file for file in store.files() if file.name.lower().endswith(SUFFIX)]
    if not files:
        raise AlearnError(f"data.root={data.root}: has no *{SUFFIX} files; each row of them must be an id and features")
    apart = any(file.name.startswith("train/") for file in files)
    tested = [file for file in files if apart and file.name.startswith("test/")]
    return store, [file for file in files if file not in tested], tested


def _copied(data: Features, store: Store, files: Sequence[Found]) -> Path:
    """Return the folder of the copy of some files. If there is none, make it."""
    key = [VERSION, store.root, data.feature_field, data.label_field, [(file.name, file.ukey) for file in files]]
    folder = Path(data.cache).expanduser() / "tables" / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / ABOUT).exists():
                _copy(data, store, files, folder)
    except OSError as error:
        raise AlearnError(
            f"data.cache={data.cache}: features cannot be kept there ({error.strerror or error}); make room there, or "
            "give another folder"
        ) from None
    return folder


def _set(data: Features, folder: Path, classes: list[str] | None) -> ImageSet:
    """Return the images of a copy. classes: of the pool, for a test set."""
    about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    ids = StoredIds(folder)
    label, names = _named(data, about["classes"], np.fromfile(folder / LABELS, np.int32).astype(np.int64), classes)
    mapped = Mapped(Mapping(folder / ARRAY, (about["width"],), np.float16), np.arange(len(ids), dtype=np.int32))
    whole = bool((label >= 0).all())
    some = bool((label >= 0).any())
    fixed = data.classes is not None or whole or classes is not None
    place = None if data.images is None else ImagePlace(data)
    return ImageSet(
        images=Unseen(len(ids)) if place is None else OnDemand(Located(place, ids), (3, SHOWN, SHOWN)),
        ids=ids,
        classes=tuple(names) if fixed else names,
        truth=label if whole else None,
        given=label if some and not whole else None,
        root=place,
        features=mapped.tensor(mapped.device) if mapped.nbytes < IN_MEMORY else mapped,
    )


def _empty(pool: ImageSet) -> ImageSet:
    width = pool.inputs.shape[1]
    features = torch.empty(0, width, dtype=torch.float16)
    return ImageSet(Unseen(0), (), pool.classes, np.empty(0, np.int64), features=features)


def _named(data: Features, found: Sequence[str], label: Array, classes: list[str] | None) -> tuple[Array, list[str]]:
    """Return the labels by the number of their class, and the names of the classes.

    Labels that are whole numbers count data.classes from 0 unless one of them is in it.
    """
    names = classes if classes is not None else list(data.classes) if data.classes is not None else sorted(found)
    counts = data.classes is not None and not {*found} & {*names} and all(name.isdecimal() for name in found)
    spelled = [names[int(name)] if counts and int(name) < len(names) else name for name in found]
    if strange := sorted({*spelled} - {*names}):
        key = f"data.classes=[{','.join(names)}]" if data.classes is not None else "the classes of train/"
        raise AlearnError(f"data.root={data.root}: has the label {strange[0]!r}, which is none of {key}")
    number = {name: at for at, name in enumerate(names)}
    table = np.array([*(number[name] for name in spelled), -1], np.int64)
    return table[label], names


def _copy(data: Features, store: Store, files: Sequence[Found], folder: Path) -> None:
    """Copy what the files hold to a folder. The last of its files is ABOUT."""
    shutil.rmtree(folder, ignore_errors=True)  # of a copy that was killed
    folder.mkdir()
    number = dict[str, int]()
    starts = list[int]()
    total = width = 0
    with (
        IdsWriter(folder) as ids,
        (folder / ARRAY).open("wb") as array,
        (folder / LABELS).open("wb") as labels,
        Bar(len(files), "features") as bar,
    ):
        for file in files:
            starts.append(total)
            try:
                for names, features, classes in _rows(store, file, data):
                    width = width or features.shape[1]
                    if features.shape[1] != width:
                        before = f"{width} as in {files[0].name}"
                        raise ContentError(f"has {features.shape[1]} features a row, not {before}")
                    array.write(np.ascontiguousarray(features).tobytes())
                    numbers = [-1 if name is None else number.setdefault(name, len(number)) for name in classes]
                    labels.write(np.array(numbers, np.int32).tobytes())
                    ids.add(names)
                    total += len(names)
            except ContentError as error:
                raise AlearnError(f"data.root={data.root}: {file.name} {error}") from None
            bar.advance(1)
        twice = ids.finish()
    if twice:
        name, *rows = twice
        at = [files[int(np.searchsorted(starts, row, side="right")) - 1].name for row in rows]
        raise AlearnError(f"data.root={data.root}: the id {name} occurs twice, in {' and in '.join(at)}")
    if not total:
        raise AlearnError(f"data.root={data.root}: its *{SUFFIX} files have no rows")
    about = {"width": width, "classes": list(number)}
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _rows(store: Store, found: Found, data: Features) -> Iterator[tuple[list[str], Array, list[str | None]]]:
    """Yield the ids, the features (float16 [n, F]) and the labels of some rows of a file at a time."""
    arrow, parquet = pyarrow()
    with store.opened(found.path) as opened:
        try:
            file = parquet.ParquetFile(opened)
            columns = _columns(file.schema_arrow, data)
            wanted = [name for name in (ID, columns.features, columns.label) if name is not None]
            row = 0
            for batch in file.iter_batches(ROWS, columns=wanted):
                names = _ids(batch.column(ID).to_pylist(), row)
                features = _numbers(batch.column(columns.features), columns.features, row)
                labels: list[str | None] = [None] * len(names)
                if columns.label is not None:
                    labels = labels_as_text(batch.column(columns.label).to_pylist(), columns.names, columns.label)
                yield names, features, labels
                row += len(names)
        except (arrow.ArrowException, OSError) as error:
            raise ContentError(f"is no Parquet file, or is damaged ({' '.join(str(error).split())})") from None


def _columns(schema: Any, data: Features) -> Columns:
    """Return the columns to read. Raise ContentError if one is missing or has a wrong type."""
    there = ", ".join(schema.names)
    features = data.feature_field or next((name for name in COLUMNS if name in schema.names), None)
    if features is None:
        raise ContentError(
            f"has none of the columns {', '.join(COLUMNS)}, but {there}; name one with data.feature_field"
        )
    for key, name in (("", ID), ("feature_field", features), ("label_field", data.label_field)):
        if name is not None and name not in schema.names:
            asks = f", which data.{key} asks for" if key else ""
            raise ContentError(f"has no column {name}{asks}, but {there}")
    label = data.label_field or (LABEL if LABEL in schema.names else None)
    return Columns(features, label, None if label is None else label_names(schema, label))


def _ids(values: list[Any], row: int) -> list[str]:
    names = [value if type(value) is str else str(value) for value in values]
    for at, (value, name) in enumerate(zip(values, names, strict=True), row):
        if not isinstance(value, str | int) or not name:
            raise ContentError(f"has {value!r} in the column {ID}, row {at}; it must be text or a whole number")
        if not legible(name):
            raise ContentError(f"has {name!r} in the column {ID}, row {at}: it {NOT_LEGIBLE}")
    return names


def _numbers(column: Any, name: str, row: int) -> Array:
    """Return lists of numbers of one length as an array, float16 [n, F].

    Raises:
        ContentError: They are something else, or float16 cannot hold them.
    """
    types = pyarrow()[0].types
    kind = column.type
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)):
        raise ContentError(f"has the column {name} of {kind}; it must be lists of numbers")
    lengths = {kind.list_size} if types.is_fixed_size_list(kind) else {*np.diff(column.offsets.to_numpy()).tolist()}
    values = column.flatten()
    if column.null_count or values.null_count or len(lengths) != 1 or not max(lengths):
        sizes = "missing" if column.null_count or values.null_count else ", ".join(map(str, sorted(lengths)[:3]))
        raise ContentError(f"has rows with {sizes} numbers in the column {name}; all must have as many, and at least 1")
    given = values.to_numpy(zero_copy_only=False).reshape(len(column), -1)
    with np.errstate(over="ignore"):
        features: Array = given.astype(np.float16)
    bad = ~np.isfinite(features).all(1)
    if bad.any():
        at = int(bad.argmax())
        value = given[at][~np.isfinite(features[at])][0]
        raise ContentError(f"has {value} in the column {name}, row {row + at}; numbers must be from -65504 to 65504")
    return features
