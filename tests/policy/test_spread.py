import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from alearn.policy import spread


def points(n: int, dims: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32))


def blobs(sizes: list[int], seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Return shuffled points of round clusters far from each other, and the cluster of each point."""
    random = np.random.default_rng(seed)
    kind = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = random.normal(size=(len(sizes), 8)) * 50
    return torch.from_numpy((centres[kind] + random.normal(size=(len(kind), 8))).astype(np.float32)), kind


def inertia(x: torch.Tensor, of: np.ndarray) -> float:
    """Return the sum of squared distances to the means of the clusters."""
    return sum(((x[of == k] - x[of == k].mean(0)) ** 2).sum().item() for k in np.unique(of))


def test_nearest_agrees_with_all_distances_whatever_the_chunks(monkeypatch):
    x, centres = points(500), points(7, seed=1)
    expected = cdist(x, centres, "sqeuclidean")
    for elements in (spread.ELEMENTS, 50, 1):
        monkeypatch.setattr(spread, "ELEMENTS", elements)
        squared, which = spread.nearest(x, centres)
        np.testing.assert_allclose(squared, expected.min(1), rtol=1e-4, atol=1e-5)
        assert (which.numpy() == expected.argmin(1)).all()


def test_farthest_is_the_greedy_algorithm():
    x, centres = points(300), points(4, seed=1)
    near, expected = cdist(x, centres).min(1), []
    for _ in range(20):
        expected.append(int(near.argmax()))
        near = np.minimum(near, cdist(x, x[expected[-1:]])[:, 0])
    before, _ = spread.nearest(x, centres)
    kept = before.clone()
    assert spread.farthest(x, before, 20).tolist() == expected
    assert torch.equal(before, kept), "what was passed in is left alone"


def test_equal_distances_go_to_the_lower_index_and_nothing_is_picked_twice():
    x = torch.ones(6, 2)
    assert spread.farthest(x, torch.zeros(6), 9).tolist() == list(range(6))
    assert spread.scattered((x,), 9, np.random.default_rng(0), first=3).tolist() == [3, 0, 1, 2, 4, 5]


def test_a_draw_follows_the_weights():
    weight = np.array([0, 1, 0, 3, 0], np.float32)
    drawn = [spread.draw(weight, uniform) for uniform in (0.0, 0.249, 0.25, 0.5, 0.999999)]
    assert drawn == [1, 1, 3, 3, 3]


def test_scattered_points_are_drawn_by_their_squared_distance():
    """Draw the second of two points 3000 times, and compare with the exact probabilities. Points are products."""
    a, b = points(6, 2), points(6, 3, seed=1)
    product = np.einsum("nf,ng->nfg", a, b).reshape(6, -1)
    assert spread.scattered((a, b), 1, np.random.default_rng(0)).tolist() == [np.linalg.norm(product, axis=1).argmax()]
    weight = cdist(product, product[2:3], "sqeuclidean")[:, 0]
    random = np.random.default_rng(0)
    second = [spread.scattered((a, b), 2, random, first=2)[1] for _ in range(3000)]
    np.testing.assert_allclose(np.bincount(second, minlength=6) / 3000, weight / weight.sum(), atol=0.03)


def test_from_the_farthest_point_on_the_origin_counts_as_drawn():
    x = torch.tensor([[0.0, 0.0], [0.0, 9.0], [1e-3, 0.0], [1.0, 0.0]])
    for seed in range(50):
        assert spread.scattered((x,), 2, np.random.default_rng(seed)).tolist() == [1, 3]


def test_clusters_that_are_there_are_found():
    x, kind = blobs([400, 30, 200, 90, 10])
    cluster = spread.clusters(x, 5, np.random.default_rng(0))
    assert len(np.unique(np.stack([kind, cluster]), axis=1).T) == 5, "one to one"


def test_clusters_are_as_tight_as_a_librarys():
    x = points(3000, 4)
    cluster = spread.clusters(x, 40, np.random.default_rng(0))
    assert inertia(x, cluster) < 1.05 * KMeans(40, n_init=1, random_state=0).fit(x.numpy()).inertia_


@pytest.mark.parametrize("sample", [100, 20_000])
def test_many_clusters_are_made_in_two_steps_and_met_roughly(monkeypatch, sample):
    monkeypatch.setattr(spread, "CENTRES", 20)
    monkeypatch.setattr(spread, "SAMPLE", sample)
    x = points(4000, 3)
    cluster = spread.clusters(x, 200, np.random.default_rng(0))
    sizes = np.bincount(cluster)
    assert 180 <= np.count_nonzero(sizes) <= 220
    assert sizes.sum() == 4000
    flat = spread._flat(x, 200, np.random.default_rng(0))
    assert inertia(x, cluster) < 1.25 * inertia(x, flat)


def test_a_sample_stands_for_all(monkeypatch):
    monkeypatch.setattr(spread, "SAMPLE", 50)
    monkeypatch.setattr(spread, "SAMPLE_PER_CENTRE", 10)
    x, kind = blobs([400, 300, 200])
    cluster = spread.clusters(x, 3, np.random.default_rng(0))
    assert len(np.unique(np.stack([kind, cluster]), axis=1).T) == 3


def test_points_that_are_all_the_same_are_one_cluster(monkeypatch):
    monkeypatch.setattr(spread, "CENTRES", 4)
    for count in (3, 10, 99):
        cluster = spread.clusters(torch.ones(30, 2), count, np.random.default_rng(0))
        assert len(set(cluster.tolist())) == 1
