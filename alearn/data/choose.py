"""Replace the `auto` values of the config for a user's own images, by looking at a sample of them.

Shape letters: n images, S pixels a side.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from alearn.config import Data, Folder, Model, Train
from alearn.config.model_config import Auto
from alearn.data import decode, listing
from alearn.data.decode import NotReadError
from alearn.errors import AlearnError
from alearn.values import Array

HEADERS, THUMBNAILS = 2000, 300
"""How many files have their header read, and how many of those are decoded."""

SIDE = 32
"""Side of a thumbnail, in pixels."""

SMALL, USUAL, CHEAP = 40, 64, 48
"""Pixels per side. Images of at most SMALL pixels keep their size. Other images are resized to USUAL, or to CHEAP if
there is no GPU. Without a GPU, all images also get the small network: on 4,000 images of CIFAR-10 the large network
takes 2.3 times as long and gains 2 points of accuracy.
"""

GREY = ("mnist", "fashion_mnist", "kmnist")
"""The known data sets of small grey images."""

CHROMA, COLOURED = 24, 0.01
"""A pixel has colour if its channels differ by more than CHROMA (of 255). An image has colour if more than the share
COLOURED of its pixels has. A grey JPEG that is stored in colour stays below that.
"""

INK, PAPER, LINES = 0.25, 0.1, 0.8
"""Paper is what differs from the median brightness by less than PAPER. Ink is what differs from it by more than INK. An
image is line-drawn if more than half of it is paper and little of its ink lies in broad spots. A set is line-drawn if
at least the share LINES of its images is. Shares of known sets: MNIST 0.99, handwriting in ink on paper 0.97, CIFAR-10
and photographs of rubbish (TrashNet) 0.31.
"""

MIRRORED = 0.5
"""A set is mirrored if more than this share of its images has colour. Known shares: CIFAR-10 0.90, TrashNet 0.82."""

Choice = tuple[Any, str]
"""A value, and the reason for it."""


@dataclass(frozen=True)
class Settled:
    """The sections of the config without any `auto`. notes: for the user, what was chosen and why."""

    data: Data
    train: Train
    model: Model
    notes: list[str]

    def sections(self) -> dict[str, Any]:
        """Return the sections by their names in the config."""
        return {"data": self.data, "train": self.train, "model": self.model}


def settle(data: Data, train: Train, model: Model, cuda: bool) -> Settled:
    """Choose a value for each `auto` in data, for train.augment, and for the model.

    If nothing is auto, no image is read. Labels play no part. The same files give the same values on the same machine.

    Args:
        data: Where the images are.
        train: The recipe. Its distortions may come from data.
        model: A network, or the two networks to choose from.
        cuda: Whether there is a GPU.

    Raises:
        AlearnError: The folder holds no images, or `alearn.data.listing.listed` refuses it.
    """
    notes: list[str] = []
    if isinstance(data, Folder):
        choices = _data(data, cuda)
        notes += [f"data.{key}={value}: {why}" for key, (value, why) in choices.items()]
        data = data.model_copy(update={key: value for key, (value, _) in choices.items()})
    elif data.augment == "auto":
        raise AlearnError(f"data.augment=auto: is for data=folder; leave it out for data={data.name}")
    if train.augment == "auto":
        train = train.model_copy(update={"augment": data.augment})
    if isinstance(model, Auto):
        large = isinstance(data, Folder) and int(data.size) > SMALL
        grey = data.channels == 1 if isinstance(data, Folder) else data.name in GREY
        model, why = network(model, large, grey, cuda)
        width = getattr(model, "width", None)  # not every network has one
        notes.append(f"model={model.name}{'' if width is None else f' model.width={width}'}: {why}")
    return Settled(data, train, model, notes)


def network(auto: Auto, large: bool, grey: bool, cuda: bool) -> tuple[Model, str]:
    """Choose one of two networks, and give the reason. large: whether the images have more than SMALL pixels a side."""
    if grey and not large:
        return auto.small, "the images are small and grey"
    if not cuda:
        return auto.small, "there is no GPU"
    return auto.large, f"the images are {f'more than {SMALL} pixels a side' if large else 'in colour'}"


def _data(data: Folder, cuda: bool) -> dict[str, Choice]:
    """Return a choice for each key of the folder that is auto, by key."""
    choices: dict[str, Choice] = {}
    if data.layout == "auto" and data.labels is None:
        choices["layout"] = listing.layout(Path(data.root).expanduser())
    if "auto" not in (data.size, data.channels, data.augment):
        return choices
    sample = Sample.of(data)
    if data.size == "auto":
        choices["size"] = _size(sample, cuda)
    if data.channels == "auto":
        choices["channels"] = _channels(sample)
    if data.augment == "auto":
        choices["augment"] = augment(sample.thumbnails)
    return choices


@dataclass(frozen=True)
class Sample:
    """A sample of n images. shapes: int64 [n, 2], height and width. files: the n files."""

    shapes: Array
    files: Sequence[Path]

    @classmethod
    def of(cls, data: Folder) -> Self:
        """Read the headers of up to HEADERS files, evenly spaced in the pool. Leave out files that are not images."""
        root = Path(data.root).expanduser()
        (pool, _) = listing.listed(data)
        shapes, reasons = _each(decode.header, [root / name for name in _evenly(pool.ids, HEADERS)])
        if not shapes:
            skipped = [*pool.skipped, *((str(path.relative_to(root)), reason) for path, reason in reasons.items())]
            raise AlearnError(f"data.root={data.root}: {listing.nothing(skipped)}")
        return cls(np.array(list(shapes.values()), np.int64), list(shapes))

    @cached_property
    def thumbnails(self) -> Array:
        """Thumbnails of up to THUMBNAILS of the files, evenly spaced, uint8 [n, 3, S, S]."""
        thumbnails, reasons = _each(lambda path: decode.decoded(path, (SIDE, SIDE), 3), _evenly(self.files, THUMBNAILS))
        if not thumbnails:
            first, reason = next(iter(reasons.items()))
            raise AlearnError(f"none of {len(reasons)} sampled images can be read; {first} {reason}")
        return np.stack(list(thumbnails.values()))


def coloured(thumbnails: Array) -> Array:
    """Return which images have colour, whatever the mode of their files: bool [n]. thumbnails: uint8 [n, 3, S, S]."""
    chroma = thumbnails.max(1).astype(int) - thumbnails.min(1)
    return np.asarray((chroma > CHROMA).mean((1, 2)) > COLOURED)


def brightness(thumbnails: Array) -> Array:
    """Return the brightness of images, float32 [n, S, S] in [0, 1]. thumbnails: uint8 [n, 3, S, S]."""
    luminance = np.array([0.299, 0.587, 0.114], np.float32) / 255
    return np.asarray(np.tensordot(thumbnails.astype(np.float32), luminance, (1, 0)))


def _size(sample: Sample, cuda: bool) -> Choice:
    height, width = np.median(sample.shapes, axis=0).astype(int).tolist()
    why = f"the images are {width} x {height} in the median"
    longer = int(np.median(sample.shapes.max(1)))
    if longer <= SMALL:
        return max(8, -(-longer // 4) * 4), why
    return (USUAL, why) if cuda else (CHEAP, f"{why}, and there is no GPU")


def _channels(sample: Sample) -> Choice:
    count = int(coloured(sample.thumbnails).sum())
    if not count:
        return 1, "no sampled image has colour"
    return 3, f"{count} of {len(sample.thumbnails)} sampled images {'has' if count == 1 else 'have'} colour"


def augment(thumbnails: Array) -> Choice:
    """Choose distortions that do not change classes: a key of `alearn.data.augment.AUGMENT`, and the reason.

    Only photographs in colour are mirrored. Handwriting is not mirrored. Grey images are not mirrored either, because
    left and right differ in most scans and X-rays.
    """
    if line_drawn(brightness(thumbnails)) >= LINES:
        return "digits", "the images are line-drawn, like handwriting; no mirror images are made"
    if coloured(thumbnails).mean() <= MIRRORED:
        return "numbers", "most images are grey; no mirror images are made (data.augment=objects makes them)"
    return "objects", (
        "most images are photographs in colour; mirror images are made. "
        "If mirroring changes the class of an image, as it does with text, set data.augment=numbers"
    )


def line_drawn(grey_nss: Array) -> float:
    """Return the share of the images that show thin lines on a plain background. grey_nss: float32 in [0, 1]."""
    off_nss = np.abs(grey_nss - np.median(grey_nss, axis=(1, 2), keepdims=True))
    ink_nss = off_nss > INK
    around = np.pad(ink_nss, ((0, 0), (2, 2), (2, 2)))
    broad_nss = np.lib.stride_tricks.sliding_window_view(around, (5, 5), axis=(1, 2)).all((3, 4))
    ink = ink_nss.mean((1, 2))
    broad = broad_nss.mean((1, 2))
    paper = (off_nss < PAPER).mean((1, 2))
    return float(np.mean((ink > 0.02) & (broad < 0.25 * ink) & (paper > 0.5)))


def _evenly(items: Sequence[Any], most: int) -> list[Any]:
    """Return at most `most` of the items, evenly spaced from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[int(at)] for at in np.linspace(0, len(items) - 1, most).round()]


T = TypeVar("T")


def _each(read: Callable[[Path], T], files: Sequence[Path]) -> tuple[dict[Path, T], dict[Path, str]]:
    """Read files in threads. Return the result for each file, and the reason for each file that cannot be read."""

    def attempt(path: Path) -> T | NotReadError:
        try:
            return read(path)
        except NotReadError as error:
            return error

    with ThreadPoolExecutor() as threads:
        outcomes = dict(zip(files, threads.map(attempt, files), strict=True))
    reasons = {path: outcome.reason for path, outcome in outcomes.items() if isinstance(outcome, NotReadError)}
    results = {path: outcome for path, outcome in outcomes.items() if not isinstance(outcome, NotReadError)}
    return results, reasons
