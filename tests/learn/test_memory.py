import numpy as np
import pytest
import torch

from alearn.learn.memory import averaged
from alearn.ledger import Ledger
from alearn.values import Scores
from tests.conftest import compose

FROM_THE_SECOND = compose("policy=frugal", "policy.memory=0.75", "policy.memory_from=2").policy


def scored(probs) -> Scores:
    p = np.array(probs, np.float32)
    top = np.sort(p, axis=1)
    index = np.array([1, 3])
    return Scores(index, p.argmax(1), np.log1p(-top[:, -1]), top[:, -1] - top[:, -2], probs=torch.from_numpy(p))


def test_rounds_are_averaged_from_the_first_that_is_worth_it():
    rounds = [
        [[0.9, 0.1], [0.2, 0.8]],
        [[0.55, 0.45], [0.4, 0.6]],
        [[0.2, 0.8], [0.8, 0.2]],
        [[0.0625, 0.9375], [0.9, 0.1]],
    ]
    ledger, seen = Ledger.empty(5), []
    for number, probs in enumerate(rounds, start=1):
        scores = averaged(FROM_THE_SECOND, scored(probs), ledger)
        ledger.note(scores, number)
        seen.append(scores)
    second, third = np.array(rounds[1]), 0.75 * np.array(rounds[1]) + 0.25 * np.array(rounds[2])
    fourth = 0.75 * third + 0.25 * np.array(rounds[3])
    for scores, expected in zip(seen[1:], (second, third, fourth), strict=True):
        np.testing.assert_allclose(scores.probs, expected, rtol=1e-6)
        assert scores.guess.tolist() == expected.argmax(1).tolist()
        np.testing.assert_allclose(scores.doubt, np.log(1 - expected.max(1)), rtol=1e-5)
        np.testing.assert_allclose(scores.margin, np.abs(expected[:, 0] - expected[:, 1]), atol=1e-6)


def test_certainty_beyond_single_precision_survives_the_average():
    ledger = Ledger.empty(5)
    sure = torch.tensor([[1.0, 1e-12], [1e-20, 1.0]])
    one = Scores(np.array([1, 3]), np.array([0, 1]), np.zeros(2), np.zeros(2), probs=sure)
    for number in (1, 2, 3):
        one = averaged(FROM_THE_SECOND, one, ledger)
        ledger.note(one, number)
    np.testing.assert_allclose(one.doubt, np.log([1e-12, 1e-20]), rtol=1e-5)


@pytest.mark.parametrize("words", [["policy.memory=0"], ["policy.memory_from=9"]])
def test_without_memory_scores_stay_as_they_are(words):
    ledger, one = Ledger.empty(5), scored([[0.9, 0.1], [0.2, 0.8]])
    ledger.note(one, 1)
    policy = compose("policy=frugal", "train=fast", *words).policy
    assert averaged(policy, one, ledger) is one
