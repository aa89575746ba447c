from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom

from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.policy import trust
from alearn.policy.trust import above, evidence, news, refuted, trusted


@pytest.mark.parametrize("threshold", [0.5, 0.99, 0.9999, 0.999999, 0.999999999])
def test_it_agrees_with_exact_arithmetic_on_both_sides_of_the_threshold(threshold):
    factors = (0.5, 0.99, 1.01, 2)
    doubts = [np.log((1 - threshold) * factor) for factor in factors]
    exact = [1 - Fraction(1 - threshold) * Fraction(factor) > Fraction(threshold) for factor in factors]
    assert above(np.array(doubts, np.float32), threshold).tolist() == exact == [True, True, False, False]


def test_one_takes_nothing_not_even_certainty():
    assert not above(np.array([-200, -np.inf, -1], np.float32), 1.0).any()


def test_strictly_above():
    """This uses the only threshold whose logarithm is exact."""
    assert above(np.array([0.0, -1e-6], np.float32), 0.0).tolist() == [False, True]


@pytest.mark.parametrize("share", [0.0, 1e-6, 0.0001, 0.01, 0.05, 0.2, 0.5, 1.0])
def test_refuted_against_scipy(share):
    for checked in range(trust.RECENT + 1):
        for wrong in range(checked + 1):
            assert refuted(checked, wrong, share) == (binom.sf(wrong - 1, checked, share) < 0.05), (checked, wrong)


def test_the_power_of_the_latest_answers_is_what_the_comments_say():
    fewest = next(wrong for wrong in range(21) if refuted(20, wrong, 0.05))
    assert fewest == 4
    assert binom.sf(fewest - 1, 20, 0.3) == pytest.approx(0.9, abs=0.01)
    assert binom.sf(fewest - 1, 20, 0.05) == pytest.approx(1 / 60, abs=0.002)
    assert refuted(5, 2, 0.05)
    assert not refuted(5, 1, 0.05)
    assert binom.sf(1, 5, 0.5) == pytest.approx(4 / 5, abs=0.02)


def checked(*groups: tuple[int, int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return evidence. Each group has a number of right guesses, a number of wrong ones, and their p_max."""
    doubt = [np.log1p(-p_max) for right, wrong, p_max in groups for _ in range(right + wrong)]
    right = [kind for right, wrong, _ in groups for kind in [True] * right + [False] * wrong]
    return np.array(doubt, np.float32), np.array(right, bool)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], 0.95),
        ([(4, 1, 0.96)], 0.95),  # one slip in five may be chance
        ([(3, 2, 0.96)], 1),
        ([(17, 3, 0.96)], 0.95),
        ([(16, 4, 0.96)], 1),
        ([(5, 5, 0.96), (10, 0, 0.98)], 0.975),
        ([(5, 5, 0.98), (10, 0, 0.99)], 0.9875),
        ([(5, 5, 0.98), (10, 0, 0.996)], 0.9875),  # the lowest that will do
        ([(5, 5, 0.99), (10, 0, 0.996)], 0.995),
        ([(5, 5, 0.996), (10, 0, 0.9999)], 0.9995),
        ([(5, 5, 0.96), (9, 0, 0.98)], 1),  # too few answers
        ([(5, 5, 0.96), (9, 1, 0.98)], 1),  # a higher threshold must keep the promise, not only not break it
        ([(0, 10, 0.9999), (10, 0, 0.96)], 1),
    ],
)
def test_how_far_answers_are_trusted(groups, expected):
    assert trusted(0.95, *checked(*groups)) == pytest.approx(expected, abs=1e-12)


def test_the_threshold_comes_back_as_it_is():
    for threshold in (0.95, 0.9999, 1.0):
        assert trusted(threshold, *checked((20, 0, 0.99999))) == threshold
    assert trusted(0.9999, *checked((4, 1, 0.99999))) == 1, "1 of 5 wrong refutes 1 of 10,000"


def asked(ledger, index, label, check=True, number=1):
    index = np.array(index)
    if check:
        ledger.check(index)
    ledger.write(index, np.full(len(index), label), Source.QUERY, number)


def test_evidence_is_the_latest_answers_to_checks():
    ledger = Ledger.empty(60)
    ledger.guess[:], ledger.doubt[:] = 1, -np.arange(60)
    asked(ledger, [50, 51], 1, check=False)
    asked(ledger, [9, 3, 40], 1)
    asked(ledger, [30], CANNOT_TELL)
    asked(ledger, [7, 5], 0, number=2)
    doubt, right = evidence(ledger)
    assert doubt.tolist() == [-9, -3, -40, -7, -5], "in the order of the answers"
    assert right.tolist() == [True, True, True, False, False]
    asked(ledger, np.arange(10, 28), 1, number=3)
    doubt, right = evidence(ledger)
    assert doubt.tolist() == [-7, -5, *-np.arange(10.0, 28)]
    assert right.tolist() == [False, False] + [True] * 18


def test_a_check_that_got_no_answer_is_forgotten():
    """People may leave questions open; a later question about such an image is not drawn at random."""
    ledger = Ledger.empty(9)
    ledger.check(np.array([3, 4]))
    ledger.write(np.array([3]), np.array([0]), Source.QUERY, 1)
    ledger.check(np.array([5]))
    ledger.write(np.array([4, 5]), np.array([0, 0]), Source.QUERY, 2)
    assert np.flatnonzero(ledger.checked).tolist() == [3, 5]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (0.95, 0.95, ""),
        (1.0, 1.0, ""),
        (0.95, 1.0, "5 of the last 9 checked auto labels were wrong: no auto labels until later checks are better"),
        (1.0, 0.975, "5 of the last 9 checked auto labels were wrong: only predictions above 0.975 become auto labels"),
        (0.975, 0.95, "5 of the last 9 checked auto labels were wrong: auto labels are given again"),
    ],
)  # fmt: skip
def test_news_is_of_changes(before, now, expected):
    assert news(before, now, 0.95, 9, 5) == expected
