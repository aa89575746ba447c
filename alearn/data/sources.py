"""From a `data` config to images: the pool that gets labeled, and a test set that only measures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from alearn import rng
from alearn.config import Config
from alearn.data import mirror
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.events import Array


def load(config: Config) -> tuple[ImageSet, ImageSet]:
    """Pool and test set on the CPU. Raises AlearnError for data that is missing and cannot be fetched, damaged, or too
    small.
    """
    pool, test = SOURCES[config.data.name](Path(config.data.root).expanduser())
    limit = config.data.limit
    if limit is None:
        return pool, test
    if limit > len(pool):
        raise AlearnError(f"data.limit={limit}: data={config.data.name} has {len(pool)} images")
    return pool.sample(limit, rng.generator(config.seed, "limit")), test


def mnist(root: Path) -> tuple[ImageSet, ImageSet]:
    """MNIST's 60,000 training and 10,000 test images, in file order."""
    raw = mirror.mnist(root)

    def split(name: str) -> ImageSet:
        images = np.fromfile(raw / f"{name}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
        truth: Array = np.fromfile(raw / f"{name}-labels-idx1-ubyte", np.uint8)[8:].astype(np.int64)
        return ImageSet(torch.from_numpy(images), tuple(map(str, range(len(images)))), tuple("0123456789"), truth)

    return split("train"), split("t10k")


SIZES = {"mnist": 60_000}
"""Images in the pool, for checks before anything is loaded."""

SOURCES: dict[str, Callable[[Path], tuple[ImageSet, ImageSet]]] = {"mnist": mnist}
