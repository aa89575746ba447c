import pytest

from alearn.data import sources
from alearn.errors import AlearnError


def test_mnist_is_a_pool_and_a_test_set(config, mnist_root):
    pool, test = sources.load(config(f"data.root='{mnist_root}'"))
    assert (len(pool), len(test), tuple(pool.images.shape[1:])) == (60_000, 10_000, (1, 28, 28))
    assert len(pool) == sources.SIZES["mnist"]
    assert pool.classes == tuple("0123456789")
    assert pool.truth[:5].tolist() == [5, 0, 4, 1, 9]  # as in every picture of MNIST's beginning


def test_a_limit_takes_a_seeded_subset_that_knows_where_it_comes_from(config, mnist_root):
    parts = [sources.load(config(f"data.root='{mnist_root}'", "data.limit=100", f"seed={s}"))[0] for s in (0, 0, 1)]
    assert parts[0].ids == parts[1].ids != parts[2].ids
    assert len(parts[0]) == 100
    whole, _ = sources.mnist(mnist_root)
    place = int(parts[0].ids[7])
    assert (parts[0].images[7] == whole.images[place]).all()
    assert parts[0].truth[7] == whole.truth[place]


def test_a_limit_above_the_number_of_images(config, mnist_root):
    with pytest.raises(AlearnError, match=r"data\.limit=60001: data=mnist has 60000 images"):
        sources.load(config(f"data.root='{mnist_root}'", "data.limit=60001"))
