"""Load a user's own image files as a data set: decoded once, without duplicates. Every skipped file has a reason.

The files below data.root may be laid out in these ways:

    train/CLASS/**, test/CLASS/**   the labels are known, and there is a test set
    CLASS/**                        the labels are known
    CLASS/**, unlabeled/**          some labels are given, the others are unknown
    **                              there are no labels, and folders mean nothing
    **.tar, **.parquet              shards, which hold many images each and perhaps their labels
    data.labels                     a table lists the files and the labels that are known
"""

from pathlib import Path

import numpy as np
import torch

from alearn.config import Folder
from alearn.data import listing, row_store
from alearn.data.file_store import Place
from alearn.data.imageset import ImageSet
from alearn.data.listing import Listing
from alearn.data.on_demand import Located, OnDemand
from alearn.data.row_source import Files
from alearn.data.row_store import Rows
from alearn.errors import AlearnError
from alearn.values import Array, Extractor


def load(data: Folder, extractor: Extractor | None = None) -> tuple[ImageSet, ImageSet]:
    """Load the pool and the test set (empty if there is none), on the CPU.

    Ids are paths relative to the root. If all labels are known, they are the truth. If only some labels are known, they
    are given labels. Of several files with the same content, the pool has the first. If that file has no label, it
    takes the label of the others.

    Args:
        data: The folder. Without an extractor, its size and channels must not be auto.
        extractor: What makes features of the images, at its own size. Pixels are then decoded when they are asked for.

    Raises:
        AlearnError: No image is left, or `alearn.data.listing.listed` or `alearn.data.row_store.load` fails.
    """
    size, channels = (data.size, data.channels) if extractor is None else (extractor.size, extractor.channels)
    assert size != "auto"
    assert channels != "auto"
    root = listing.place(data)
    (pool, test) = listing.listed(data, root)
    if data.imbalance.shape != "none" and not pool.known:
        raise AlearnError(
            f"data.imbalance.shape={data.imbalance.shape}: needs the true labels of all images; without them "
            "it must be none"
        )
    files = Files(root, pool.ids + test.ids, size, channels)
    rows = row_store.load(Path(data.cache), files, extractor)
    pool_images = _imageset(root, pool, rows, 0, files.shape)
    if not len(pool_images):
        raise AlearnError(f"data.root={data.root}: {listing.nothing(pool_images.skipped)}")
    return pool_images, _imageset(root, test, rows, len(pool.ids), files.shape)


def _imageset(root: Path | Place, listed: Listing, found: Rows, start: int, shape: tuple[int, int, int]) -> ImageSet:
    """Return the files of a listing that could be decoded, without duplicates.

    start: the position in `found` of the first file of the listing. shape: (C, H, W).
    """
    number = {name: at for at, name in enumerate(listed.classes)}
    label = np.array([-1 if name is None else number[name] for name in listed.labels], np.int64)
    first, skipped = dict[int, int](), list(listed.skipped)  # first: the position of the first file of each row
    for at, row in enumerate(found.rows[start : start + len(listed.ids)].tolist()):
        if row < 0:
            skipped.append((listed.ids[at], found.reasons[start + at]))
        elif row in first:
            skipped.append((listed.ids[at], f"is the same image as {_original(listed, label, first[row], at)}"))
        else:
            first[row] = at
    kept = np.array([*first.values()], np.int64)
    rows = np.array([*first], np.int64)
    label = label[kept]
    ids = tuple(listed.ids[at] for at in kept)
    images = found.images(rows)
    pixels = found.none.dtype == torch.uint8
    return ImageSet(
        images=images if pixels else OnDemand(Located(root, ids), shape),
        features=None if pixels else images,
        ids=ids,
        classes=listed.classes,
        truth=label if listed.known or not listed.ids else None,
        given=label if not listed.known and (label >= 0).any() else None,
        root=root,
        skipped=tuple(skipped),
    )


def _original(listed: Listing, label: Array, first: int, at: int) -> str:
    """Return in words which image the duplicate `at` equals. If only the duplicate has a label, the image takes it."""
    name = listed.ids[first]
    ours = label[first]
    theirs = label[at]
    if ours < 0 <= theirs:
        label[first] = theirs
        return f"{name}, which takes its label, {listed.classes[theirs]}"
    if theirs >= 0 and ours != theirs:
        return f"{name}, which is labeled {listed.classes[ours]}, not {listed.classes[theirs]}"
    return name
