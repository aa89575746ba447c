"""Image files of one's own as a data set: listed, decoded once, without doubles; whatever is left out has a reason.

How files may lie, below data.root:

    train/CLASS/**, test/CLASS/**   the labels are known, and a test set measures
    CLASS/**                        the labels are known
    CLASS/**, unlabeled/**          some labels are given, the others are to be found
    **                              no labels; folders mean nothing
    data.labels                     a table says which files there are, and which labels are known
"""

import math
from pathlib import Path

import numpy as np
import torch

from alearn.config import Folder
from alearn.data import image_cache, listing
from alearn.data.image_cache import Decoded
from alearn.data.imageset import ImageSet
from alearn.data.listing import Listing
from alearn.data.pixels import Mapped
from alearn.errors import AlearnError
from alearn.values import Array, Images

IN_MEMORY = 256 << 20
"""Bytes of images up to which a set is a tensor; a larger one stays on disk."""


def load(data: Folder) -> tuple[ImageSet, ImageSet]:
    """Pool and test set (empty if there is none), on the CPU. data: its size and channels are not auto any more.

    Ids are paths relative to the root. Where all labels are known, they are the truth; where some are, they are given.
    Of files with the same content the pool has the first, and the label of the others if that has none. Raises
    AlearnError if no image is left, and as `alearn.data.listing.listed` and `alearn.data.image_cache.load` do.
    """
    assert data.size != "auto"
    assert data.channels != "auto"
    root, (pool, test) = Path(data.root).expanduser().absolute(), listing.listed(data)
    if data.imbalance.shape != "none" and not pool.known:
        raise AlearnError(
            f"data.imbalance.shape={data.imbalance.shape}: needs the true labels of all images; without them "
            "it must be none"
        )
    images = image_cache.load(Path(data.cache), root, pool.ids + test.ids, data.size, data.channels)
    shape = (data.channels, data.size, data.size)
    found = _imageset(root, pool, images, 0, shape)
    if not len(found):
        raise AlearnError(f"data.root={data.root}: {listing.nothing(found.skipped)}")
    return found, _imageset(root, test, images, len(pool.ids), shape)


def _imageset(root: Path, listed: Listing, decoded: Decoded, start: int, shape: tuple[int, int, int]) -> ImageSet:
    """What could be decoded of a listing, without doubles. start: its first file in `decoded`. shape: (C, H, W)."""
    number = {name: at for at, name in enumerate(listed.classes)}
    label = np.array([-1 if name is None else number[name] for name in listed.labels], np.int64)
    first, skipped = dict[int, int](), list(listed.skipped)  # first: the place of each row's first file
    for at, row in enumerate(decoded.rows[start : start + len(listed.ids)].tolist()):
        if row < 0:
            skipped.append((listed.ids[at], decoded.reasons[start + at]))
        elif row in first:
            skipped.append((listed.ids[at], f"is the same image as {_double(listed, label, first[row], at)}"))
        else:
            first[row] = at
    kept, rows = np.array([*first.values()], np.int64), np.array([*first], np.int64)
    label = label[kept]
    return ImageSet(
        images=_images(decoded, rows, shape),
        ids=tuple(listed.ids[at] for at in kept),
        classes=listed.classes,
        truth=label if listed.known or not listed.ids else None,
        given=label if not listed.known and (label >= 0).any() else None,
        root=root,
        skipped=tuple(skipped),
    )


def _images(decoded: Decoded, rows: Array, shape: tuple[int, int, int]) -> Images:
    if decoded.mapping is None or not len(rows):
        return torch.empty((0, *shape), dtype=torch.uint8)
    mapped = Mapped(decoded.mapping, rows)
    return mapped.tensor(mapped.device) if math.prod(mapped.shape) < IN_MEMORY else mapped


def _double(listed: Listing, label: Array, first: int, at: int) -> str:
    """Which image a double is the same as. If only the double has a label, the image gets it."""
    name, ours, theirs = listed.ids[first], label[first], label[at]
    if ours < 0 <= theirs:
        label[first] = theirs
        return f"{name}, which takes its label, {listed.classes[theirs]}"
    if theirs >= 0 and ours != theirs:
        return f"{name}, which is labeled {listed.classes[ours]}, not {listed.classes[theirs]}"
    return name
