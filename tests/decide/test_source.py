import numpy as np
import pytest

from alearn.decide import source
from alearn.errors import AlearnError
from alearn.events import Scores


def test_first_labels(config):
    assert source.first(config("trial=t1").policy, 60_000, 0).tolist() == list(range(600))
    random = config("policy.init=random", "policy.init_fraction=0.1").policy
    drawn = source.first(random, 1000, 3)
    assert len(set(drawn.tolist())) == 100
    assert drawn.max() > 500
    assert drawn.tolist() == source.first(random, 1000, 3).tolist() != source.first(random, 1000, 4).tolist()


def test_the_human_is_asked_before_anything_is_auto_labeled(config):
    """With a threshold below all probabilities everything but the least probable is auto labeled."""
    policy = config("policy.threshold=0.1", "policy.hand_fraction=0.2").policy
    p_max = np.array([0.9, 0.3, 0.99, 0.2, 0.8])
    scores = Scores(np.array([3, 4, 7, 8, 9]), np.array([1, 0, 2, 1, 1]), np.log(1 - p_max).astype(np.float32), p_max)
    decision = source.decide(policy, scores, total=10)
    assert decision.hand.tolist() == [8, 4]  # round(0.2 x 10) of the data set, not of the five that are left
    assert (decision.auto.tolist(), decision.auto_label.tolist()) == ([3, 7, 9], [1, 2, 1])


@pytest.mark.parametrize("key", ["init_fraction", "hand_fraction"])
def test_a_share_must_hold_an_image(config, key):
    source.check(config(f"policy.{key}=0.01").policy, 100)
    with pytest.raises(AlearnError, match=rf"policy\.{key}=0\.001: .* 100 images; must be at least 0\.01"):
        source.check(config(f"policy.{key}=0.001").policy, 100)
