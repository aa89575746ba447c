"""What the tests share: a data set learned in seconds, a config from the real conf/, MNIST where it can be had."""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.audit import plan
from alearn.audit.protocol import Names
from alearn.config import Config, hydra_front
from alearn.data import mnist_mirror
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.learn.fit import fit
from alearn.learn.training_set import TrainingSet
from alearn.ledger import Ledger
from alearn.loop import Trial
from alearn.models.build import build
from alearn.trial.checkpoint import State
from alearn.trial.folder_journal import Setting
from alearn.trial.row import UNKNOWN
from alearn.values import Fitted
from tests.apart import none_left
from tests.chromium import launch

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start


LONGEST = ("test_kill.py", "test_launchers.py", "test_web_browser.py", "test_end_to_end.py", "test_head_trial.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, so that no process ends with one of them while the others have nothing to do."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def compose(*overrides: str) -> Config:
    """The config that a command line gives: of the published policy's second row, which most tests are about, unless it
    names a policy, a trial or an experiment.
    """
    named = {"policy", "trial", "experiment"} & {word.split("=")[0] for word in overrides}
    return _composed(*([] if named else ["trial=t2"]), *overrides, data=os.environ.get("ALEARN_DATA"))


@cache
def _composed(*overrides: str, data: str | None) -> Config:
    """Compose a config, which nothing can change: once for all tests. data: what the environment says goes into it."""
    return hydra_front.compose(*overrides)


def fitted(
    config: Config, runtime: Runtime, images: Any, labeled: TrainingSet, classes: int, number: int, **options: Any
) -> Fitted:
    """Train as a round of a trial of this config does."""
    network = partial(build, config.model)
    settings = {"runtime": runtime, "seed": config.seed, "round": number, **options}
    return fit(config.train, network, images, labeled, classes, **settings)


def trial(
    config: Config, images: ImageSet, oracle: Any, ledger: Ledger | None = None, names: Names | None = None
) -> Trial:
    """A trial of this config on the CPU, in memory."""
    return Trial(
        images=images.images,
        names=names or Names(images.ids, images.classes),
        oracle=oracle,
        ledger=Ledger.empty(len(images)) if ledger is None else ledger,
        policy=config.policy,
        train=config.train,
        network=partial(build, config.model),
        runtime=Runtime(torch.device("cpu"), bf16=False),
        seed=config.seed,
        distortion=config.data.augment,
    )


def setting(folder: Path, settings: Config, pool: ImageSet, state: State | None = None) -> Setting:
    """What a journal and its reporters are made from, of a trial on the CPU without a test set."""
    names, nothing = Names(pool.ids, pool.classes), pool.subset(np.zeros(0, np.int64))
    state = state or State(Ledger.empty(len(pool)), classes=pool.classes)
    runtime = Runtime(torch.device("cpu"), bf16=False)
    return Setting(folder, settings, UNKNOWN, pool, nothing, names, state, runtime)


def watched(work: Callable[..., Any], *args: Any, **options: Any) -> tuple[list[Any], Any]:
    """Call what reports progress: what it reported and what it returned."""
    steps: list[Any] = []
    result = work(*args, on_progress=steps.append, **options)
    return steps, result


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


def save(images: ImageSet, folder: Path) -> None:
    """Write grey images as files, each into the folder of its class."""
    assert images.truth is not None
    for number, (pixels, kind) in enumerate(zip(images.images[:, 0].numpy(), images.truth, strict=True)):
        path = folder / images.classes[kind] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


SMALL = ("model=small_cnn", "model.width=4", "train.steps=20", "train.batch=32", "precision=fp32", "device=cpu")
"""A trial that takes seconds."""


@pytest.fixture
def config() -> Callable[..., Config]:
    return compose


@pytest.fixture
def cpu() -> Runtime:
    return Runtime(torch.device("cpu"), bf16=False)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The overrides of a trial of a second: 300 shapes in a folder, of which every twelfth has another class, so that
    there are wrong auto labels.
    """
    folder, images = tmp_path_factory.mktemp("quick"), shapes(300)
    assert images.truth is not None
    images.truth[::12] = (images.truth[::12] + 1) % 3
    save(images, folder / "images" / "train")
    save(shapes(60, seed=1), folder / "images" / "test")
    return (
        *("data=folder", f"data.root='{folder}/images'", f"data.cache='{folder}/cache'", "data.augment=none"),
        *("model=small_cnn", "model.width=4", "train.steps=20", "train.batch=32", "precision=fp32", "device=cpu"),
        *("trial=t2", "policy.init=random", "policy.init_fraction=0.1", "policy.hand_fraction=0.1"),
        "policy.threshold=0.5",
    )


@pytest.fixture
def quick_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let audits be planned with few simulations, for tests whose subject is not what an audit costs."""
    monkeypatch.setattr(plan, "SIMULATED", 8)
    monkeypatch.setattr(plan, "PATIENCE", 0)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser, for tests with the marks NEEDS_CHROMIUM."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def none_running() -> Iterator[None]:
    """Kill what a test leaves running."""
    with none_left():
        yield


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder of the real MNIST, fetched once if it must be."""
    root = Path(os.environ.get("ALEARN_DATA", "~/.cache/alearn")).expanduser()
    try:
        mnist_mirror.mnist(root)
    except AlearnError as error:
        pytest.skip(f"needs MNIST: {error}")
    return root
