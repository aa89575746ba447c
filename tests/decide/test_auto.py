from fractions import Fraction

import numpy as np
import pytest

from alearn.decide.auto import above_threshold
from alearn.events import Scores


def scores(doubt) -> Scores:
    n = len(doubt)
    return Scores(np.arange(n), np.zeros(n, np.int64), np.array(doubt, np.float32), np.zeros(n, np.float32))


@pytest.mark.parametrize("threshold", [0.5, 0.99, 0.9999, 0.999999, 0.999999999])
def test_it_agrees_with_exact_arithmetic_on_both_sides_of_the_threshold(threshold):
    factors = (0.5, 0.99, 1.01, 2)
    doubts = [np.log((1 - threshold) * factor) for factor in factors]
    exact = [1 - Fraction(1 - threshold) * Fraction(factor) > Fraction(threshold) for factor in factors]
    assert above_threshold(scores(doubts), threshold).tolist() == exact == [True, True, False, False]


def test_one_takes_nothing_not_even_certainty():
    assert not above_threshold(scores([-200, -np.inf, -1]), 1.0).any()


def test_strictly_above():
    """At the one threshold whose logarithm is exact."""
    assert above_threshold(scores([0.0, -1e-6]), 0.0).tolist() == [False, True]
