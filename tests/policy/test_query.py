"""Compare the strategies with those of scikit-activeml, or with their formulas if it does not have them."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import Badge, CoreSet, uncertainty_scores
from skactiveml.pool._typi_clust import _typicality
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from alearn.learn.score import judge_probs
from alearn.policy import first, query, spread
from alearn.registry import QUERIES
from alearn.values import Scores


def scores(n: int = 400, classes: int = 4, dims: int = 6, labeled: int = 10, seed: int = 0) -> Scores:
    """Return the scores of a fictitious model."""
    random = np.random.default_rng(seed)
    features = torch.from_numpy(random.normal(size=(n, dims)).astype(np.float32))
    probs = torch.from_numpy(random.dirichlet([0.3] * classes, n).astype(np.float32))
    guess, doubt, margin = (t.numpy() for t in judge_probs(probs))
    known = torch.from_numpy(random.normal(size=(labeled, dims)).astype(np.float32))
    return Scores(np.arange(n) * 10, guess, doubt, margin, probs, features, known, random.random(n).astype(np.float32))


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", QUERIES.names())
def test_what_every_strategy_promises(name):
    pool = scores()
    needed = set(QUERIES.get(name).needs)
    needed |= {"labeled_features"} if "features" in needed else set()
    extra = {"probs", "features", "labeled_features", "information"}
    pool = replace(pool, **dict.fromkeys(extra - needed))
    before = [
        value.copy() if isinstance(value, np.ndarray) else value.clone()
        for value in vars(pool).values()
        if value is not None
    ]
    picked = QUERIES.get(name).rank(pool, 50, generator())
    assert picked.dtype == np.int64
    assert len(picked) == len(set(picked.tolist())) == 50
    assert picked.min() >= 0
    assert picked.max() > 50, "positions in all of the pool"
    assert picked.tolist() == QUERIES.get(name).rank(pool, 50, generator()).tolist()
    for count in (400, 1000):
        assert sorted(QUERIES.get(name).rank(pool, count, generator()).tolist()) == list(range(400))
    after = [value for value in vars(pool).values() if value is not None]
    assert all((old == new).all() for old, new in zip(before, after, strict=True)), "nothing is changed in passing"


@pytest.mark.parametrize("name", QUERIES.names())
def test_some_depend_on_the_draw_and_the_others_do_not(name):
    one, two = (QUERIES.get(name).rank(scores(), 20, generator(seed)).tolist() for seed in (0, 1))
    assert (one != two) == (name in ("random", "badge", "typiclust"))


def test_any_image_is_as_likely():
    pool = scores(10)
    counts = np.bincount(np.concatenate([query.random(pool, 3, generator(seed)) for seed in range(3000)]), minlength=10)
    assert abs(counts - 900).max() < 5 * np.sqrt(900 * 0.7)


@pytest.mark.parametrize(
    ("name", "method"),
    [("least_confidence", "least_confident"), ("margin", "margin_sampling"), ("entropy", "entropy")],
)
def test_doubts_are_a_librarys(name, method):
    pool = scores(1000)
    expected = np.argsort(-uncertainty_scores(pool.probs.double().numpy(), method=method), kind="stable")
    assert QUERIES.get(name).rank(pool, 300, generator()).tolist() == expected[:300].tolist()


def test_the_most_wanted_come_first_and_ties_keep_their_order():
    n = 5
    doubt, other = np.array([-5, -1, -9, -1, -0.5], np.float32), np.array([0.2, 0.1, 0.2, 0.9, 0.1], np.float32)
    pool = Scores(np.arange(n) * 10, np.zeros(n, np.int64), doubt, other, information=other)
    assert query.least_confidence(pool, 4, generator()).tolist() == [4, 1, 3, 0]
    assert query.margin(pool, 4, generator()).tolist() == [1, 4, 0, 2]
    assert query.bald(pool, 4, generator()).tolist() == [3, 0, 2, 1]


def test_doubt_is_told_apart_where_probabilities_are_all_one():
    pool = Scores(np.arange(3), np.zeros(3, np.int64), np.array([-40, -30, -50], np.float32), np.ones(3, np.float32))
    assert query.least_confidence(pool, 3, generator()).tolist() == [1, 0, 2]


def test_entropy_does_not_depend_on_chunks(monkeypatch):
    pool = scores()
    whole = query.entropy(pool, 50, generator()).tolist()
    monkeypatch.setattr(query, "ELEMENTS", 7)
    assert query.entropy(pool, 50, generator()).tolist() == whole


def test_coreset_picks_what_the_library_picks():
    pool = scores()
    x = torch.cat([pool.features, pool.labeled_features]).double().numpy()
    y = np.full(len(x), np.nan)
    y[len(pool) :] = 0
    expected = CoreSet(random_state=0).query(x, y, batch_size=40)
    assert query.coreset(pool, 40, generator()).tolist() == expected.tolist()


class Given(SkactivemlClassifier):
    """A classifier that returns the given probabilities."""

    def __init__(
        self, probs=None, features=None, classes=None, missing_label=np.nan, cost_matrix=None, random_state=None
    ):
        super().__init__(classes, missing_label, cost_matrix, random_state)
        self.probs, self.features = probs, features

    def fit(self, *args, **kwargs):
        return self

    def predict_proba(self, x):
        assert (x == self.features).all()
        return self.probs


def test_badge_draws_with_the_librarys_probabilities(monkeypatch):
    pool = scores(60)
    x, probs = pool.features.double().numpy(), pool.probs.double().numpy()
    given = Given(probs, x, classes=range(4))
    library = Badge(random_state=0)
    picked, utilities = library.query(x, np.full(60, np.nan), given, fit_clf=False, batch_size=2, return_utilities=True)
    assert query.badge(pool, 1, generator()).tolist() == picked[:1]
    weights = []
    monkeypatch.setattr(spread, "draw", lambda weight_n, uniform: weights.append(weight_n.copy()) or picked[1])
    assert query.badge(pool, 2, generator()).tolist() == picked
    np.testing.assert_allclose(weights[0] / weights[0].sum(), np.nan_to_num(utilities[1]), rtol=1e-3, atol=1e-7)


def test_badge_prefers_long_gradients_and_many_directions():
    """It picks no image about which the model is sure, and one image of each kind."""
    features = torch.eye(4).repeat_interleave(25, 0)
    probs = torch.tensor([[0.5, 0.5]] * 100)
    probs[::5] = torch.tensor([0.999999, 0.000001])
    pool = Scores(np.arange(100), np.zeros(100, np.int64), np.zeros(100), np.zeros(100), probs, features)
    for seed in range(20):
        picked = query.badge(pool, 4, generator(seed))
        assert sorted((picked // 25).tolist()) == [0, 1, 2, 3]
        assert (picked % 5 != 0).all()


def clustered(sizes: list[int], labeled: list[int]) -> tuple[Scores, np.ndarray]:
    """Return scores of images in clusters far apart, and the cluster of each image.

    labeled: the number of labeled images in each cluster.
    """
    random = generator(1)
    centres = random.normal(size=(len(sizes), 5)) * 100
    kind = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    known = np.repeat(np.arange(len(labeled)), labeled)
    place = [
        torch.from_numpy((centres[of] + random.normal(size=(len(of), 5))).astype(np.float32)) for of in (kind, known)
    ]
    n = len(kind)
    zeros = np.zeros(n, np.float32)
    return Scores(np.arange(n), np.zeros(n, np.int64), zeros, zeros, None, place[0], place[1]), kind


def test_typiclust_takes_the_most_typical_of_the_largest_clusters_without_a_label():
    pool, kind = clustered([100, 90, 80, 70, 60], labeled=[1, 0, 1, 0, 0])
    picked = query.typiclust(pool, 3, generator())
    assert kind[picked].tolist() == [1, 3, 4]
    x = pool.features.double().numpy()
    for at in picked:
        inside = np.flatnonzero(kind == kind[at])
        assert _typicality(x, inside, 20).argmax() == at, "as the library says"


def test_diverse_keeps_the_rank_and_leaves_out_what_is_alike():
    pool, kind = clustered([30, 30, 30, 30], labeled=[1])
    ranked = query.random(pool, 80, generator(3))
    for seed in range(10):
        picked = ranked[query.diverse(pool.features[torch.from_numpy(ranked)], 4, generator(seed))]
        assert picked[0] == ranked[0]
        assert sorted(kind[picked].tolist()) == [0, 1, 2, 3]
        ranks = [ranked.tolist().index(at) for at in picked]
        assert ranks == sorted(ranks)
    assert query.diverse(pool.features, 200, generator()).tolist() == list(range(len(pool)))
    assert query.diverse(pool.features[:0], 3, generator()).tolist() == []


class Largest(TorchDispatchMode):
    """Records the size in bytes of the largest tensor that an operation has created."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        given = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.untyped_storage().data_ptr() not in given:
                self.size = max(self.size, leaf.untyped_storage().nbytes())
        return result


@pytest.mark.slow
@pytest.mark.parametrize("name", [*QUERIES.names(), "diverse", "first"])
def test_nothing_grows_with_images_times_images_or_classes_times_features(name, monkeypatch):
    """The features of the 20,000 images have 5 MB. All distances would have 1.6 GB, the distances to the labeled images
    160 MB, and all gradients 205 MB.
    """
    monkeypatch.setattr(spread, "ELEMENTS", 1 << 20)
    pool = scores(20_000, classes=40, dims=64, labeled=2000)
    with Largest() as largest:
        (torch.zeros(1000, 1) * torch.zeros(100)).sum()
    assert largest.size == 400_000, "it sees what passes"
    tracemalloc.start()
    with Largest() as largest:
        if name == "diverse":
            query.diverse(pool.features[:10_000], 50, generator())
        elif name == "first":
            first.typical(pool.features, 50, generator())
        else:
            QUERIES.get(name).rank(pool, 50, generator())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert largest.size <= max(pool.features.nbytes * 1.1 + 1e6, 4 * first.CROWD**2)
    assert peak < 10e6
