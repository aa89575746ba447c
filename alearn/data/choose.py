"""What the config leaves open about people's own images, settled by a look at a sample of them.

Shape letters: n images, S pixels a side, D values of a description.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from alearn.config import Config, Folder
from alearn.config.model_config import Auto
from alearn.data import decode, listing
from alearn.data.decode import NotReadError
from alearn.errors import AlearnError
from alearn.values import Array

HEADERS, THUMBNAILS = 2000, 300
"""Files whose header is read, and of those the ones that are decoded."""

SIDE = 32
"""Pixels a side of a thumbnail."""

SMALL, USUAL, CHEAP = 40, 64, 48
"""Images of at most SMALL pixels keep their size; all others get USUAL, without a GPU CHEAP. There the small network
does, too, whatever the images: on 4,000 of CIFAR-10 the large one takes 2.3 times as long, for 2 points of accuracy.
"""

GREY = ("mnist", "fashion_mnist", "kmnist")
"""The known data sets of small grey images."""

CHROMA, COLOURED = 24, 0.01
"""An image has colour if more than this share of its pixels has channels that differ by more than this, of 255. A grey
JPEG in colour is off by less.
"""

INK, PAPER, LINES = 0.25, 0.1, 0.8
"""An image is line-drawn if half of it is paper (as bright as the median, give or take PAPER) and the ink (what differs
by INK) has no broad spots. A set is line-drawn if this share of its images is: of MNIST 0.99 are, of handwriting in ink
on paper 0.97, of CIFAR-10 and of photographs of rubbish (TrashNet) 0.31.
"""

MIRRORED = 0.5
"""A set is mirrored if more than this share of its images has colour: of CIFAR-10 0.90 have, of TrashNet 0.82."""


def settle(config: Config, cuda: bool) -> tuple[Config, list[str]]:
    """The config with a value for each auto of data, for train.augment and for the model; and why, a sentence each, to
    say aloud. What is settled already is left alone, and if all is, no image is read.

    cuda: whether there is a GPU. The same files give the same values there; labels play no part. Raises AlearnError for
    a folder without images, and as `alearn.data.listing.listed` does.
    """
    data, train, model = config.data, config.train, config.model
    said, changed = list[str](), dict[str, Any]()
    if isinstance(data, Folder):
        found, why = _data(data, cuda)
        said += why
        if found:
            changed["data"] = data = data.model_copy(update=found)
    elif data.augment == "auto":
        raise AlearnError(f"data.augment=auto: is for data=folder; leave it out for data={data.name}")
    if train.augment == "auto":
        changed["train"] = train.model_copy(update={"augment": data.augment})
    if isinstance(model, Auto):
        large = isinstance(data, Folder) and int(data.size) > SMALL
        small = data.channels == 1 and not large if isinstance(data, Folder) else data.name in GREY
        changed["model"] = chosen = model.large if cuda and not small else model.small
        kind = "small and grey" if small else f"more than {SMALL} pixels a side" if large else "in colour"
        reason = f"the images are {kind}" if cuda or small else "there is no GPU"
        width = getattr(chosen, "width", None)
        size = "" if width is None else f" model.width={width}"
        said.append(f"model={chosen.name}{size}: {reason}")
    return (config.model_copy(update=changed) if changed else config), said


def _data(data: Folder, cuda: bool) -> tuple[dict[str, Any], list[str]]:
    """Values of the keys that are auto, and why."""
    found, said = dict[str, Any](), list[str]()
    if data.layout == "auto" and data.labels is None:
        root = Path(data.root).expanduser()
        found["layout"] = listing.layout(root)
        said.append(listing.said(root))
    if "auto" not in (data.size, data.channels, data.augment):
        return found, said
    sample = Sample.of(data)
    height, width = np.median(sample.shapes, axis=0).astype(int).tolist()
    if data.size == "auto":
        longer = int(np.median(sample.shapes.max(1)))
        found["size"] = max(8, -(-longer // 4) * 4) if longer <= SMALL else USUAL if cuda else CHEAP
        why = "" if cuda or longer <= SMALL else ", and there is no GPU"
        said.append(f"data.size={found['size']}: the images are {width} x {height} in the median{why}")
    if data.channels == "auto":
        coloured = int(sample.coloured.sum())
        found["channels"] = 3 if coloured else 1
        has = f"{coloured} of {len(sample.coloured)} sampled images {'has' if coloured == 1 else 'have'} colour"
        said.append(f"data.channels={found['channels']}: {has if coloured else 'no sampled image has colour'}")
    if data.augment == "auto":
        found["augment"], why = augment(sample)
        said.append(f"data.augment={found['augment']}: {why}")
    return found, said


@dataclass(frozen=True)
class Sample:
    """A look at some images. shapes: int64 [n, 2], height and width. files: those n."""

    shapes: Array
    files: Sequence[Path]

    @classmethod
    def of(cls, data: Folder) -> Self:
        """HEADERS files of the pool, evenly drawn, without those that are no images."""
        root, (pool, _) = Path(data.root).expanduser(), listing.listed(data)
        files = [root / name for name in _evenly(pool.ids, HEADERS)]
        shapes, reasons = _each(decode.header, files)
        if not shapes:
            skipped = [*pool.skipped, *((str(path.relative_to(root)), reason) for path, reason in reasons.items())]
            raise AlearnError(f"data.root={data.root}: {listing.nothing(skipped)}")
        return cls(np.array(list(shapes.values()), np.int64), list(shapes))

    @cached_property
    def thumbnails(self) -> Array:
        """THUMBNAILS of the files, evenly drawn: uint8 [n, 3, S, S]."""
        found, reasons = _each(lambda path: decode.decoded(path, (SIDE, SIDE), 3), _evenly(self.files, THUMBNAILS))
        if not found:
            first, reason = next(iter(reasons.items()))
            raise AlearnError(f"none of {len(reasons)} sampled images can be read; {first} {reason}")
        return np.stack(list(found.values()))

    @cached_property
    def coloured(self) -> Array:
        """bool [n]: which thumbnails have colour, whatever their files' mode."""
        chroma = self.thumbnails.max(1).astype(int) - self.thumbnails.min(1)
        return np.asarray((chroma > CHROMA).mean((1, 2)) > COLOURED)

    @property
    def grey(self) -> Array:
        """The thumbnails, float32 [n, S, S] in [0, 1]."""
        luminance = np.array([0.299, 0.587, 0.114], np.float32) / 255
        return np.asarray(np.tensordot(self.thumbnails.astype(np.float32), luminance, (1, 0)))


def augment(sample: Sample) -> tuple[str, str]:
    """Return the distortions that leave classes as they are, a key of AUGMENT, and why.

    Only photographs in colour are mirrored. Writing is not, and neither are grey images: most scans and X-rays have a
    left and a right.
    """
    if line_drawn(sample.grey) >= LINES:
        return "digits", "the images are line-drawn, as handwriting is; no mirror images are made"
    if sample.coloured.mean() <= MIRRORED:
        return "numbers", "most images are grey; no mirror images are made (data.augment=objects makes them)"
    return "objects", (
        "most images are photographs in colour; mirror images are made. "
        "If mirroring makes another class of an image, as it does with text: data.augment=numbers"
    )


def line_drawn(grey_nss: Array) -> float:
    """Share of the images that are thin lines on a plain ground."""
    off_nss = np.abs(grey_nss - np.median(grey_nss, axis=(1, 2), keepdims=True))
    ink_nss = off_nss > INK
    around = np.pad(ink_nss, ((0, 0), (2, 2), (2, 2)))
    broad_nss = np.lib.stride_tricks.sliding_window_view(around, (5, 5), axis=(1, 2)).all((3, 4))
    ink, broad, paper = ink_nss.mean((1, 2)), broad_nss.mean((1, 2)), (off_nss < PAPER).mean((1, 2))
    return float(np.mean((ink > 0.02) & (broad < 0.25 * ink) & (paper > 0.5)))


def _evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, from beginning to end."""
    if len(items) <= most:
        return list(items)
    return [items[int(at)] for at in np.linspace(0, len(items) - 1, most).round()]


def _each(work: Any, files: Sequence[Path]) -> tuple[dict[Path, Any], dict[Path, str]]:
    """What a function makes of each file, in threads; and why not of the others."""

    def one(path: Path) -> Any:
        try:
            return work(path)
        except NotReadError as error:
            return error

    with ThreadPoolExecutor() as threads:
        found = dict(zip(files, threads.map(one, files), strict=True))
    bad = {path: made.reason for path, made in found.items() if isinstance(made, NotReadError)}
    return {path: made for path, made in found.items() if path not in bad}, bad
