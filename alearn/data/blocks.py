"""Compute something of many images block by block, so that many machines can share the work.

A block is a Parquet file for some thousand images. It is written as a whole or not at all, under a name that says which
images it is for. So a process that is killed loses the block that it was at, nobody waits for anybody, and a block that
is there is not computed again. The same function computes a block wherever it runs, so all ways give the same bytes.

Shape letters: B images, C channels, H height, W width.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
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

NAMED = 3
"""How many blocks a message names."""

THREADS = 32
"""How many blocks are looked at at a time: they may lie in a store that takes long to answer."""

WORDS = {"alearn": "version of alearn", "model": "model", "images": "images", "block": "size of blocks"}
"""The keys of ABOUT, in words."""


class Block(NamedTuple):
    """Some images. file: the name of their file. labels: their classes, None where they are not known."""

    file: str
    names: Sequence[str]
    labels: Sequence[str | None]


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


def begin(out: Store, key: str, blocks: Sequence[Block], size: int) -> set[str]:
    """Claim a folder for blocks, and return the names of the files in it.

    Args:
        out: The folder.
        key: The key of the computer.
        blocks: All blocks.
        size: Images of a block.

    Raises:
        AlearnError: The folder holds something else, or cannot be written.
    """
    digest = hashlib.sha256()
    for block in blocks:  # of names and labels one by one, so that the size of the blocks does not matter
        for pair in zip(block.names, block.labels, strict=True):
            digest.update(json.dumps(pair).encode())
    about = {"alearn": __version__, "model": key, "images": digest.hexdigest(), "block": size}
    there = {file.name for file in out.listed()}
    if ABOUT in there:
        before = _about(out)
        if other := [word for name, word in WORDS.items() if before.get(name) != about[name]]:
            raise AlearnError(
                f"--out={out.root}: holds blocks of another {' and another '.join(other)}; give another --out"
            )
    elif any(name.endswith(parquet_tables.SUFFIX) for name in there):
        raise AlearnError(f"--out={out.root}: holds Parquet files that are no blocks of alearn's; give another --out")
    else:
        out.write(ABOUT, (json.dumps(about, indent=1) + "\n").encode())
    return there


def missing(out: Store, there: set[str], blocks: Sequence[Block], place: Path | Place) -> list[Block]:
    """Return the blocks that are not there yet. there: what `begin` returned. place: where the images lie now.

    Raises:
        AlearnError: A block is damaged, or its images have changed since it was computed.
    """
    old = [block for block in blocks if block.file in there]
    for block, made in zip(old, _made(out, old), strict=True):
        files = Files(place, (), 0, 0)
        if made["images"] != _digest((name, files.stamp(name)) for name in block.names):
            raise AlearnError(
                f"--out={out.root}: the images of {block.file} have changed since it was computed; delete it to "
                "compute it again, or give another --out"
            )
    return [block for block in blocks if block.file not in there]


def check(out: Store, key: str, where: str) -> None:
    """Raise AlearnError if this machine (where) does not see that `begin` claimed the folder for what it computes.

    key: of its computer.
    """
    try:
        before = _about(out)
    except AlearnError as error:
        raise AlearnError(
            f"{error}; {where} must see what the other machines write: give a folder that all share, or a URL"
        ) from None
    if before["model"] != key:
        raise AlearnError(f"--out={out.root}: is for the model {before['model']}, and {where} computes {key}")


def compute(block: Block, place: Path | Place, computer: Computer, out: Store) -> Done:
    """Compute a block and write it.

    The metadata of the file says what it was made from, and which images are not in it, and why.

    Raises:
        AlearnError: A store cannot be read or written, or the computer fails.
    """
    files = Files(place, block.names, computer.size, computer.channels)
    label = dict(zip(block.names, block.labels, strict=True))
    names = list[str]()
    stamps = list[tuple[str, tuple[int, int] | None]]()
    skipped = list[tuple[str, str]]()
    parts = list[Mapping[str, Array | Sequence[str]]]()
    for read in read_ahead(files, block.names, computer.chunk):
        pixels = {name: image for name, (_, image) in read.items() if image is not None}
        stamps += [(name, entry.stamp) for name, (entry, _) in read.items()]
        skipped += [(name, entry.reason) for name, (entry, _) in read.items() if entry.reason is not None]
        if pixels:
            names += pixels
            parts.append(computer(torch.from_numpy(np.stack([*pixels.values()]))))
    if not parts:
        parts.append(computer(torch.empty(0, computer.channels, computer.size, computer.size, dtype=torch.uint8)))
    columns: dict[str, Sequence[str | None] | Array] = {computer.id: names}
    for column in parts[0]:
        values: list[Any] = [part[column] for part in parts]
        columns[column] = np.concatenate(values) if isinstance(values[0], np.ndarray) else [*chain(*values)]
    if computer.keeps_labels and any(name is not None for name in block.labels):
        columns["label"] = [label[name] for name in names]
    made = {"alearn": __version__, "model": computer.key, "images": _digest(stamps), "skipped": skipped}
    out.write(block.file, parquet_tables.to_bytes(columns, json.dumps(made)))
    return Done(block.file, len(names), len(skipped))


def finish(out: Store, blocks: Sequence[Block], listed: Iterable[tuple[str, str]]) -> tuple[int, int]:
    """Check that all blocks are there, and write skipped.csv.

    listed: files that are in no block, with the reason.

    Returns:
        How many images the blocks hold, and how many files are skipped.

    Raises:
        AlearnError: Some blocks are missing.
    """
    there = {file.name for file in out.listed()}
    absent = [block.file for block in blocks if block.file not in there]
    if absent:
        some = ", ".join(absent[:NAMED]) + (", ..." if len(absent) > NAMED else "")
        raise AlearnError(
            f"--out={out.root}: {len(absent):,} of {len(blocks):,} blocks are missing: {some}. Start the parts that "
            "are missing or were stopped again, then this command"
        )
    unread = [(name, reason) for made in _made(out, blocks) for name, reason in made["skipped"]]
    rows = [*listed, *unread]
    if rows or SKIPPED in there:
        out.write(SKIPPED, csv_tables.to_text(HEADER, rows).encode())
    return sum(len(block.names) for block in blocks) - len(unread), len(rows)


def _about(out: Store) -> dict[str, Any]:
    """Return what `begin` wrote."""
    content = out.read(out.path(ABOUT))
    try:
        about: dict[str, Any] = json.loads(content)
        return {name: about[name] for name in WORDS}
    except (ValueError, TypeError, KeyError):
        raise AlearnError(f"--out={out.root}: {ABOUT} is damaged; give another --out") from None


def _made(out: Store, blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """Return what `compute` wrote about blocks that are there."""

    def read(block: Block) -> dict[str, Any]:
        with out.opened(out.path(block.file)) as opened:
            text = parquet_tables.note(opened)
        try:
            made: dict[str, Any] = json.loads(text or "")
            return {name: made[name] for name in ("images", "skipped")}
        except (ValueError, TypeError, KeyError):
            raise AlearnError(
                f"--out={out.root}: {block.file} is damaged, or is no block of alearn's; delete it"
            ) from None

    with ThreadPoolExecutor(THREADS) as threads:
        return [*threads.map(read, blocks)]


def _digest(stamps: Iterable[tuple[str, tuple[int, int] | None]]) -> str:
    """Return one word for images: their names, and numbers that change with their content."""
    return hashlib.sha256(json.dumps([*stamps]).encode()).hexdigest()
