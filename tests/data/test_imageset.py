from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import shapes


def test_a_subset_keeps_its_names_and_truth():
    images = shapes(30)
    part = images.subset(np.array([20, 3]))
    assert part.ids == ("img/20.png", "img/3.png")
    assert part.truth.tolist() == images.truth[[20, 3]].tolist()
    assert torch.equal(part.images, images.images[[20, 3]])


def test_a_sample_is_seeded_sorted_and_without_doubles():
    images = shapes(200)
    names = [images.sample(50, np.random.default_rng(seed)).ids for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    order = [images.ids.index(name) for name in names[0]]
    assert order == sorted(set(order))


@pytest.mark.parametrize("change", [{"images": torch.zeros(30, 1, 4, 4)}, {"ids": ("a",)}, {"truth": np.zeros(3)}])
def test_sizes_and_types_must_agree(change):
    with pytest.raises(ValueError, match="images"):
        replace(shapes(30), **change)
