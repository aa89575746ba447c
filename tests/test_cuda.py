"""The real thing, where there is a GPU."""

import numpy as np
import pytest
import torch

from alearn.learn import device, fit
from alearn.learn.score import score
from alearn.run import run
from tests.conftest import compose, drain, shapes

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here"),
]


@pytest.mark.parametrize("model", ["source_cnn", "small_cnn"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_and_scoring_on_the_gpu_repeat_and_agree_with_the_cpu(model, precision):
    images = shapes(400)
    config = compose(f"model={model}", "train.steps=60", "train.augment=digits")
    results = []
    for name in ("cuda", "cuda", "cpu"):
        runtime = device.choose(name, precision)
        on = images.to(runtime.device)
        index = np.arange(200)
        hand = np.ones(200, bool)
        _, fitted = drain(fit.fit(config, runtime, on.images, index, images.truth[index], hand, 3, 1))
        _, scores = drain(score(runtime, fitted.model, on.images, np.arange(200, 400)))
        results.append((scores.doubt, np.mean(scores.guess == images.truth[200:])))
    assert (results[0][0] == results[1][0]).all()
    assert min(accuracy for _, accuracy in results) > 0.95


def test_a_step_does_not_wait_for_the_gpu():
    runtime = device.choose("cuda", "auto")
    config = compose("train.augment=digits")
    on = shapes(400).to(runtime.device)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(400, 3)).to(runtime.device)
    step = fit.Step(config.train, runtime, model)
    index, label = torch.arange(64, device=runtime.device), torch.zeros(64, dtype=torch.int64, device=runtime.device)
    step(on.images, index, label)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(on.images, index, label)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_whole_trial(tmp_path, mnist_root):
    row = run(compose("data.limit=5000", "device=cuda", "policy.threshold=0.99", f"data.root='{mnist_root}'"), tmp_path)
    assert row["device"] == "cuda"
    assert row["hand"] + row["auto"] == 5000
    assert row["mislabeled_total"] < 0.1
