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

from alearn.data.decode import NotReadError, decoded
from alearn.errors import AlearnError
from alearn.files import csv_tables
from alearn.learn.device import Runtime
from alearn.learn.score import judge
from alearn.models.classifier import to_float
from alearn.trial.model_file import Saved
from alearn.values import Array

HEADER = ("path", "label", "confidence")


def found(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield each file that is named and, sorted, the files below each folder that is named, except hidden ones."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
                yield file


def predict(saved: Saved, runtime: Runtime, paths: Iterable[Path], out: TextIO) -> list[str]:
    """Write one line for each image, in the order of the paths; return a message for each image that cannot be read.

    Threads decode one chunk of images at a time, and then it is scored. So memory does not grow with their number.
    """
    network = saved.network.to(runtime.device)
    problems: list[str] = []
    out.write(csv_tables.line(HEADER))

    def read(path: Path) -> Array | NotReadError:
        try:
            return decoded(str(path), saved.shape[1:], saved.shape[0])
        except NotReadError as error:
            return error

    with ThreadPoolExecutor() as threads:
        rest = iter(paths)
        while chunk := list(islice(rest, runtime.chunk(saved.shape))):
            good: list[Path] = []
            pixels: list[Array] = []
            for path, image in zip(chunk, threads.map(read, chunk), strict=True):
                if isinstance(image, NotReadError):
                    problems.append(str(image))
                else:
                    good.append(path)
                    pixels.append(image)
            if not good:
                continue
            images_bchw = torch.from_numpy(np.stack(pixels)).to(runtime.device)
            with torch.inference_mode(), runtime.autocast():
                guess, doubt, _ = judge(network(to_float(images_bchw)))
            sure = -np.expm1(doubt.cpu().numpy().astype(np.float64))
            for path, label, confidence in zip(good, guess.tolist(), sure.tolist(), strict=True):
                out.write(csv_tables.line((path, saved.classes[label], f"{confidence:.9g}")))
    return problems


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
