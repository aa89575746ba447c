"""Image files in a folder a class: DIR/train/CLASS/* and DIR/test/CLASS/*, or DIR/CLASS/* without a test set."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.events import Array

CHUNK = 64
"""Files that a thread decodes at a time."""


def load(root: Path, size: int, channels: int) -> tuple[ImageSet, ImageSet]:
    """Pool and test set (empty if there is none) of images resized to size x size, in grey or colour (1 or 3 channels).

    Ids are paths relative to the root, in sorted order; classes are the names of the pool's folders. Hidden files are
    left out. Raises AlearnError for a folder without images, a test class that the pool does not have, and for a file
    that is not an image.
    """
    split = (root / "train").is_dir()
    pool, test = listed(root, "train/" if split else ""), listed(root, "test/") if split else {}
    if not any(pool.values()):
        raise AlearnError(
            f"data.root={root}: holds no images; they must be in {root}/train/CLASS/ (and {root}/test/CLASS/), "
            f"or in {root}/CLASS/"
        )
    if extra := [name for name in test if name not in pool]:
        raise AlearnError(f"{root}/test/{extra[0]}: there is no such class in {root}/train")
    classes = tuple(pool)
    return _imageset(root, pool, classes, size, channels), _imageset(root, test, classes, size, channels)


def listed(root: Path, prefix: str) -> dict[str, list[str]]:
    """The files of each class below root/prefix, as paths relative to the root; classes and files sorted by name."""

    def names(folder: str, kind: str) -> list[str]:
        with os.scandir(root / folder) as found:
            return sorted(one.name for one in found if getattr(one, kind)() and not one.name.startswith("."))

    try:
        kinds = names(prefix, "is_dir")
        return {kind: [f"{prefix}{kind}/{name}" for name in names(f"{prefix}{kind}", "is_file")] for kind in kinds}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AlearnError(f"data.root={root}: {error.filename} cannot be read ({error.strerror})") from None


def decoded(path: str, size: tuple[int, int], channels: int) -> Array:
    """An image file as uint8 [channels, height, width]; raises AlearnError that names it if it is none. size: (height,
    width).
    """
    from PIL import Image

    mode, (height, width) = "L" if channels == 1 else "RGB", size
    try:
        with Image.open(path) as image:
            image.draft(mode, (width, height))  # a large JPEG is decoded no larger than it must be
            pixels = np.asarray(image.convert(mode).resize((width, height), Image.Resampling.BILINEAR))
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"{path} cannot be read as an image ({error}); mend it or take it away") from None
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def _imageset(root: Path, files: dict[str, list[str]], classes: tuple[str, ...], size: int, channels: int) -> ImageSet:
    ids = tuple(name for one in files.values() for name in one)
    truth = np.array([classes.index(kind) for kind, one in files.items() for _ in one], np.int64)
    images = np.empty((len(ids), channels, size, size), np.uint8)

    def fill(start: int) -> None:
        for number in range(start, min(start + CHUNK, len(ids))):
            images[number] = decoded(f"{root}/{ids[number]}", (size, size), channels)

    with ThreadPoolExecutor() as threads:  # Pillow decodes outside of Python's lock
        list(threads.map(fill, range(0, len(ids), CHUNK)))  # a list, so that errors come out
    return ImageSet(torch.from_numpy(images), ids, classes, truth)
