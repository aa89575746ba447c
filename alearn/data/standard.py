"""Load the well-known data sets with torchvision, from disk or by download. MNIST has further sources."""

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
from alearn.files.fetch import timeout
from alearn.values import Array


class Known(NamedTuple):
    """A known data set. kind: the class in torchvision. pool, test: its arguments for each split. size: of the pool."""

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
"""Number of images in the pool of each data set, for checks before anything is loaded."""
DIGITS = tuple("0123456789")


def load(name: str, root: Path) -> tuple[ImageSet, ImageSet]:
    """Load the training split as the pool, and the test split, in file order. Ids are positions in the files.

    Raise AlearnError if the data is damaged, or if it is missing and cannot be downloaded.
    """
    if name == "mnist":
        return mnist(root)
    known = KNOWN[name]
    try:
        return _read(known, root, download=False)
    except Exception:  # torchvision does not distinguish missing from damaged files, which can fail in any way
        print(f"data={name}: not in {root}, or not all of it; trying to download it", file=sys.stderr, flush=True)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"), timeout():  # jobs of a sweep start together
            return _read(known, root, download=True)
    except Exception as error:
        why = str(error).strip() or type(error).__name__
        raise AlearnError(
            f"data={name}: files in data.root={root} are missing or damaged, and could not be downloaded "
            f"({why.splitlines()[-1]}). Delete damaged files and run this again where there is a network, or give the "
            "folder of torchvision's files as data.root=FOLDER"
        ) from None


def mnist(root: Path) -> tuple[ImageSet, ImageSet]:
    """Load MNIST's 60,000 training images and 10,000 test images, in file order."""
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


def _split(dataset: Any) -> ImageSet:
    """Return a torchvision data set as an image set. Its arrays are read directly: indexing it makes PIL images."""
    images = torch.as_tensor(dataset.data)
    if images.ndim == 3:  # grey
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    truth = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    return _imageset(images.contiguous(), np.asarray(truth), tuple(getattr(dataset, "classes", DIGITS)))


def _imageset(images: Tensor, truth: Array, classes: tuple[str, ...]) -> ImageSet:
    return ImageSet(images, tuple(map(str, range(len(images)))), classes, truth.astype(np.int64))
