import numpy as np
import pytest

from alearn.data import sources, standard
from alearn.errors import AlearnError


def load(config):
    """Load the pool and the test set of a config."""
    return sources.load(config.data, config.seed)


def test_mnist_is_a_pool_and_a_test_set(config, mnist_root):
    pool, test = load(config(f"data.root='{mnist_root}'"))
    assert (len(pool), len(test), tuple(pool.images.shape[1:])) == (60_000, 10_000, (1, 28, 28))
    assert len(pool) == standard.SIZES["mnist"]
    assert pool.classes == tuple("0123456789")
    assert pool.truth[:5].tolist() == [5, 0, 4, 1, 9]  # the well-known first digits of MNIST


def test_a_limit_takes_a_seeded_subset_that_knows_where_it_comes_from(config, mnist_root):
    parts = [load(config(f"data.root='{mnist_root}'", "data.limit=100", f"seed={s}"))[0] for s in (0, 0, 1)]
    assert parts[0].ids == parts[1].ids != parts[2].ids
    assert len(parts[0]) == 100
    whole, _ = standard.mnist(mnist_root)
    place = int(parts[0].ids[7])
    assert (parts[0].images[7] == whole.images[place]).all()
    assert parts[0].truth[7] == whole.truth[place]


def test_a_limit_above_the_number_of_images(config, mnist_root):
    with pytest.raises(AlearnError, match=r"data\.limit=60001: data=mnist has 60000 images"):
        load(config(f"data.root='{mnist_root}'", "data.limit=60001"))


def test_the_pool_can_be_long_tailed_and_the_limit_is_of_what_is_left(config, mnist_root):
    words = [f"data.root='{mnist_root}'", "data.imbalance.shape=exponential", "data.imbalance.factor=100"]
    pool, test = load(config(*words))
    counts = np.bincount(pool.truth)
    assert (counts.max(), counts.min()) == (5421, 54), "MNIST's smallest class has 5,421 images"
    assert np.bincount(test.truth).min() == 892, "the test set is whole"
    others = [load(config(*words, f"seed={seed}"))[0] for seed in (0, 1)]
    assert others[0].ids == pool.ids != others[1].ids
    assert np.bincount(others[1].truth).tolist() != counts.tolist(), "other classes are rare"
    assert len(load(config(*words, "data.limit=500"))[0]) == 500
    with pytest.raises(AlearnError, match=rf"data\.limit=50000: data=mnist has {len(pool)} images"):
        load(config(*words, "data.limit=50000"))


def test_what_can_be_known_before_anything_is_loaded(config, tmp_path, monkeypatch):
    assert sources.check(config("data=svhn").data) == 73_257
    assert sources.check(config("data=cifar10", "data.limit=100").data) == 100
    assert sources.check(config("data.imbalance.shape=step").data) is None
    folder = config("data=folder", f"data.root='{tmp_path}'").data
    assert sources.check(folder) is None
    with pytest.raises(AlearnError, match=r"data\.root=\?\?\?: there is no such folder; give the folder of"):
        sources.check(config("data=folder").data)
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(AlearnError, match=r"data=svhn: .*scipy.* is not installed; pip install 'alearn\[svhn\]'"):
        sources.check(config("data=svhn").data)
