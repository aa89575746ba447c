"""The work that is done block by block: features of images, and labels by the model of a trial.

A task is a small value that can be sent to another machine. There, `worker` loads its network, once. All its paths are
absolute, because another process has another working directory.

Shape letters: B images, C channels, H height, W width.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from torch import Tensor

from alearn.config import Folder
from alearn.data import blocks, listing
from alearn.data.blocks import Block, Done
from alearn.data.file_store import Folder as StoredFolder
from alearn.data.file_store import Store, is_url
from alearn.data.listing import Listing
from alearn.data.shards import Shards
from alearn.data.tree import tree
from alearn.errors import AlearnError
from alearn.learn import device
from alearn.learn.device import Runtime
from alearn.learn.extract import Extraction, extraction
from alearn.models.pretrained import Pretrained
from alearn.trial import model_file
from alearn.trial.predict import Labeler
from alearn.values import Array

OUT = "--out"

Place = Path | StoredFolder | Shards
"""Where the images of a task lie."""

Work = Callable[[Block, Place], Done]
"""Computes a block. The place may have the images of this block alone."""


class Task(Protocol):
    """Something that is computed of a data set."""

    @property
    def device(self) -> str:
        """auto, cpu or cuda."""

    @property
    def root(self) -> str:
        """The folder or URL of the images."""

    @property
    def out(self) -> str:
        """The folder or URL of the blocks."""

    @property
    def data(self) -> Folder:
        """The images."""

    def on(self, device: str) -> Self:
        """Return the same task on another device."""

    def computer(self) -> blocks.Computer:
        """Load the network. Raise AlearnError if it is not available here."""


@dataclass(frozen=True)
class FeatureTask:
    """The features of images by a pretrained network. device, precision, threads: as in the config of a trial."""

    data: Folder
    model: Pretrained
    device: str
    precision: str
    threads: int | str
    out: str

    @property
    def root(self) -> str:
        """The folder or URL of the images."""
        return self.data.root

    def on(self, device: str) -> Self:
        """Return the same task on another device."""
        return replace(self, device=device)

    def computer(self) -> "Features":
        """Load the network."""
        return Features(extraction(self.model, self.data, device.choose(self.device, self.precision, self.threads)))


class Features:
    """Computes the column `features`, float16 [B, F]."""

    id = "id"
    keeps_labels = True

    def __init__(self, extractor: Extraction) -> None:
        self.key = extractor.key
        self.size = extractor.size
        self.channels = extractor.channels
        self.chunk = extractor.chunk
        self._extractor = extractor

    def __call__(self, pixels_bchw: Tensor) -> Mapping[str, Array]:
        """Return the column."""
        return {"features": self._extractor(pixels_bchw).numpy()}


@dataclass(frozen=True)
class LabelTask:
    """The labels that the model of a trial gives to images. folder: of the trial. root: a folder or URL of images."""

    folder: Path
    root: str
    device: str
    out: str

    def on(self, device: str) -> Self:
        """Return the same task on another device."""
        return replace(self, device=device)

    @property
    def data(self) -> Folder:
        """The images: those in shards, if there are any, or else all files."""
        shards = listing.layout(tree(self.root))[0] == listing.SHARDS
        return Folder(root=self.root, layout="shards" if shards else "unlabeled")

    def computer(self) -> "Labels":
        """Load the model."""
        return Labels(self, device.choose(self.device, "fp32"))


class Labels:
    """Computes the columns `label` and `confidence`."""

    id = "path"
    keeps_labels = False

    def __init__(self, task: LabelTask, runtime: Runtime) -> None:
        saved = model_file.load(task.folder)
        self.channels, self.size, width = saved.shape
        if self.size != width:
            raise AlearnError(
                f"{task.folder}: its images are {self.size} x {width} pixels; {OUT}=FILE labels such images"
            )
        self.chunk = runtime.chunk(saved.shape)
        self.key = model_file.sha256(task.folder)
        self._labeler = Labeler(saved, runtime)

    def __call__(self, pixels_bchw: Tensor) -> Mapping[str, Array | Sequence[str]]:
        """Return the columns."""
        names, sure = self._labeler(pixels_bchw)
        return {"label": names, "confidence": sure}


def absolute(root: str) -> str:
    """Return the same folder for all processes of this machine; a URL as it is."""
    return root if is_url(root) else str(Path(root).expanduser().absolute())


def plan(task: Task, size: int) -> tuple[Place, Listing, Listing, list[Block]]:
    """List the images of a task, once, and cut them into blocks. Raise AlearnError if there are none."""
    data = task.data
    place = listing.place(data)
    pool, test = listing.listed(data, place)
    if not pool.ids and not test.ids:
        raise AlearnError(f"data.root={data.root}: {listing.nothing(pool.skipped)}")
    return place, pool, test, blocks.cut(pool, test, size)


def part(place: Place, block: Block) -> Place:
    """Return what is needed to read the images of a block, so that another machine does not list all."""
    return place if isinstance(place, Path) else place.part(block.names)


def worker(task: Task) -> Work:
    """Load the network of a task, and return what computes a block.

    Raises:
        AlearnError: This machine does not see the images or the folder of the blocks, or would compute something else.
    """
    here = platform.node()
    if not is_url(task.root) and not Path(task.root).is_dir():
        raise AlearnError(
            f"data.root={task.root}: {here} has no such folder; give one that all machines share, or a URL"
        )
    out = Store(task.out, OUT)
    computer = task.computer()
    blocks.check(out, computer.key, here)
    return lambda block, place: blocks.compute(block, place, computer, out)
