import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alearn.learn import fit
from alearn.learn.consistency import Consistency
from alearn.learn.device import Runtime
from alearn.learn.training_set import TrainingSet
from alearn.models.classifier import to_float
from tests.conftest import compose, fitted, shapes

CPU = Runtime(torch.device("cpu"), bf16=False)
IMAGES = shapes(400)


def settings(*words: str):
    return compose(
        "model.width=4", "precision=fp32", "train.consistency=2", "train.consistency_batch=50", "train.confidence=0.6",
        "train.steps=60", "train.batch=32", "train.validation=0", *words,
    )  # fmt: skip


def linear() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(400, 3))
    with torch.no_grad():
        model[1].weight.mul_(16)  # sure of some
    return model


def test_it_is_the_cross_entropy_of_sure_guesses_over_the_whole_batch():
    """Without a distortion the loss is the sum over the sure guesses, divided by the number of all guesses."""
    model, pool = linear(), torch.arange(100, 300)
    torch.manual_seed(5)
    drawn = pool[torch.randint(200, (50,))]
    probs = model(to_float(IMAGES.images[drawn])).softmax(1)
    sure = probs.amax(1) > 0.6
    assert 5 < int(sure.sum()) < 45
    expected = 2 * -probs.amax(1)[sure].log().sum() / 50
    torch.manual_seed(5)
    loss = Consistency(settings().train, CPU, model, pool)(IMAGES.images)
    torch.testing.assert_close(loss, expected)


def test_the_gradient_flows_through_the_distorted_image_only():
    model, distorted = linear(), torch.full((50, 1, 20, 20), 0.5)
    consistency = Consistency(settings().train, CPU, model, torch.arange(100))
    consistency._augment = lambda x: distorted
    torch.manual_seed(1)
    consistency(IMAGES.images).backward()
    torch.manual_seed(1)
    probs = model(to_float(IMAGES.images[torch.randint(100, (50,))])).softmax(1).detach()
    weight, guess = (probs.amax(1) > 0.6).float(), probs.argmax(1)
    by_hand = linear()
    (2 * (F.cross_entropy(by_hand(distorted), guess, reduction="none") * weight).mean()).backward()
    torch.testing.assert_close(model[1].weight.grad, by_hand[1].weight.grad)


@pytest.mark.slow
def test_images_without_a_label_teach():
    """There is one label per class. Later images of the pool have fainter squares, so the model learns step by step."""
    images = IMAGES.images.clone()
    noise = torch.randint(0, 60, images.shape, generator=torch.Generator().manual_seed(9))
    share = torch.linspace(1, 0.12, 400)[:, None, None, None]
    faint = (images * share + noise * (1 - share)).to(torch.uint8)
    few = np.array([np.flatnonzero(IMAGES.truth == k)[0] for k in range(3)])
    pool = np.setdiff1d(np.arange(400), few)
    accuracy = {}
    for weight in (0, 1):
        config = settings(f"train.consistency={weight}", "train.confidence=0.8", "train.steps=150")
        known = TrainingSet(few, IMAGES.truth[few], np.ones(3, bool), pool)
        model = fitted(config, CPU, faint, known, 3, 1).model
        truth = torch.from_numpy(IMAGES.truth[pool])
        accuracy[weight] = fit.measure(CPU, model, faint, torch.from_numpy(pool), truth)
    print(accuracy)
    assert accuracy[1] > accuracy[0] + 0.05


@pytest.mark.parametrize("words", [["train.confidence=0"], ["train.consistency=-1"], ["train.consistency_batch=0"]])
def test_bad_values_are_refused(words):
    with pytest.raises(Exception, match=words[0].split("=")[0].replace(".", r"\.")):
        settings(*words)
