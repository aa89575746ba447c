"""The well-known data sets: on disk as torchvision lays them out, or fetched by torchvision. MNIST has more ways."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from alearn.data import mnist_mirror
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.values import Array


class Known(NamedTuple):
    """kind: torchvision's class. pool, test: its arguments for either split. size: images in the pool."""

    kind: str
    pool: dict[str, Any]
    test: dict[str, Any]
    size: int


TRAIN, TEST = {"train": True}, {"train": False}
KNOWN = {
    "fashion_mnist": Known("FashionMNIST", TRAIN, TEST, 60_000),
    "kmnist": Known("KMNIST", TRAIN, TEST, 60_000),
    "cifar10": Known("CIFAR10", TRAIN, TEST, 50_000),
    "cifar100": Known("CIFAR100", TRAIN, TEST, 50_000),
    "svhn": Known("SVHN", {"split": "train"}, {"split": "test"}, 73_257),
}
SIZES = {"mnist": 60_000} | {name: known.size for name, known in KNOWN.items()}
"""Images in the pool, for checks before anything is loaded."""
DIGITS = tuple("0123456789")


def load(name: str, root: Path) -> tuple[ImageSet, ImageSet]:
    """The training split as the pool and the test split, in file order; ids are the numbers of images in the files.

    Raises AlearnError for data that is missing and cannot be fetched, or damaged.
    """
    if name == "mnist":
        return mnist(root)
    known = KNOWN[name]
    try:
        return _read(known, root, download=False)
    except Exception:  # torchvision does not tell what is missing from what is damaged, and damage can fail in any way
        print(f"data={name}: not in {root}, or not all of it; trying to fetch it", file=sys.stderr, flush=True)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"), mnist_mirror.timeout():  # the jobs of a sweep start together
            return _read(known, root, download=True)
    except Exception as error:
        why = str(error).strip() or type(error).__name__
        raise AlearnError(
            f"data={name}: data.root={root} does not hold all of it, undamaged, and it could not be fetched "
            f"({why.splitlines()[-1]}). Delete what is there if it is damaged, and run this again where there is a "
            "network; or give the place of torchvision's files as data.root=FOLDER"
        ) from None


def mnist(root: Path) -> tuple[ImageSet, ImageSet]:
    """MNIST's 60,000 training and 10,000 test images, in file order."""
    raw = mnist_mirror.mnist(root)

    def split(name: str) -> ImageSet:
        images = np.fromfile(raw / f"{name}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
        truth = np.fromfile(raw / f"{name}-labels-idx1-ubyte", np.uint8)[8:]
        return _imageset(torch.from_numpy(images), truth, DIGITS)

    return split("train"), split("t10k")


def _read(known: Known, root: Path, download: bool) -> tuple[ImageSet, ImageSet]:
    from torchvision import datasets

    kind = getattr(datasets, known.kind)
    pool, test = (kind(str(root), download=download, **split) for split in (known.pool, known.test))
    return _split(pool), _split(test)


def _split(found: Any) -> ImageSet:
    """From torchvision's arrays as they are: its `__getitem__` would make a picture of every image."""
    images = torch.as_tensor(found.data)
    if images.ndim == 3:  # grey
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    truth = found.targets if hasattr(found, "targets") else found.labels
    return _imageset(images.contiguous(), np.asarray(truth), tuple(getattr(found, "classes", DIGITS)))


def _imageset(images: Tensor, truth: Array, classes: tuple[str, ...]) -> ImageSet:
    return ImageSet(images, tuple(map(str, range(len(images)))), classes, truth.astype(np.int64))
