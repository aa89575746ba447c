"""The work that is done block by block: features of images, and labels by the model of a trial.

A task is a small value that can be sent to another machine. There, `open` loads its network, once.

Shape letters: B images, C channels, H height, W width.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from torch import Tensor

from alearn.config import Folder
from alearn.data import blocks, listing
from alearn.data.blocks import Block, Done
from alearn.data.file_store import Store
from alearn.data.listing import Listing
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


class Task(Protocol):
    """Something that is computed of a data set."""

    @property
    def out(self) -> str:
        """The folder or URL of the blocks."""

    @property
    def data(self) -> Folder:
        """The images."""

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


def plan(task: Task, size: int) -> tuple[Listing, Listing, list[Block]]:
    """List the images of a task, and cut them into blocks. Raise AlearnError if there are none."""
    pool, test = listing.listed(task.data)
    if not pool.ids and not test.ids:
        raise AlearnError(f"data.root={task.data.root}: {listing.nothing(pool.skipped)}")
    return pool, test, blocks.cut(pool, test, size)


def worker(task: Task) -> Callable[[Block], Done]:
    """Load the network of a task, and return what computes a block."""
    return partial(blocks.compute, place=listing.place(task.data), computer=task.computer(), out=Store(task.out, OUT))
