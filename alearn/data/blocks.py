"""Compute something of many images block by block, so that many machines can share the work.

A block is a Parquet file for some thousand images. It is written as a whole or not at all, under a name that says which
images it is for. So a process that is killed loses the block that it was at, nobody waits for anybody, and a block that
is there is not computed again. The same function computes a block wherever it runs, so all ways give the same bytes.

Shape letters: B images, C channels, H height, W width.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from alearn import __version__
from alearn.data.file_store import Place, Store
from alearn.data.listing import Listing
from alearn.data.row_source import Files, read_ahead
from alearn.errors import AlearnError
from alearn.files import csv_tables, parquet_tables
from alearn.values import Array

ABOUT = "alearn.json"
"""What all blocks of a folder are made from."""

SKIPPED = "skipped.csv"
HEADER = ("path", "reason")


class Block(NamedTuple):
    """Some images. file: the name of their file. labels: their classes, None where they are not known."""

    file: str
    names: Sequence[str]
    labels: Sequence[str | None]

    @property
    def problems(self) -> str:
        """The file that names the images which could not be read. It is there before the block."""
        return self.file.removesuffix(parquet_tables.SUFFIX) + f".{SKIPPED}"


class Done(NamedTuple):
    """A block that is computed. images: those in it. skipped: those that could not be read."""

    file: str
    images: int
    skipped: int


class Computer(Protocol):
    """Computes columns of a table from pixels.

    Attributes:
        key: One word for everything that the columns depend on beside the images.
        size: The side in pixels to which files are decoded.
        channels: The number of channels to which files are decoded, 1 or 3.
        chunk: How many images it likes to get at a time.
        id: The name of the column of the names.
        keeps_labels: Whether known labels are a column, too.
    """

    key: str
    size: int
    channels: int
    chunk: int
    id: str
    keeps_labels: bool

    def __call__(self, pixels_bchw: Tensor) -> Mapping[str, Array | Sequence[str]]:
        """Return the columns for images, uint8 [B, C, H, W], on the CPU. B may be 0."""


def cut(pool: Listing, test: Listing, size: int) -> list[Block]:
    """Cut a data set into blocks of `size` images, in its order. If there is a test set, each has a folder."""
    found = list[Block]()
    for listing, folder in ((pool, "train/" if test.ids else ""), (test, "test/")):
        count = -(-len(listing.ids) // size)
        for number in range(count):
            here = slice(number * size, (number + 1) * size)
            name = f"{folder}block-{number + 1:05d}-of-{count:05d}{parquet_tables.SUFFIX}"
            found.append(Block(name, listing.ids[here], listing.labels[here]))
    return found


def begin(out: Store, key: str, blocks: Sequence[Block], size: int) -> list[Block]:
    """Return the blocks that are not there yet.

    Raises:
        AlearnError: The folder holds something else, or cannot be written.
    """
    names = hashlib.sha256(json.dumps([(block.names, block.labels) for block in blocks]).encode()).hexdigest()
    about = {"alearn": __version__, "model": key, "images": names, "block": size}
    there = {file.name for file in out.listed()}
    if ABOUT in there:
        before: dict[str, Any] = json.loads(out.read(out.path(ABOUT)))
        words = {"alearn": "version of alearn", "model": "model", "images": "images", "block": "size of blocks"}
        if other := [words[key] for key, now in about.items() if before.get(key) != now]:
            raise AlearnError(
                f"--out={out.root}: holds blocks of another {' and another '.join(other)}; give another folder"
            )
    elif any(name.endswith(parquet_tables.SUFFIX) for name in there):
        raise AlearnError(f"--out={out.root}: holds Parquet files that are no blocks of alearn's; give another folder")
    else:
        out.write(ABOUT, (json.dumps(about, indent=1) + "\n").encode())
    return [block for block in blocks if block.file not in there]


def compute(block: Block, place: Path | Place, computer: Computer, out: Store) -> Done:
    """Compute a block and write it.

    Raises:
        AlearnError: A store cannot be read or written, or the computer fails.
    """
    files = Files(place, block.names, computer.size, computer.channels)
    label = dict(zip(block.names, block.labels, strict=True))
    names = list[str]()
    skipped = list[tuple[str, str]]()
    parts = list[Mapping[str, Array | Sequence[str]]]()
    for read in read_ahead(files, block.names, computer.chunk):
        pixels = {name: image for name, (_, image) in read.items() if image is not None}
        skipped += [(name, entry.reason) for name, (entry, _) in read.items() if entry.reason is not None]
        if pixels:
            names += pixels
            parts.append(computer(torch.from_numpy(np.stack([*pixels.values()]))))
    if not parts:
        parts.append(computer(torch.empty(0, computer.channels, computer.size, computer.size, dtype=torch.uint8)))
    columns: dict[str, Sequence[str | None] | Array] = {computer.id: names}
    for column in parts[0]:
        values = [part[column] for part in parts]
        columns[column] = np.concatenate(values) if isinstance(values[0], np.ndarray) else [*_chained(values)]
    if computer.keeps_labels and any(name is not None for name in block.labels):
        columns["label"] = [label[name] for name in names]
    if skipped:
        out.write(block.problems, csv_tables.to_text(HEADER, skipped).encode())
    out.write(block.file, parquet_tables.to_bytes(columns))
    return Done(block.file, len(names), len(skipped))


def finish(out: Store, blocks: Sequence[Block], listed: Iterable[tuple[str, str]]) -> int:
    """Check that all blocks are there, and write skipped.csv. Return how many files are skipped.

    listed: files that are in no block, with the reason.

    Raises:
        AlearnError: Some blocks are missing.
    """
    there = {file.name for file in out.listed()}
    missing = [block.file for block in blocks if block.file not in there]
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise AlearnError(
            f"--out={out.root}: {len(missing):,} of {len(blocks):,} blocks are missing: {some}. Start the parts that "
            "are missing or were stopped again, then this command"
        )
    rows = list(listed)
    for block in blocks:
        if block.problems in there:
            lines = csv_tables.parse(block.problems, out.read(out.path(block.problems)), HEADER)
            rows += [(line["path"], line["reason"]) for line in lines.values()]
    if rows or SKIPPED in there:
        out.write(SKIPPED, csv_tables.to_text(HEADER, rows).encode())
    return len(rows)


def _chained(parts: Iterable[Any]) -> Iterable[Any]:
    return (value for part in parts for value in part)
