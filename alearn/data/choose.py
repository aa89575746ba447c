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

from alearn.config import Data, Folder
from alearn.data import decode, listing
from alearn.data.decode import NotReadError, Where
from alearn.data.tree import tree
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


def sample(data: Data) -> "Sample":
    """Return a sample of the images of a folder."""
    assert isinstance(data, Folder)
    return Sample.of(data)


def contents(data: Folder, look: Callable[[], "Sample"]) -> tuple[Folder, list[str]]:
    """Choose layout, channels and augment of a folder as far as they are auto. Return it, and a sentence for each."""
    choices: dict[str, Choice] = {}
    if data.layout == "auto" and data.labels is None:
        choices["layout"] = listing.layout(tree(data.root))
    if data.channels == "auto":
        choices["channels"] = _channels(look())
    if data.augment == "auto":
        choices["augment"] = augment(look().thumbnails)
    return _with(data, choices)


def sized(data: Folder, look: Callable[[], "Sample"], side: int | None, cuda: bool) -> tuple[Folder, list[str]]:
    """Choose the size of a folder if it is auto. Return the folder, and a sentence about the choice.

    side: the pixels per side for which a pretrained network is best, None for a network that is trained from scratch.
    cuda: whether there is a GPU.
    """
    if data.size != "auto":
        return data, []
    choice = _size(look(), cuda) if side is None else (side, "the network has learned from images of about this size")
    return _with(data, {"size": choice})


def plain(data: Data, look: Callable[[], "Sample"]) -> str | None:
    """Return why images need no network that knows photographs, as `why_plain` does."""
    if not isinstance(data, Folder):
        return why_plain(data.augment, 1 if data.name in GREY else 3, small=True)
    assert data.channels != "auto"
    return why_plain(data.augment, data.channels, is_small(data, look))


def why_plain(augment: str, channels: int, small: bool) -> str | None:
    """Return why images need no network that knows photographs: they are line-drawn, or small and grey. Else None.

    Args:
        augment: The distortions that suit the images.
        channels: 1 if the images are grey.
        small: Whether they have at most SMALL pixels a side.
    """
    if augment == "digits":
        return "the images are line-drawn"
    return "the images are small and grey" if channels == 1 and small else None


def is_small(data: Data, look: Callable[[], "Sample"]) -> bool:
    """Return whether the images have at most SMALL pixels a side."""
    if not isinstance(data, Folder):
        return True
    return (look().side if data.size == "auto" else data.size) <= SMALL


def _with(data: Folder, choices: dict[str, Choice]) -> tuple[Folder, list[str]]:
    notes = [f"data.{key}={value}: {why}" for key, (value, why) in choices.items()]
    return data.model_copy(update={key: value for key, (value, _) in choices.items()}), notes


@dataclass(frozen=True)
class Sample:
    """A sample of n images. shapes: int64 [n, 2], height and width. files: the n files."""

    shapes: Array
    files: Sequence[Where]

    @classmethod
    def of(cls, data: Folder) -> Self:
        """Read the headers of up to HEADERS files, evenly spaced in the pool. Leave out files that are not images."""
        if data.layout == "auto" and data.labels is None:
            data = data.model_copy(update={"layout": listing.layout(tree(data.root))[0]})
        root = listing.place(data)
        (pool, _) = listing.listed(data, root)
        names = _evenly(pool.ids, HEADERS if isinstance(root, Path) else THUMBNAILS)  # a store is read image by image
        files = {name: root / name for name in names}
        shapes, reasons = _each(decode.header, list(files.values()))
        if not shapes:
            skipped = [*pool.skipped, *((name, reasons[file]) for name, file in files.items())]
            raise AlearnError(f"data.root={data.root}: {listing.nothing(skipped)}")
        return cls(np.array(list(shapes.values()), np.int64), list(shapes))

    @property
    def side(self) -> int:
        """The median of the longer sides, in pixels."""
        return int(np.median(self.shapes.max(1)))

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
    if sample.side <= SMALL:
        return max(8, -(-sample.side // 4) * 4), why
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


def _each(read: Callable[[Where], T], files: Sequence[Where]) -> tuple[dict[Where, T], dict[Where, str]]:
    """Read files in threads. Return the result for each file, and the reason for each file that cannot be read."""

    def attempt(path: Where) -> T | NotReadError:
        try:
            return read(path)
        except NotReadError as error:
            return error

    with ThreadPoolExecutor() as threads:
        outcomes = dict(zip(files, threads.map(attempt, files), strict=True))
    reasons = {path: outcome.reason for path, outcome in outcomes.items() if isinstance(outcome, NotReadError)}
    results = {path: outcome for path, outcome in outcomes.items() if not isinstance(outcome, NotReadError)}
    return results, reasons
