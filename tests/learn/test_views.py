import numpy as np
import pytest
import torch
from torch import nn

from alearn.data.augment import AUGMENT
from alearn.learn import device
from alearn.learn.device import Runtime
from alearn.learn.score import score
from alearn.learn.views import UNSURE, look_again
from alearn.models.classifier import Classifier, to_float
from tests.conftest import shapes, watched

CPU = Runtime(torch.device("cpu"), bf16=False)
IMAGES = shapes(300).images


@pytest.fixture
def model() -> nn.Module:
    """Return a model that is sure of some images and unsure of others."""
    torch.manual_seed(0)
    model = Classifier(nn.Flatten(), 400, 3)
    with torch.no_grad():
        model.head.weight.mul_(150)
    return model


def scored(model, index):
    return score(CPU, model, IMAGES, index, frozenset({"probs"}))


def test_unsure_images_are_averaged_over_their_distorted_copies_and_sure_ones_stay(model):
    index = np.arange(50, 250)
    before = scored(model, index)
    unsure = np.flatnonzero(before.probs.amax(1).numpy() < UNSURE)
    assert 10 < len(unsure) < 190
    look = {"runtime": CPU, "seed": 5}
    progress, after = watched(look_again, 3, "digits", model, IMAGES, before, **look)
    assert progress[-1].done == progress[-1].total == len(unsure)

    device.seed(5)
    x = to_float(IMAGES[index[unsure]])
    with torch.inference_mode():
        views = torch.stack([before.probs[unsure], *(model(AUGMENT["digits"](x)).softmax(1) for _ in range(3))])
    expected = before.probs.numpy().copy()
    expected[unsure] = views.mean(0)
    np.testing.assert_allclose(after.probs, expected, atol=1e-6)
    assert after.guess.tolist() == expected.argmax(1).tolist()
    np.testing.assert_allclose(-np.expm1(after.doubt), expected.max(1), atol=1e-5)
    top = np.sort(expected, axis=1)
    np.testing.assert_allclose(after.margin, top[:, -1] - top[:, -2], atol=1e-5)
    sure = np.setdiff1d(np.arange(200), unsure)
    assert (after.doubt[sure] == before.doubt[sure]).all(), "to the bit"
    assert (after.guess != before.guess).any() or not np.allclose(after.doubt, before.doubt)
    again = look_again(3, "digits", model, IMAGES, before, **look)
    assert torch.equal(after.probs, again.probs)


def test_without_views_or_doubts_nothing_changes(model):
    before = scored(model, np.arange(100))
    assert look_again(0, "digits", model, IMAGES, before, runtime=CPU, seed=1) is before
    sure = scored(model, np.flatnonzero(before.doubt < np.log1p(-UNSURE)))
    assert len(sure) > 10
    assert look_again(3, "digits", model, IMAGES, sure, runtime=CPU, seed=1) is sure
