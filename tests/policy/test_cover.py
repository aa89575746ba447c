import numpy as np
import pytest
import torch

from alearn.config import Policy, preset
from alearn.ledger import Ledger, Source
from alearn.policy import cover, decide
from alearn.values import Decision, Scores

DIRECTIONS = torch.eye(8)


def around(*directions: int, each: int, spread: float = 0.05) -> torch.Tensor:
    """Features that lie close to some of the axes, float32 [len(directions) x each, 8]."""
    random = torch.Generator().manual_seed(0)
    means = DIRECTIONS[torch.tensor(directions)].repeat_interleave(each, 0)
    return means + spread * torch.randn(means.shape, generator=random)


def test_a_kind_of_images_without_a_label_is_found_though_it_is_rare():
    """Axes 0 to 3 have 990 images and a label each. Axis 4 has 40 images, 1 % of all, and no label."""
    features = torch.cat([around(0, 1, 2, 3, each=990), around(4, each=40)])
    labeled = around(0, 1, 2, 3, each=2)
    for seed in range(5):
        picked = cover.unlike(features, labeled, 10, np.random.default_rng(seed))
        assert len(set(picked.tolist())) == 10
        assert (picked >= 3960).any()


def test_the_length_of_features_does_not_count():
    features = torch.cat([around(0, each=500), 100 * around(0, each=500), around(4, each=20)])
    picked = cover.unlike(features, around(0, each=3), 3, np.random.default_rng(0))
    assert (picked >= 1000).any()


@pytest.mark.parametrize(("n", "count", "expected"), [(3, 10, 3), (50, 10, 10), (1, 1, 1)])
def test_there_are_as_many_as_asked_for_or_all(n, count, expected):
    picked = cover.unlike(around(0, each=n), around(1, each=2), count, np.random.default_rng(0))
    assert sorted(set(picked.tolist())) == sorted(picked.tolist())
    assert len(picked) == expected


def test_every_round_asks_half_as_many():
    policy = preset("policy", "frugal")
    assert [policy.query.covers(number) for number in (1, 2, 3, 4, 5, 99)] == [10, 5, 2, 1, 0, 0]
    for name in ("source", "margin", "random", "ceal"):
        assert preset("policy", name).query.covers(1) == 0


def decided(number: int, policy: Policy, labeled: torch.Tensor | None) -> np.ndarray:
    """Return the images that a round marks as checked, among 1,000 of which the last 10 are unlike the others."""
    n = 1000
    features = torch.cat([around(0, 1, each=495), around(5, each=10)])
    doubt = np.full(n, -6.0, np.float32)
    doubt[:100] = -0.5
    scores = Scores(np.arange(n) + 7, np.zeros(n, np.int64), doubt, -doubt, features=features, labeled_features=labeled)
    decision = decide.decide(policy, scores, 25, number, np.random.default_rng(0), np.random.default_rng(1))
    assert len(decision.hand) == 25 == len(set(decision.hand.tolist()))
    assert set(decision.checked) <= set(decision.hand)
    assert not set(decision.auto) & set(decision.hand)
    return decision.checked - 7


def test_a_round_asks_about_sure_images_that_are_unlike_the_labeled_ones_and_checks_their_guesses():
    policy = preset("policy", "frugal")
    checked = decided(1, policy, around(0, 1, each=3))
    assert len(checked) == 11, "and one at random"
    assert (checked >= 100).all(), "no doubtful one"
    assert (checked >= 990).any()
    assert len(decided(5, policy, around(0, 1, each=3))) == 1


def test_without_labeled_images_to_compare_with_all_questions_are_as_before():
    assert len(decided(1, preset("policy", "frugal"), None)) == 1


@pytest.mark.parametrize(
    ("number", "answer", "surprised"), [(2, 1, True), (2, 0, False), (2, -1, False), (5, 1, False)]
)
def test_a_wrong_guess_of_a_sure_image_is_a_surprise_in_the_rounds_that_look_for_unseen_kinds(
    number, answer, surprised
):
    """The rounds after the fourth look for none. An answer that nobody can tell says nothing."""
    policy = preset("policy", "frugal")
    ledger = Ledger.empty(50)
    index = np.arange(50)
    ledger.note(Scores(index, np.zeros(50, np.int64), np.full(50, -6.0), np.ones(50)), number)
    ledger.check(index[:3])
    ledger.write(index[:3], np.array([0, 0, answer]), Source.QUERY, number)
    assert decide.surprised(policy, ledger, number) == surprised
    assert not decide.surprised(policy, ledger, number - 1)
    given = Decision(index[:3], index[3:], np.zeros(47, np.int64), index[:3], policy.threshold)
    kept = decide.trusted(policy, given, ledger)
    assert (len(kept.auto), kept.threshold) == ((0, 1.0) if surprised else (47, policy.threshold))
