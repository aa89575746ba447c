import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alearn.config import Train
from alearn.errors import AlearnError
from alearn.learn import fit
from alearn.learn.device import Runtime
from alearn.learn.training_set import TrainingSet
from alearn.models.classifier import to_float
from alearn.models.small_cnn import SmallCnn, small_cnn
from tests.conftest import SMALL, compose, fitted, shapes, watched

IMAGES = shapes(300)
CPU = Runtime(torch.device("cpu"), bf16=False)


def train(*overrides: str, index=None, label=None, hand=None, number: int = 1, start=None):
    config = compose(*SMALL, *overrides)
    index = np.arange(200) if index is None else index
    label = IMAGES.truth[index] if label is None else label
    hand = np.ones(len(index), bool) if hand is None else hand
    pool = np.setdiff1d(np.arange(len(IMAGES)), index)
    return watched(fitted, config, CPU, IMAGES.images, TrainingSet(index, label, hand, pool), 3, number, start=start)


def test_a_model_learns_what_can_be_learned():
    epochs, trained = train("train.steps=60")
    rest = torch.arange(200, 300)
    assert fit.measure(CPU, trained.model, IMAGES.images, rest, torch.from_numpy(IMAGES.truth[200:])) > 0.95
    assert (trained.steps, trained.samples) == (60, 60 * 32)
    assert trained.val_accuracy is not None
    assert [e.epoch for e in epochs] == list(range(1, trained.epochs + 1))
    assert epochs[-1].share == 1
    assert epochs[0].loss > trained.loss == epochs[-1].loss


def test_hand_labels_lengthen_a_training_auto_labels_do_not():
    hand = np.arange(200) % 4 == 0
    epochs, trained = train("train.steps=20", "train.steps_per_hand=0.5", "train.validation=0", hand=hand)
    assert trained.steps == 20 + 50 * 0.5
    assert epochs[-1].share == 1


def test_a_warm_start_goes_on_from_the_weights_of_the_round_before_for_a_share_of_the_steps():
    """With a learning rate near 0 the weights stay, and the running statistics of batch norm go on."""
    _, first = train("train.steps=40", "train.warm_start=0.5")
    again = ("train.steps=40", "train.warm_start=0.5", "train.lr=1e-9", "train.weight_decay=0")
    _, second = train(*again, number=2, start=first.model.state_dict())
    assert (first.steps, second.steps) == (40, 20)
    for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    _, cold = train("train.steps=40", "train.warm_start=0", number=2, start=first.model.state_dict())
    _, fresh = train("train.steps=40", "train.warm_start=0", number=2)
    assert cold.steps == 40
    assert torch.equal(cold.model.head.weight, fresh.model.head.weight)


def test_a_warm_start_does_not_change_the_weights_it_starts_from():
    _, first = train("train.steps=20", "train.warm_start=0.5")
    before = {name: weight.clone() for name, weight in first.model.state_dict().items()}
    train("train.steps=20", "train.warm_start=0.5", number=2, start=first.model.state_dict())
    assert all(torch.equal(before[name], weight) for name, weight in first.model.state_dict().items())


def test_a_class_that_people_have_added_since_starts_with_new_weights():
    _, first = train("train.steps=20")
    torch.manual_seed(1)
    model = small_cnn(SmallCnn(width=4), (1, 20, 20), 4)
    new = model.head.weight[3].clone()
    fit.go_on(model, first.model.state_dict())
    assert torch.equal(model.head.weight[:3], first.model.head.weight)
    assert torch.equal(model.head.weight[3], new)


@pytest.mark.parametrize("recipe", [["train=fast"], ["train=source", "train.steps=null", "train.patience=2"]])
def test_it_repeats_bit_for_bit_whatever_its_listeners_draw(recipe):
    _, one = train(*recipe)
    config = compose(*SMALL, *recipe)
    index = np.arange(200)
    known = TrainingSet(index, IMAGES.truth[index], np.ones(200, bool), np.arange(200, 300))

    def listen(step):
        torch.rand(7)  # a listener that draws from the global generator

    two = fitted(config, CPU, IMAGES.images, known, 3, 1, on_progress=listen)
    for a, b in zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    _, other = train(*recipe, number=2)
    assert not torch.equal(one.model.head.weight, other.model.head.weight)


def test_patience_keeps_the_best_weights_and_stops_after_so_many_epochs():
    """The labels are noise, so validation accuracy goes up and down and its maximum is not at the end."""
    noise = np.random.default_rng(0).integers(3, size=100)
    options = ("train=source", "train.batch=8", "train.patience=4")
    index = np.arange(100)
    epochs, trained = train(*options, "train.steps=null", index=index, label=noise)
    accuracies = [e.val_accuracy for e in epochs]
    best = int(np.argmax(accuracies))  # the first of equals
    assert len(epochs) == best + 1 + 4
    assert trained.val_accuracy == accuracies[best]
    again = fit.measure(CPU, trained.model, IMAGES.images, torch.arange(80, 100), torch.from_numpy(noise[80:]))
    assert again == accuracies[best]
    assert epochs[0].share is None
    assert trained.samples == 80 * len(epochs)


def settings(**changes) -> Train:
    return compose("train=source").train.model_copy(update=changes)


def test_the_last_fifth_is_held_out_as_keras_does():
    for n in (5, 7, 600, 8779):
        held = fit.split(settings(), np.ones(n, bool), np.random.default_rng(0))
        assert np.flatnonzero(held).tolist() == list(range(int(n * 0.8), n))


def test_a_random_split_takes_hand_labels_only():
    hand = np.arange(1000) % 4 == 0
    held = fit.split(settings(split="random", validation=0.1), hand, np.random.default_rng(0))
    assert held.sum() == 25
    assert not held[~hand].any()


def test_no_validation_holds_nothing_out():
    for split in ("last", "random"):
        assert not fit.split(settings(split=split, validation=0.0), np.ones(9, bool), np.random.default_rng(0)).any()


@pytest.mark.parametrize("what", ["train=fast", "train=source"])
def test_too_few_labels_for_a_split_name_the_round(what):
    with pytest.raises(AlearnError, match=r"round 4: no image is left for (validation|training): 1 are labeled"):
        train(what, *(["train.steps=null"] if what == "train=source" else []), index=np.arange(1), number=4)


def test_a_loss_that_is_no_number_names_the_round_and_what_to_try():
    with pytest.raises(AlearnError, match=r"round 1, epoch \d+: the loss is nan. Try a lower train\.lr"):
        train("train.lr=1e30", "train.steps=100")


def test_adadelta_is_keras_adadelta():
    """Compare with the update of Keras, written in NumPy."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(400, 3))
    step = fit.Step(settings(), CPU, model, 60)
    weight = model[1].weight.detach().double().numpy().copy()
    bias = model[1].bias.detach().double().numpy().copy()
    state = [np.zeros_like(weight) for _ in range(2)], [np.zeros_like(bias) for _ in range(2)]
    for _ in range(5):
        x = IMAGES.images[:16].numpy().reshape(16, -1) / 255
        z = x @ weight.T + bias
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        p[np.arange(16), IMAGES.truth[:16]] -= 1
        for value, gradient, (g2, d2) in ((weight, p.T @ x / 16, state[0]), (bias, p.mean(0), state[1])):
            g2 *= 0.95
            g2 += 0.05 * gradient**2
            delta = gradient * np.sqrt(d2 + 1e-7) / np.sqrt(g2 + 1e-7)
            value -= delta
            d2 *= 0.95
            d2 += 0.05 * delta**2
        step(IMAGES.images, torch.arange(16), torch.from_numpy(IMAGES.truth[:16]))
    np.testing.assert_allclose(model[1].weight.detach().numpy(), weight, atol=2e-5)
    np.testing.assert_allclose(model[1].bias.detach().numpy(), bias, atol=2e-5)


def test_a_step_returns_the_loss_before_it_and_follows_the_schedule():
    torch.manual_seed(0)
    config = compose("train.steps=10", "train.lr=0.01")
    model = small_cnn(SmallCnn(width=4), (1, 20, 20), 3).train()
    step = fit.Step(config.train, CPU, model, config.train.steps)
    index, label = torch.arange(64), torch.from_numpy(IMAGES.truth[:64])
    expected = F.cross_entropy(model(to_float(IMAGES.images[index])), label).item()
    assert step(IMAGES.images, index, label).item() == pytest.approx(expected, rel=1e-4)
    rates = []
    for _ in range(9):
        rates.append(step._optimizer.param_groups[0]["lr"])
        step(IMAGES.images, index, label)
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] < 1e-3


def test_augmentation_is_used_in_training_only(monkeypatch):
    seen = []
    monkeypatch.setitem(fit.AUGMENT, "digits", lambda x: seen.append(len(x)) or x)
    train("train.augment=digits")
    assert sum(seen) == train()[1].samples
