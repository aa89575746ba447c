import numpy as np

from alearn.decide.query import least_confidence
from alearn.events import Scores


def scores(doubt) -> Scores:
    n = len(doubt)
    return Scores(np.arange(n) * 10, np.zeros(n, np.int64), np.array(doubt, np.float32), np.zeros(n, np.float32))


def test_the_most_doubtful_come_first_and_ties_keep_their_order():
    assert least_confidence(scores([-5, -1, -9, -1, -0.5]), 4).tolist() == [4, 1, 3, 0]


def test_it_agrees_with_a_sort_of_the_probabilities():
    p_max = np.random.default_rng(0).uniform(0.1, 1, 1000)
    expected = sorted(range(1000), key=lambda i: p_max[i])[:50]
    assert least_confidence(scores(np.log(1 - p_max)), 50).tolist() == expected


def test_all_when_there_are_fewer():
    assert least_confidence(scores([-1, -2]), 9).tolist() == [0, 1]
