"""Fine-tuning of small networks of timm, whose random weights in a file stand for pretrained ones."""

import json

import numpy as np
import pytest
import timm
import torch
from torch import nn

from alearn.config import Finetune, Head, Train, preset
from alearn.errors import AlearnError
from alearn.learn import finetune, fit, score
from alearn.learn.device import Runtime
from alearn.learn.head import fit_head
from alearn.learn.training_set import TrainingSet
from alearn.models.build import build
from alearn.models.pretrained import Pretrained
from alearn.trial import model_file, run
from tests.conftest import compose, fitted, shapes

CPU = Runtime(torch.device("cpu"), bf16=False)
IMAGES = shapes(120)
KNOWN = TrainingSet(np.arange(60), IMAGES.truth[:60], np.ones(60, bool), np.arange(60, 120))
NAME = "test_efficientnet"


@pytest.fixture
def network(tmp_path) -> tuple[str, ...]:
    """The words of a command line that fine-tunes a network whose weights are in a file."""
    torch.manual_seed(1)
    torch.save(timm.create_model(NAME).state_dict(), tmp_path / "w.pth")
    weights = ("model=pretrained", f"model.name={NAME}", f"model.weights='{tmp_path}/w.pth'")
    return (*weights, "train=finetune", "train.augment=none", "precision=fp32", "device=cpu")


def trained(*words: str, labeled: TrainingSet = KNOWN):
    return fitted(compose(*words), CPU, IMAGES.images, labeled, 3, 1)


def at_first(*words: str):
    return build(compose(*words).model, (1, 20, 20), 3)


def test_rates_fall_from_the_head_to_the_first_layer_and_only_matrices_decay():
    model = build(Pretrained(name=NAME, weights=None), (3, 32, 32), 3)
    train = preset("train", "finetune", lr=0.1, layer_decay=0.5, weight_decay=0.3)
    groups = finetune.groups(train, model)
    parameters = {name.removeprefix("body.net.net."): each for name, each in model.named_parameters()}
    names = {id(each): name for name, each in parameters.items()}
    optimizer = torch.optim.AdamW(groups, train.lr, weight_decay=0.3)
    rates = {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    decays = {names[id(p)]: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert rates.keys() == set(names.values())
    assert {rates[name] for name in ("head.weight", "head.bias", "conv_head.weight", "bn2.weight")} == {0.1}
    assert [rates[f"blocks.{i}.0.bn1.weight"] for i in range(5)] == [0.1 * 0.5 ** (4 - i) for i in range(5)]
    assert {rates["conv_stem.weight"], rates["bn1.weight"]} == {0.1 * 0.5**5}
    assert decays == {name: 0.3 if each.ndim > 1 else 0.0 for name, each in parameters.items()}


def test_one_cycle_keeps_the_ratios_of_the_rates():
    model = build(Pretrained(name=NAME, weights=None), (1, 20, 20), 3)
    train = preset("train", "finetune", lr=0.001, layer_decay=0.5, augment="none", steps=10)
    step = fit.Step(train, CPU, model, 10)
    index, label = torch.arange(8), torch.from_numpy(IMAGES.truth[:8])
    seen = []
    for _ in range(9):
        step(IMAGES.images, index, label)
        seen.append([group["lr"] for group in step._optimizer.param_groups])
    first, *_, last = np.array(seen).T
    np.testing.assert_allclose(first, last * 0.5**5)
    assert last.max() == pytest.approx(0.001)
    assert last[-1] < last.max() / 10


def test_the_late_layers_change_more_than_the_early_ones(network):
    before = at_first(*network).state_dict()
    after = trained(*network, "train.layer_decay=0.5", "train.steps=10").model.state_dict()
    moved = {name: float((after[name] - before[name]).abs().mean()) for name in before if name.endswith("weight")}
    early, late = (moved[f"body.net.net.{name}.weight"] for name in ("conv_stem", "conv_head"))
    assert 0 < early < late / 8


def test_the_head_starts_as_that_of_the_frozen_features_and_norms_keep_their_statistics(network):
    config = compose(*network, "model.views=1")
    model = build(config.model, (1, 20, 20), 3)
    finetune.start(model, IMAGES.images, KNOWN.index, KNOWN.label, 3, runtime=CPU, seed=5, round=2)
    features = score.features(CPU, model, IMAGES.images, torch.arange(120))
    head = fit_head(Head(), features, KNOWN, 3, runtime=CPU, seed=5, round=2).model
    torch.testing.assert_close(model.head.state_dict(), head.head.state_dict())
    label = torch.from_numpy(KNOWN.label)
    with torch.no_grad():
        expected = nn.functional.cross_entropy(head(features[:60]), label)
    before = {name: each.clone() for name, each in model.named_buffers()}
    step = fit.Step(config.train, CPU, model.train(), 10)
    torch.testing.assert_close(step(IMAGES.images, torch.arange(60), label), expected)
    torch.testing.assert_close(dict(model.named_buffers()), before, rtol=0, atol=0)
    random = build(Pretrained(name=NAME, weights=None), (1, 20, 20), 3).train()
    assert all(layer.training for layer in random.modules()), "random weights have no statistics"


def test_images_are_learned_better_than_by_the_head_alone_and_the_same_way_again(network):
    words = (*network, "model.views=1", "train.steps=40", "train.lr=0.001")
    one, two = trained(*words), trained(*words)
    head = trained(*words, "train.lr=1e-9")
    truth = torch.from_numpy(IMAGES.truth)
    with torch.no_grad():
        logits = [each.model.eval()(IMAGES.images[:60] / 255) for each in (one, head)]
    losses = [float(nn.functional.cross_entropy(each, truth[:60])) for each in logits]
    assert losses[0] < losses[1] / 2
    for a, b in zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_held_out_answers_do_not_reach_the_head(network):
    words = (*network, "train.steps=10", "train.lr=1e-9", "train.validation=0.5", "train.split=last")
    noise = TrainingSet(KNOWN.index, np.r_[KNOWN.label[:30], (KNOWN.label[30:] + 1) % 3], KNOWN.hand, KNOWN.pool)
    one, two = (trained(*words, labeled=labeled).model.head.weight for labeled in (KNOWN, noise))
    assert torch.equal(one, two)


def test_the_recipe_needs_a_pretrained_network(quick, tmp_path):
    config = compose(*quick, "train=finetune")
    assert isinstance(config.train, Finetune)
    with pytest.raises(AlearnError, match="train=finetune: needs a pretrained network, and model=small_cnn"):
        run.prepare(config, tmp_path)
    assert "layer_decay" not in Train.model_fields


class Stop:
    """A reporter that ends the program after a round, as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        self._after = after

    def progress(self, step):
        pass

    def committed(self, entry):
        if getattr(entry, "number", None) == self._after:
            raise KeyboardInterrupt

    def close(self):
        pass


@pytest.mark.slow
def test_a_trial_that_is_interrupted_ends_with_the_same_labels_and_its_model_predicts_them(quick, network, tmp_path):
    words = [word for word in quick if not word.startswith(("model", "train"))]
    words += [
        *network,
        "data.size=32",
        "data.limit=120",
        "train.steps=10",
        "policy.threshold=0.9999",
        "policy.stop_fraction=0.75",
    ]
    config = compose(*words)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run.run(run.prepare(config, whole))
    with pytest.raises(KeyboardInterrupt):
        run.run(run.prepare(config, stopped), reporters=lambda setting: [Stop(1)])
    run.run(run.prepare(config, stopped))
    assert (whole / "labels.csv").read_text() == (stopped / "labels.csv").read_text()
    row = json.loads((whole / "row.json").read_text())
    assert row["rounds"] > 1
    assert (row["config"]["train.name"], row["config"]["train.layer_decay"]) == ("finetune", 0.9)
    one, two = (model_file.load(folder).network for folder in (whole, stopped))
    x = torch.rand(4, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(one(x), two(x), rtol=0, atol=0)
    start = build(config.model, (1, 32, 32), 3)
    assert not torch.equal(start.body.net.net.conv_head.weight, one.body.net.net.conv_head.weight)
