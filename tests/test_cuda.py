"""Training, scoring, decisions and a trial on a real GPU, if there is one."""

from typing import get_args

import numpy as np
import pytest
import timm
import torch

from alearn.learn import device, fit
from alearn.learn.consistency import Consistency
from alearn.learn.extract import Extraction
from alearn.learn.score import score
from alearn.learn.training_set import TrainingSet
from alearn.models.build import build
from alearn.models.pretrained import Pretrained, backbone
from alearn.models.small_cnn import SmallCnn, small_cnn
from alearn.policy import cover, first, query
from alearn.registry import QUERIES, Need
from alearn.report.reporters import run_shown
from tests.conftest import compose, fitted, shapes

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here"),
]


@pytest.mark.parametrize("model", ["source_cnn", "small_cnn", "resnet"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("extra", [[], ["train.consistency=1", "train.consistency_batch=64", "train.confidence=0.9"]])
def test_training_and_scoring_on_the_gpu_repeat_and_agree_with_the_cpu(model, precision, extra):
    images = shapes(400)
    config = compose(f"model={model}", "train.steps=60", "train.augment=digits", *extra)
    results = []
    for name in ("cuda", "cuda", "cpu"):
        runtime = device.choose(name, precision)
        on = images.to(runtime.device)
        known = TrainingSet(np.arange(200), images.truth[:200], np.ones(200, bool), np.arange(200, 400))
        model = fitted(config, runtime, on.images, known, 3, 1).model
        scores = score(runtime, model, on.images, np.arange(200, 400))
        results.append((scores.doubt, np.mean(scores.guess == images.truth[200:])))
    assert (results[0][0] == results[1][0]).all()
    assert min(accuracy for _, accuracy in results) > 0.95


@pytest.mark.parametrize("name", [*QUERIES.names(), "diverse", "first", "cover"])
def test_decisions_on_the_gpu_repeat_bit_for_bit(name):
    runtime = device.choose("cuda", "auto")
    images = shapes(3000).to(runtime.device).images
    torch.manual_seed(0)
    model = small_cnn(SmallCnn(dropout=0.25), (1, 20, 20), 3).to(runtime.device)
    want = frozenset(get_args(Need))
    found = []
    for _ in range(3):
        random = np.random.default_rng(0)
        scores = score(runtime, model, images, np.arange(100, 3000), want, np.arange(100))
        if name == "first":
            found.append(first.typical(first.pixel_features(images, random), 300, random))
        elif name == "cover":
            found.append(cover.unlike(scores.features, scores.labeled_features, 10, random))
        elif name == "diverse":
            ranked = torch.from_numpy(query.entropy(scores, 500, random)).to(scores.features.device)
            found.append(query.diverse(scores.features[ranked], 100, random))
        else:
            found.append(QUERIES.get(name).rank(scores, 100, random))
    assert found[0].tolist() == found[1].tolist() == found[2].tolist()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fine_tuning_repeats_and_agrees_with_the_cpu(precision, tmp_path):
    """The weights in a file are random, so the head has to learn most; the first step is the same on both devices."""
    torch.manual_seed(1)
    torch.save(timm.create_model("test_efficientnet").state_dict(), tmp_path / "w.pth")
    images = shapes(400)
    config = compose(
        "model=pretrained", "model.name=test_efficientnet", f"model.weights='{tmp_path}/w.pth'",
        "model.views=1", "train=finetune", "train.lr=0.001", "train.steps=60", "train.augment=none",
    )  # fmt: skip
    results = []
    for name in ("cuda", "cuda", "cpu"):
        runtime = device.choose(name, precision)
        on = images.to(runtime.device)
        known = TrainingSet(np.arange(200), images.truth[:200], np.ones(200, bool), np.arange(200, 400))
        model = fitted(config, runtime, on.images, known, 3, 1).model
        scores = score(runtime, model, on.images, np.arange(200, 400))
        results.append((scores.doubt, np.mean(scores.guess == images.truth[200:])))
    assert (results[0][0] == results[1][0]).all()
    assert min(accuracy for _, accuracy in results) > 0.9


def test_a_step_of_fine_tuning_does_not_wait_for_the_gpu():
    runtime = device.choose("cuda", "auto")
    config = compose(
        "model=pretrained", "model.name=test_efficientnet", "model.weights=null", "train=finetune",
        "train.augment=objects",
    )  # fmt: skip
    on = shapes(400).to(runtime.device)
    model = build(config.model, (1, 20, 20), 3).to(runtime.device).train()
    step = fit.Step(config.train, runtime, model, config.train.steps)
    index, label = torch.arange(64, device=runtime.device), torch.zeros(64, dtype=torch.int64, device=runtime.device)
    step(on.images, index, label)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(on.images, index, label)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_step_does_not_wait_for_the_gpu():
    runtime = device.choose("cuda", "auto")
    config = compose("train.augment=digits")
    on = shapes(400).to(runtime.device)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(400, 3)).to(runtime.device)
    train = config.train.model_copy(update={"consistency": 1.0, "consistency_batch": 64, "confidence": 0.5})
    everything = torch.arange(400, device=runtime.device)
    step = fit.Step(train, runtime, model, train.steps, Consistency(train, runtime, model, everything))
    index, label = torch.arange(64, device=runtime.device), torch.zeros(64, dtype=torch.int64, device=runtime.device)
    step(on.images, index, label)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(on.images, index, label)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", ["source_cnn", "small_cnn", "resnet"])
def test_replayed_steps_give_the_weights_of_plain_ones(model, precision):
    """Over epochs of 20 steps, of two rounds, with weighted draws and the smaller last batches of train.steps=null."""
    on = shapes(400).to(torch.device("cuda", 0))
    for extra in (["policy=frugal", "train.steps=50"], ["train=source", "train.validation=0", "train.patience=2"]):
        config = compose(f"model={model}", "data.augment=digits", *extra)
        hand = np.arange(200) < 60
        doubt = np.log(np.linspace(0.01, 0.9, 400), dtype=np.float32)
        known = TrainingSet(np.arange(200), on.truth[:200], hand, np.arange(60, 400), doubt)
        weights = []
        for graphs in (False, True):
            runtime = device.choose("cuda", precision, cuda_graphs=graphs)
            start = None
            for number in (1, 2):
                made = fitted(config, runtime, on.images, known, 3, number, start=start)
                start = {name: value.cpu() for name, value in made.model.state_dict().items()}
            weights.append(start)
        assert all(torch.equal(weights[1][name], weight) for name, weight in weights[0].items())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_agree_with_the_cpu_and_do_not_depend_on_the_batch(precision):
    body = backbone(Pretrained(name="test_efficientnet", weights=None), (3, 32, 32))
    pixels = torch.randint(256, (600, 3, 32, 32), dtype=torch.uint8)
    gpu, cpu = (Extraction(body, device.choose(name, precision)) for name in ("cuda", "cpu"))
    features = gpu(pixels)
    assert features.is_pinned()
    assert (features - cpu(pixels)).abs().max() <= 0.05 * features.abs().max()
    order = torch.randperm(600)
    assert torch.equal(gpu(pixels[order]), features[order])
    assert torch.equal(gpu(pixels[599:]), features[599:])
    torch.cuda.set_sync_debug_mode("error")
    try:
        gpu._computed(pixels)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_whole_trial(tmp_path, mnist_root):
    row = run_shown(
        compose("data.limit=5000", "device=cuda", "policy.threshold=0.99", f"data.root='{mnist_root}'"), tmp_path
    )
    assert row["device"] == "cuda"
    assert row["hand"] + row["auto"] == 5000
    assert row["mislabeled_total"] < 0.1
