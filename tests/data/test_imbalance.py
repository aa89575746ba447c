import numpy as np
import pytest
import torch

from alearn.config import Imbalance
from alearn.data import imbalance
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError


def test_sizes_are_those_of_the_papers():
    long_tailed = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]  # CIFAR-10-LT, factor 100
    assert imbalance.sizes("exponential", 100, 5000, 10).tolist() == long_tailed
    found = imbalance.sizes("exponential", 100, 500, 100)  # CIFAR-100-LT has 10,847 images
    assert (found[0], found[-1], found.sum()) == (500, 5, 10_847)
    assert imbalance.sizes("step", 10, 5000, 10).tolist() == [5000] * 5 + [500] * 5
    assert imbalance.sizes("step", 100, 600, 3).tolist() == [600, 6, 6]
    for shape in ("step", "exponential"):
        assert imbalance.sizes(shape, 1, 7, 4).tolist() == [7] * 4
    assert imbalance.sizes("exponential", 10, 7, 1).tolist() == [7]


def pool(*counts: int) -> ImageSet:
    truth = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    total = len(truth)
    images = torch.arange(total, dtype=torch.int64).to(torch.uint8).view(total, 1, 1, 1)
    return ImageSet(images, tuple(map(str, range(total))), tuple("abcdefgh")[: len(counts)], truth)


def thinned(images: ImageSet, seed: int = 0, **options) -> ImageSet:
    return imbalance.thinned(images, Imbalance(**options), np.random.default_rng(seed))


def test_classes_become_rare_as_they_are_drawn():
    whole = pool(60, 50, 50, 70)
    rarest = set()
    for seed in range(20):
        found = thinned(whole, seed, shape="exponential", factor=10.0)
        counts = np.bincount(found.truth, minlength=4)
        assert sorted(counts.tolist()) == [5, 10, 23, 50]
        rarest.add(int(counts.argmin()))
        index = [int(name) for name in found.ids]
        assert index == sorted(set(index)), "in the original order, none twice"
        assert (found.truth == whole.truth[index]).all()
        assert torch.equal(found.images, whole.images[index])
    assert rarest == {0, 1, 2, 3}
    assert thinned(whole, 1, shape="step", factor=10.0).ids == thinned(whole, 1, shape="step", factor=10.0).ids


@pytest.mark.parametrize("shape", ["step", "exponential"])
def test_a_class_without_an_image_is_an_error(shape):
    assert np.bincount(thinned(pool(9, 20), shape=shape, factor=9.0).truth).min() == 1
    message = (
        r"data\.imbalance\.factor=9\.5: leaves no image .* smallest class, a, has 9 images, so it must be at most 9"
    )
    with pytest.raises(AlearnError, match=message):
        thinned(pool(9, 20), shape=shape, factor=9.5)
