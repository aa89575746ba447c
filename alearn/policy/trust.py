"""Check confidence against answers: how sure the model must be for its predictions to become labels.

A network may be sure and wrong. So some of a round's questions go to images that the auto-label rule takes: to some at
random (policy.auto.check), and to some that are unlike all labeled ones (policy.query.cover), of which more are wrong.
policy.threshold promises that at most 1 - threshold of the guesses are wrong; here the answers are compared with that.
"""

import math

import numpy as np

from alearn.ledger import Ledger
from alearn.values import Array

RECENT = 20
"""The latest answers that count, because older ones tell of other models. 20 answers refute a threshold of 0.95 in 9 of
10 cases if 30 % of the guesses are wrong, and in 1 of 60 if 5 % are."""
LEVEL = 0.05
"""A promise is refuted if so many wrong guesses, or more, are less probable than this while it is kept."""
LEAST = 10
"""The fewest answers on which a higher threshold may rest."""
STRICTER = 0.5, 0.25, 0.1, 0.01
"""What the higher thresholds that are tried leave of 1 - threshold."""


def above(doubt_n: Array, threshold: float) -> Array:
    """Return where p_max > threshold, bool [n]. The comparison is strict, so threshold=1 takes nothing.

    It compares doubt = log(1 - p_max) with log(1 - threshold), because fp32 has only 17 values between 0.999999 and 1,
    and the probabilities of a network are often closer to 1 than most of them.
    """
    limit = math.log1p(-threshold) if threshold < 1 else -math.inf
    return doubt_n.astype(np.float64) < limit


def evidence(ledger: Ledger) -> tuple[Array, Array]:
    """Return the doubt of the latest checked guesses, float32 [n], and whether they were right, bool [n].

    Images of which nobody can tell the class say nothing. A label that a human gave after the guess changes neither the
    guess nor the doubt, because images with a hand label are not scored again.
    """
    index = np.flatnonzero(ledger.checked & ledger.hand & ~ledger.aside)
    index = index[np.argsort(ledger.order[index])][-RECENT:]
    return ledger.doubt[index], ledger.guess[index] == ledger.label[index]


def trusted(threshold: float, doubt_n: Array, right_n: Array) -> float:
    """Return the probability above which predictions may become labels.

    Args:
        threshold: The probability that promises that at most 1 - threshold of the guesses are wrong.
        doubt_n: The log(1 - p_max) of checked guesses, which were drawn from those that the auto-label rule takes.
        right_n: Whether they were right, bool [n].

    Returns:
        `threshold` if the answers do not refute its promise, as if there are none. Otherwise the lowest of a few higher
        thresholds above which there are LEAST answers that keep the promise. 1, which takes nothing, if there is none.
    """
    wrong = 1 - threshold
    if not refuted(len(right_n), int(np.sum(~right_n)), wrong):
        return threshold
    for part in STRICTER:
        higher = 1 - part * wrong
        right = right_n[above(doubt_n, higher)]
        if len(right) >= LEAST and np.sum(~right) <= wrong * len(right):
            return higher
    return 1.0


def contradicted(ledger: Ledger, round: int) -> bool:  # noqa: A002
    """Return whether a checked guess of a round was wrong."""
    checked = ledger.checked & ledger.hand & ~ledger.aside & (ledger.round == round)
    return bool(np.any(checked & (ledger.guess != ledger.label)))


def refuted(checked: int, wrong: int, share: float) -> bool:
    """Return whether P[Bin(checked, share) >= wrong] < LEVEL: whether more guesses are wrong than promised."""
    tail = sum(math.comb(checked, k) * share**k * (1 - share) ** (checked - k) for k in range(wrong, checked + 1))
    return tail < LEVEL


def news(before: float, now: float, threshold: float, checked: int, wrong: int) -> str:
    """Return a sentence if `trusted` has changed from one round to the next, otherwise "".

    Args:
        before: Its value in the round before, `threshold` before the first round.
        now: Its value.
        threshold: The threshold of the policy.
        checked: The number of answers on which it rests.
        wrong: How many of these guesses were wrong.
    """
    if now == before:
        return ""
    if now == 1:
        then = "no auto labels until later checks are better"
    elif now == threshold:
        then = "auto labels are given again"
    else:
        then = f"only predictions above {now:g} become auto labels"
    return f"{wrong} of the last {checked} checked auto labels were wrong: {then}"
