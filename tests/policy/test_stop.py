import numpy as np
import pytest

from alearn.ledger import Ledger, Source
from alearn.policy.stop import allowance, finished, hand_yield, remainder_below
from tests.conftest import compose


@pytest.mark.parametrize(
    ("unlabeled", "total", "share", "over"),
    [
        (600, 60_000, 0.01, False),
        (599, 60_000, 0.01, True),
        (699, 60_000, 0.01, False),
        (0, 10, 0.01, True),
        (1, 10, 0.01, False),
        (1, 10, 0.0, False),
    ],
)
def test_less_than_the_share_is_the_end(unlabeled, total, share, over):
    assert remainder_below(unlabeled, total, share) is over


def after_a_round(wrong: int = 2) -> Ledger:
    """Return a ledger of 100 images: 10 first labels, 10 queries of round 1 and 30 auto labels.

    wrong: the number of queries that the model had guessed wrong.
    """
    ledger = Ledger.empty(100)
    ledger.write(np.arange(10), np.zeros(10, np.int64), Source.FIRST, 0)
    ledger.scored[10:], ledger.guess[10:] = 1, 0
    ledger.guess[10 : 10 + wrong] = 1
    ledger.write(np.arange(10, 20), np.zeros(10, np.int64), Source.QUERY, 1)
    ledger.write(np.arange(20, 50), np.zeros(30, np.int64), Source.AUTO, 1)
    return ledger


def test_a_round_that_asks_nothing_is_the_last():
    policy = compose("policy=frugal").policy
    ledger = Ledger.empty(100)
    assert not finished(policy, ledger)
    ledger = after_a_round()
    assert not finished(policy, ledger)
    ledger.scored[50:] = 2  # round 2 scored the images but had no queries
    assert finished(policy, ledger)


@pytest.mark.parametrize(
    ("words", "number", "asks"),
    [
        (["policy.hand_budget=null"], 2, 5),
        (["policy.hand_budget=23"], 2, 3),
        (["policy.hand_budget=20"], 2, 0),
        (["policy.hand_budget=12"], 2, 0),
        (["policy.stop_rounds=3"], 2, 5),
        (["policy.stop_rounds=2"], 2, 0),
        (["policy.stop_yield=0.2"], 2, 5),
        (["policy.stop_yield=0.21"], 2, 0),
        (["policy.stop_yield=0.21", "policy.hand_per_round=15"], 1, 5),  # 10 answers came early
        (["policy.hand_per_round=10"], 1, 1),
        (["policy.hand_fraction=0.07", "policy.hand_per_round=null"], 2, 7),
    ],
)
def test_what_a_round_may_ask(words, number, asks):
    policy = compose("policy=frugal", "policy.hand_budget=1000", "policy.hand_per_round=5", *words).policy
    assert allowance(policy, after_a_round(), number) == asks


def test_a_few_late_answers_do_not_start_the_questions_again():
    ledger = after_a_round()
    ledger.scored[50:], ledger.guess[50:] = 2, 0
    ledger.write(np.array([50]), np.array([1]), Source.QUERY, 2)  # asked in round 1; the model had guessed wrong
    assert hand_yield(ledger, 2) == 1
    policy = compose("policy=frugal", "policy.hand_budget=1000", "policy.stop_yield=0.3").policy
    assert allowance(policy, ledger, 3) == 0


def test_yield_is_the_share_of_answers_that_corrected_the_model():
    assert hand_yield(after_a_round(wrong=3), 1) == 0.3
    assert hand_yield(after_a_round(), 2) == 1, "nothing was asked: nothing is known"


def test_checks_do_not_count_for_the_yield():
    ledger = after_a_round(wrong=3)
    ledger.checked[14:20] = True  # right guesses
    assert hand_yield(ledger, 1) == 0.75
