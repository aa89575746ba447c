"""A training step that is replayed as a graph. A recording of torch's operations stands in for the CUDA graph."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from alearn.errors import AlearnError
from alearn.learn import batches, fit
from alearn.learn.consistency import Consistency
from alearn.learn.device import Runtime
from alearn.learn.replay import WARM_UP, Replay
from alearn.learn.training_set import TrainingSet
from alearn.models.build import build
from tests.conftest import compose, fitted, shapes

CPU = Runtime(torch.device("cpu"), bf16=False)


class Recording(TorchDispatchMode):
    """Does what a CUDA graph does: keep operations with the memory that they read and write, and run them again."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Any] = []
        self.replays = 0
        self.before: dict[
            int, tuple[torch.Tensor, torch.Tensor | None]
        ] = {}  # what came from outside, before any operation

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in tree_flatten(args)[0]:
            if isinstance(value, torch.Tensor):
                self.before.setdefault(id(value), (value, value.clone()))
        out = func(*args, **(kwargs or {}))
        for value in tree_flatten(out)[0]:
            self.before.setdefault(id(value), (value, None))
        self.operations.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        self.replays += 1
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, out in self.operations:
                again = func(*args, **kwargs)
                for old, new in zip(tree_flatten(out)[0], tree_flatten(again)[0], strict=True):
                    if isinstance(old, torch.Tensor) and old is not new:
                        old.copy_(new)


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """Let recordings stand in for CUDA graphs. Making one leaves the generator and all numbers as they were."""
    made: list[Recording] = []

    def graph() -> Recording:
        made.append(Recording())
        return made[-1]

    @contextmanager
    def record(recording: Recording) -> Iterator[None]:
        before = torch.get_rng_state()
        with recording:
            yield
        torch.set_rng_state(before)
        for value, old in recording.before.values():
            if old is not None:
                value.detach().copy_(old)

    stream = type("Stream", (), {"wait_stream": lambda self, other: None})
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(torch.cuda, "Stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    return made


def trained(*, replay: bool, sizes: list[int]) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Train as policy=frugal does, with its weighted draws: the loss of each step, and the weights in the end."""
    config = compose("policy=frugal", "data.augment=digits")
    images = shapes(400)
    torch.manual_seed(1)
    model = build(config.model, (1, 20, 20), 3).train()
    pool = torch.arange(200, 400)
    draw = batches.Draw(np.linspace(1, 2, 200), CPU.device)
    consistency = Consistency(config.train.model_copy(update={"confidence": 0.3}), CPU, model, pool, draw)
    step = fit.Step(config.train, CPU, model, len(sizes), consistency, replay=replay)
    losses = []
    for number, size in enumerate(sizes):
        torch.manual_seed(number // 4)  # as each epoch does
        index = torch.randint(200, (size,))
        losses.append(step(images.images, index, torch.from_numpy(images.truth)[index]))
    return [float(loss) for loss in losses], model.state_dict()


def test_replays_give_the_losses_and_the_weights_of_plain_steps(recordings):
    sizes = [48] * 12
    losses, weights = trained(replay=False, sizes=sizes)
    replayed_losses, replayed = trained(replay=True, sizes=sizes)
    assert [recording.replays for recording in recordings] == [12 - WARM_UP]
    assert replayed_losses == losses
    assert all(torch.equal(replayed[name], weight) for name, weight in weights.items())


def test_batches_of_another_size_are_computed_without_the_graph(recordings):
    sizes = [48] * 6 + [7] + [48] * 3 + [7]
    losses, weights = trained(replay=False, sizes=sizes)
    replayed_losses, replayed = trained(replay=True, sizes=sizes)
    assert [recording.replays for recording in recordings] == [9 - WARM_UP]
    assert replayed_losses == losses
    assert all(torch.equal(replayed[name], weight) for name, weight in weights.items())


def test_images_that_are_gathered_on_the_cpu_are_not_replayed(recordings, monkeypatch):
    """Their rows are looked up by NumPy, which a graph would not do again."""
    seen = []
    init = fit.Step.__init__
    monkeypatch.setattr(fit.Step, "__init__", lambda *args, **options: seen.append(options) or init(*args, **options))
    config = compose("train.steps=10", "train.batch=8")
    runtime = Runtime(torch.device("cpu"), bf16=False, cuda_graphs=True)
    labeled = TrainingSet(np.arange(60), np.zeros(60, np.int64), np.ones(60, bool), np.arange(0))
    for images in (shapes(60).images, Gathered(shapes(60).images)):
        fitted(config, runtime, images, labeled, 3, 1)
    assert [options["replay"] for options in seen] == [True, False]


class Gathered:
    """Images that are no tensor."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images
        self.shape = images.shape

    def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
        return self.images[index]


def test_a_network_that_waits_for_the_device_cannot_be_recorded(recordings, monkeypatch):
    def passes(images: torch.Tensor, index: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        if recordings:
            raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be ...")
        return torch.zeros(())

    replay = Replay(passes, [nn.Parameter(torch.zeros(1))])
    index = torch.zeros(4, dtype=torch.int64)
    for _ in range(WARM_UP):
        replay(torch.zeros(4), index, index)
    with pytest.raises(
        AlearnError, match=r"cuda_graphs=true: a step of this network cannot be recorded \(operation not"
    ):
        replay(torch.zeros(4), index, index)
