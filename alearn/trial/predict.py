"""Label new images with the model that a trial left.

Shape letters: B batch, C channels, H height, W width.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from torch import Tensor

from alearn.config import Folder
from alearn.data import listing
from alearn.data.decode import NotReadError, Where, decoded
from alearn.data.file_store import is_url
from alearn.data.tree import tree
from alearn.errors import AlearnError
from alearn.files import csv_tables, parquet_tables
from alearn.learn.device import Runtime
from alearn.learn.score import judge
from alearn.models.classifier import to_float
from alearn.trial.model_file import Saved
from alearn.values import Array

HEADER = ("path", "label", "confidence")

Labeled = tuple[str, str, float]
"""Where an image lies, its label, and the probability that the label is right."""


def found(images: Iterable[str], problems: list[str]) -> Iterator[Where]:
    """Yield each file that is named, and the images of each named folder and URL, sorted and without hidden ones.

    A folder whose files are shards gives their images. What is not used there is added to the problems.

    Raises:
        AlearnError: A store or a shard cannot be read.
    """
    for name in images:
        path = Path(name)
        if not is_url(name) and not path.is_dir():
            yield path
            continue
        layout, _ = listing.layout(tree(name))
        if layout != listing.SHARDS and not is_url(name):
            yield from (
                file
                for file in sorted(path.rglob("*"))
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            continue
        folder = Folder(root=name, layout="shards" if layout == listing.SHARDS else "unlabeled")
        place = listing.place(folder)
        pool, test = listing.listed(folder, place)
        problems += [f"{name}/{file} {reason}" for file, reason in pool.skipped]
        yield from (place / image for image in pool.ids + test.ids)


class Labeler:
    """A trained network that labels images."""

    def __init__(self, saved: Saved, runtime: Runtime) -> None:
        self._network = saved.network.to(runtime.device)
        self._classes = saved.classes
        self._runtime = runtime

    def __call__(self, pixels_bchw: Tensor) -> tuple[list[str], Array]:
        """Return the names of the classes of images (uint8 [B, C, H, W]), and the probabilities, float64 [B]."""
        if not len(pixels_bchw):
            return [], np.empty(0)
        with torch.inference_mode(), self._runtime.autocast():
            guess, doubt, _ = judge(self._network(to_float(pixels_bchw.to(self._runtime.device))))
        return [self._classes[label] for label in guess.tolist()], -np.expm1(doubt.cpu().numpy().astype(np.float64))


def predict(saved: Saved, runtime: Runtime, images: Iterable[Where], problems: list[str]) -> Iterator[list[Labeled]]:
    """Yield the labels of a chunk of images at a time, in their order; add a message for each that cannot be read.

    Threads decode a chunk, and then it is scored. So memory does not grow with the number of images.
    """
    labeler = Labeler(saved, runtime)

    def read(image: Where) -> Array | NotReadError:
        try:
            return decoded(image, saved.shape[1:], saved.shape[0])
        except NotReadError as error:
            return error

    with ThreadPoolExecutor() as threads:
        rest = iter(images)
        while chunk := list(islice(rest, runtime.chunk(saved.shape))):
            good: list[Where] = []
            pixels: list[Array] = []
            for image, outcome in zip(chunk, threads.map(read, chunk), strict=True):
                if isinstance(outcome, NotReadError):
                    problems.append(str(outcome))
                else:
                    good.append(image)
                    pixels.append(outcome)
            if good:
                names, sure = labeler(torch.from_numpy(np.stack(pixels)))
                yield list(zip(map(str, good), names, sure.tolist(), strict=True))


def write_csv(labels: Iterable[list[Labeled]], out: TextIO) -> None:
    """Write a line for each image."""
    out.write(csv_tables.line(HEADER))
    for chunk in labels:
        out.writelines(csv_tables.line((path, label, f"{sure:.9g}")) for path, label, sure in chunk)


def write_parquet(labels: Iterable[list[Labeled]], path: Path) -> None:
    """Write a row for each image. Raise AlearnError if pyarrow is not installed."""
    pyarrow, parquet = parquet_tables.pyarrow()
    schema = pyarrow.schema(
        [("path", pyarrow.string()), ("label", pyarrow.string()), ("confidence", pyarrow.float64())]
    )
    with parquet.ParquetWriter(path, schema) as out:
        for chunk in labels:
            out.write_table(pyarrow.table(dict(zip(HEADER, zip(*chunk, strict=True), strict=True)), schema=schema))


def to_onnx(saved: Saved, path: Path) -> None:
    """Write the network as an ONNX file.

    Its input is "pixels", float [batch, C, H, W] in [0, 1]. Its output is "logits", float [batch, classes].

    Raises:
        AlearnError: onnx or onnxscript is not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise AlearnError("--onnx: torch's exporter needs onnx and onnxscript; pip install 'alearn[onnx]'") from None
    example = torch.zeros(2, *saved.shape)
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        saved.network,
        (example,),
        path,
        input_names=["pixels"],
        output_names=["logits"],
        dynamic_shapes=({0: batch},),
        external_data=False,
        verbose=False,
    )
