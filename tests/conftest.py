"""What the tests share: a data set learned in seconds, a config from the real conf/, MNIST where it can be had."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alearn.config import Config, hydra_front
from alearn.data import mnist_mirror
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.learn.device import Runtime

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start


def compose(*overrides: str) -> Config:
    """The config that a command line gives: of the published policy's second row, which most tests are about, unless it
    names a policy, a trial or an experiment.
    """
    named = {"policy", "trial", "experiment"} & {word.split("=")[0] for word in overrides}
    return hydra_front.compose(*([] if named else ["trial=t2"]), *overrides)


def drain(steps: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    """Run a generator to its end: what it yielded and what it returned."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as done:
            return seen, done.value


def shapes(total: int, seed: int = 0, classes: int = 3) -> ImageSet:
    """Noise with a bright 6 x 6 square whose place is the class: 20 x 20 pixels, one channel."""
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=total)
    images = random.integers(0, 60, (total, 1, 20, 20), np.uint8)
    for image, kind in zip(images, truth, strict=True):
        row, column = divmod(int(kind), 3)
        image[0, 1 + 7 * row : 7 + 7 * row, 1 + 6 * column : 7 + 6 * column] += 120
    return ImageSet(
        torch.from_numpy(images), tuple(f"img/{i}.png" for i in range(total)), tuple("abc")[:classes], truth
    )


SMALL = ("model=small_cnn", "model.width=4", "train.steps=20", "train.batch=32", "precision=fp32", "device=cpu")
"""A trial that takes seconds."""


@pytest.fixture
def config() -> Callable[..., Config]:
    return compose


@pytest.fixture
def cpu() -> Runtime:
    return Runtime(torch.device("cpu"), bf16=False)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder of the real MNIST, fetched once if it must be."""
    root = Path(os.environ.get("ALEARN_DATA", "~/.cache/alearn")).expanduser()
    try:
        mnist_mirror.mnist(root)
    except AlearnError as error:
        pytest.skip(f"needs MNIST: {error}")
    return root
