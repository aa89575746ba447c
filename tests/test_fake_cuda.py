"""Find tensors on the wrong device without a GPU: fake tensors on a cuda device go through all code that runs there.

A fake tensor has a shape, a type and a device, but no data. An operation on fake tensors of two devices raises the same
error as on real ones. Autocast is off here, because torch does not do it for cuda without a GPU.
"""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from alearn.config import Head, Model
from alearn.data.augment import AUGMENT, _basis
from alearn.learn import batches, fit, head, score
from alearn.learn.consistency import Consistency
from alearn.learn.device import Runtime
from alearn.learn.extract import Extraction
from alearn.learn.training_set import TrainingSet
from alearn.models.build import build
from alearn.models.classifier import to_float
from alearn.models.pretrained import Pretrained, backbone
from alearn.policy import first, query, spread
from alearn.registry import QUERIES, Need
from alearn.values import Scores
from tests.conftest import compose

CUDA = torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def fake() -> Iterator[None]:
    _basis.cache_clear()  # a fake tensor can be used only in the mode that made it
    with FakeTensorMode(allow_non_fake_inputs=False):
        yield
    _basis.cache_clear()


def network(config: Model) -> nn.Module:
    """Return a model on the fake device. `.to(CUDA)` cannot swap fake parameters, so each one is replaced here."""
    with unset_fake_temporarily():
        model = build(config, (1, 28, 28), 10)
    return moved(model)


def moved(model: nn.Module) -> nn.Module:
    """Return a model with its parameters on the fake device."""
    for module in model.modules():
        for values in (module._parameters, module._buffers):
            for name, value in values.items():
                if value is not None:
                    new = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=CUDA)
                    learns = values is module._parameters
                    values[name] = nn.Parameter(new, requires_grad=value.requires_grad) if learns else new
    return model


def images() -> torch.Tensor:
    return torch.zeros(200, 1, 28, 28, dtype=torch.uint8, device=CUDA)


def test_a_mix_up_would_be_found():
    with pytest.raises(RuntimeError, match=r"found two different devices|on different devices|same device"):
        images() + torch.zeros(200, 1, 28, 28)
    with pytest.raises(RuntimeError, match="device"):
        AUGMENT["digits"](images().float()) + torch.zeros(200, 1, 28, 28)


@pytest.mark.parametrize("name", AUGMENT)
def test_augmentation(name):
    x = to_float(images())
    assert AUGMENT[name](x).device == CUDA


@pytest.mark.parametrize("recipe", ["source", "fast"])
@pytest.mark.parametrize("model", ["source_cnn", "small_cnn", "resnet"])
def test_a_training_step(model, recipe, monkeypatch):
    """Test all but the backward pass, whose threads need a real GPU. Gradients on the fake device stand in for it."""
    config = compose(f"model={model}", f"train={recipe}", "train.augment=digits")
    classifier = network(config.model).train()
    step = fit.Step(config.train, Runtime(CUDA, bf16=False), classifier, config.train.steps)

    def backward(loss: torch.Tensor) -> None:
        for parameter in classifier.parameters():
            parameter.grad = torch.zeros_like(parameter)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    index, label = torch.zeros(8, dtype=torch.int64, device=CUDA), torch.zeros(8, dtype=torch.int64, device=CUDA)
    for _ in range(2):
        loss = step(images(), index, label)
        assert (loss.device, loss.shape, loss.dtype) == (CUDA, (), torch.float32)
    with pytest.raises(RuntimeError):
        step(images(), index, label.cpu())


def test_a_weighted_draw_and_the_weights_of_the_round_before():
    draw = batches.Draw(np.ones(200), CUDA)
    assert (draw(8).device, draw(8).shape, draw(8).dtype) == (CUDA, (8,), torch.int64)
    config = compose("policy=frugal")
    classifier = network(config.model).train()
    pool = torch.arange(200, device=CUDA)
    loss = Consistency(config.train, Runtime(CUDA, bf16=False), classifier, pool, draw)(images())
    assert (loss.device, loss.shape) == (CUDA, ())
    with unset_fake_temporarily():
        before = build(config.model, (1, 28, 28), 10).state_dict()
    start = {name: torch.empty(weight.shape, dtype=weight.dtype) for name, weight in before.items()}
    fit.go_on(classifier, start)  # a trial that is resumed has them on the CPU
    assert {weight.device for weight in classifier.state_dict().values()} == {CUDA}


def test_a_step_of_fine_tuning(monkeypatch):
    config = compose(
        "model=pretrained", "model.name=test_efficientnet", "model.weights=null", "train=finetune",
        "train.augment=objects", "train.consistency=1",
    )  # fmt: skip
    classifier = network(config.model).train()
    pool = torch.arange(200, device=CUDA)
    runtime = Runtime(CUDA, bf16=False)
    consistency = Consistency(config.train, runtime, classifier, pool)
    step = fit.Step(config.train, runtime, classifier, config.train.steps, consistency)

    def backward(loss: torch.Tensor) -> None:
        for parameter in classifier.parameters():
            parameter.grad = torch.zeros_like(parameter)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    index, label = pool[:8], torch.zeros(8, dtype=torch.int64, device=CUDA)
    for _ in range(2):
        loss = step(images(), index, label)
        assert (loss.device, loss.shape, loss.dtype) == (CUDA, (), torch.float32)
    assert {group["params"][0].device for group in step._optimizer.param_groups} == {CUDA}


def test_scoring():
    model = network(compose("model=small_cnn").model)
    index = torch.arange(100, device=CUDA)
    made = score.infer(Runtime(CUDA, bf16=False), model, images(), index)
    assert {name: (t.device, t.dtype) for name, t in made.items()} == {
        "guess": (CUDA, torch.int64), "doubt": (CUDA, torch.float32), "margin": (CUDA, torch.float32),
    }  # fmt: skip


def test_scoring_for_every_strategy():
    model = network(compose("model=source_cnn").model)
    want = frozenset(get_args(Need))
    made = score.infer(Runtime(CUDA, bf16=False), model, images(), torch.arange(100, device=CUDA), want)
    assert {t.device for t in made.values()} == {CUDA}
    assert made.keys() == {"guess", "doubt", "margin", "probs", "features", "information"}
    assert (made["probs"].shape, made["features"].shape, made["information"].shape) == ((100, 10), (100, 128), (100,))


@pytest.fixture
def numbers(monkeypatch) -> None:
    """Let the CPU read zeros from a fake tensor."""
    types = {torch.float32: np.float32, torch.int64: np.int64}
    monkeypatch.setattr(torch.Tensor, "numpy", lambda tensor: np.zeros(tuple(tensor.shape), types[tensor.dtype]))


@pytest.mark.parametrize("name", [*QUERIES.names(), "diverse", "first"])
def test_decisions(name, numbers, monkeypatch):
    monkeypatch.setattr(spread, "CENTRES", 10)
    monkeypatch.setattr(spread, "SAMPLE", 50)
    monkeypatch.setattr(first, "CROWD", 40)
    monkeypatch.setattr(first, "SAMPLE", 50)
    probs, features, known = (torch.zeros(shape, device=CUDA) for shape in ((200, 10), (200, 8), (30, 8)))
    zeros, random = np.zeros(200, np.float32), np.random.default_rng(0)
    scores = Scores(np.arange(200), np.zeros(200, np.int64), zeros, zeros, probs, features, known, zeros)
    if name == "first":
        made = first.pixel_features(images(), random)
        assert (made.device, made.shape) == (CUDA, (200, 40))
        picked = first.typical(made, 20, random)
    elif name == "diverse":
        picked = query.diverse(features[:100], 20, random)
    else:
        picked = QUERIES.get(name).rank(scores, 20, random)
    assert picked.dtype == np.int64
    assert len(picked) == 20


def test_batches_without_a_budget():
    epoch = next(batches.epochs(compose("train=source").train, torch.ones(100, dtype=torch.bool, device=CUDA)))
    assert {batch.device for batch in epoch} == {CUDA}


@pytest.mark.parametrize("bf16", [False, True])
def test_features(bf16, monkeypatch):
    with unset_fake_temporarily():
        body = backbone(Pretrained(name="test_efficientnet", weights=None), (3, 32, 32))
        extraction = Extraction(body, Runtime(torch.device("cpu"), bf16))
    moved(extraction._network)
    extraction._runtime, extraction.batch = Runtime(CUDA, bf16), 256
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor.device.type) or tensor)
    empty = torch.empty  # which cannot pin memory without a GPU
    monkeypatch.setattr(torch, "empty", lambda *size, pin_memory=False, **options: empty(*size, **options))
    seen = []
    extraction._network.register_forward_hook(lambda module, inputs, made: seen.append((inputs[0].device, made.shape)))
    features = extraction._computed(torch.zeros(300, 3, 32, 32, dtype=torch.uint8))
    assert (features.device.type, features.dtype, features.shape) == ("cpu", torch.float16, (300, body.features))
    assert seen == [(CUDA, (256, body.features))] * 2
    assert pinned == ["cpu"] * 2


def test_the_head_on_features(numbers, monkeypatch):
    """Test all that surrounds the steps of L-BFGS. These read numbers that a fake tensor does not have."""
    seen = []

    def regression(x_nf, y_n, classes, penalty):
        seen.append((x_nf.device, y_n.device, tuple(x_nf.shape)))
        return torch.zeros(classes, x_nf.shape[1], device=CUDA), torch.zeros(classes, device=CUDA)

    monkeypatch.setattr(head, "regression", regression)
    monkeypatch.setattr(torch.Tensor, "__float__", lambda tensor: 1.0)
    monkeypatch.setattr(nn.Module, "to", lambda module, device=None, memory_format=None: moved(module))
    features = torch.zeros(200, 8, dtype=torch.float16, device=CUDA)
    labeled = TrainingSet(np.arange(40), np.arange(40) % 3, np.ones(40, bool), np.arange(40, 200))
    made = head.fit_head(Head(), features, labeled, 3, runtime=Runtime(CUDA, bf16=False), seed=0, round=1)
    assert {parameter.device for parameter in made.model.parameters()} == {CUDA}
    assert seen == [(CUDA, CUDA, (32, 8))] * head.FOLDS + [(CUDA, CUDA, (40, 8))]
    scored = score.infer(Runtime(CUDA, bf16=False), made.model, features, torch.arange(100, device=CUDA))
    assert {tensor.device for tensor in scored.values()} == {CUDA}
    picked = first.typical_images(features, np.arange(100), np.arange(100, 120), 20, np.random.default_rng(0))
    assert len(picked) == 20
