import numpy as np
import torch
from scipy.stats import entropy as scipy_entropy

from alearn.policy.auto_rules import above_class_threshold, below_entropy, entropy, most_certain
from alearn.policy.decide import taken
from alearn.values import Scores
from tests.conftest import compose


def scores(doubt, guess=None) -> Scores:
    n = len(doubt)
    guesses = np.zeros(n, np.int64) if guess is None else np.array(guess)
    return Scores(np.arange(n), guesses, np.array(doubt, np.float32), np.zeros(n, np.float32))


def of_probabilities(probs) -> Scores:
    p = np.array(probs)
    return Scores(
        np.arange(len(p)), p.argmax(1), np.log1p(-p.max(1)), p.max(1), probs=torch.from_numpy(p.astype(np.float32))
    )


def test_a_class_that_is_known_less_well_has_a_lower_threshold():
    """Class 0: mean 0.9; class 2: mean 0.6, so its threshold is 0.8 x 0.6 / 0.9 = 0.533."""
    p = np.array([0.98, 0.85, 0.79, 0.98, 0.53, 0.54, 0.73])
    taken = above_class_threshold(scores(np.log1p(-p), [0, 0, 0, 0, 2, 2, 2]), 0.8)
    assert taken.tolist() == [True, True, False, True, False, True, True]
    assert not above_class_threshold(scores([]), 0.8).any()


def test_entropy_and_ceals_rule_against_scipy():
    probs = np.random.default_rng(0).dirichlet([0.1] * 5, 200)
    expected = scipy_entropy(probs, axis=1)
    seen = of_probabilities(probs)
    np.testing.assert_allclose(entropy(seen), expected, atol=1e-6)
    assert (below_entropy(seen, 0.3) == (expected < 0.3)).all()
    policy = compose("policy.auto.rule=entropy", "policy.auto.entropy=0.3", "policy.auto.entropy_decay=0.1").policy
    assert (taken(policy, seen, 3) == (expected < 0.1)).all(), "0.3 - 2 x 0.1 in the third round"


def test_so_many_of_the_most_certain():
    seen = scores([-1, -5, -3, -5, -2])
    assert np.flatnonzero(most_certain(seen, 2)).tolist() == [1, 3]
    assert np.flatnonzero(most_certain(seen, 3)).tolist() == [1, 2, 3]
    assert most_certain(seen, 9).all()
    policy = compose("policy.auto.rule=count", "policy.auto.per_round=2").policy
    assert np.flatnonzero(taken(policy, seen, 1)).tolist() == [1, 3]


def test_the_rule_is_the_policys():
    seen = scores(np.log1p(-np.array([0.95, 0.7])), [0, 1])
    assert taken(compose("policy.threshold=0.9").policy, seen, 1).tolist() == [True, False]
    assert taken(compose("policy.auto.rule=class_threshold", "policy.threshold=0.9").policy, seen, 1).all()
    assert not taken(compose("policy.auto.rule=none", "policy.threshold=0.1").policy, seen, 1).any()
