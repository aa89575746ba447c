"""Estimate how likely each label is wrong, before an audit.

These estimates decide what an audit costs, never whether it is right. Nobody knows how good the confidences of other
tools are. So an estimate is a family of profiles, and an audit is planned for all of them: see `alearn.audit.plan`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alearn.values import Array

SLOPE, SLOPE_SD, SHIFT_SD = 1.1, 0.1, 1.0
"""Prior of the line from the model's log-odds of being wrong to the true log-odds. The slope is above 1, because
averages over rounds and views are too cautious."""
UNKNOWN = 0.005
"""Assumed probability that a label is wrong if its confidence is unknown."""
ANYWHERE = 0.03
"""Share of the wrong labels that is assumed to be anywhere in the order, however sure the model is."""
DECAY, DECAY_SD, NOISE = 2.0, 0.5, 0.3
"""The number of wrong labels falls as a power of the number of hand labels. DECAY and DECAY_SD are the prior of this
power. NOISE is the standard deviation of the logarithm of an estimate of the wrong labels."""
TREND = 3
"""The number of last rounds from which the power is estimated."""
RESCALED = 1.0, 2.0
"""Without answers, the true log-odds of being wrong are assumed to be one of these times the stated ones: the
confidences are right, or too low. Confidences that are too high need no profile of their own: the errors that an audit
finds correct it at little cost (docs/results/certificate.md)."""
STEPS = 100
"""Halvings of an interval, until nothing is left of it."""

Profiles = Sequence[Array]
"""Profiles that are equally probable, each float64 [N]: the probability that each label is wrong, from most to least
trusted."""


@dataclass(frozen=True)
class Known:
    """n labels that a model guessed before a human gave them, so it had not learned from them.

    doubt: float [n], log(1 - p). wrong: bool [n], whether the guess was wrong. weight: float [n], how much each counts.
    """

    doubt: Array
    wrong: Array
    weight: Array


def error_profiles(doubt: Array, known: Known | None = None, expected: float | None = None) -> Profiles:
    """Estimate the probabilities that labels are wrong.

    With known labels there is one profile, by Platt scaling (1999): logit P(wrong) = shift + slope logit(1 - p), the
    most probable pair under a normal prior. Without them, there is a profile for each slope in RESCALED.

    Args:
        doubt: float [N], log(1 - p) of each label, nan if the confidence p is unknown.
        known: Labels whose answers are known.
        expected: The expected number of wrong labels. None takes it from the confidences.
    """
    if not len(doubt):
        return [np.zeros(0)]
    odds = _log_odds(doubt)
    if known is not None:
        shift, slope = _platt(_log_odds(known.doubt), known.wrong, known.weight)
        odds *= slope
        odds += shift
        return [_anywhere(_chance(odds))]
    if expected is None:
        return [_anywhere(_chance(slope * odds)) for slope in RESCALED]
    return [_anywhere(_scaled(slope * odds, expected)) for slope in RESCALED]


def _scaled(odds: Array, expected: float) -> Array:
    """Return probabilities whose sum is `expected`, with the differences between these log-odds, float64 [N]."""
    low, high = -1e3, 1e3
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(middle + odds).sum() < expected else (low, middle)
    return _chance(high + odds)


def _chance(odds: Array) -> Array:
    """Return the probabilities of log-odds."""
    chance: Array = np.clip(odds, -500, 500)
    np.negative(chance, out=chance)  # in place, because there may be millions of them
    np.exp(chance, out=chance)
    chance += 1
    return np.divide(1, chance, out=chance)


def _anywhere(likely: Array) -> Array:
    """Return a profile of which a share ANYWHERE does not depend on the confidence."""
    everywhere = ANYWHERE * likely.mean()
    profile = likely * (1 - ANYWHERE)
    profile += everywhere
    return profile


def _log_odds(doubt: Array) -> Array:
    """Return log((1 - p) / p) for doubts log(1 - p)."""
    odds: Array = doubt.astype(np.float64)
    np.nan_to_num(odds, copy=False, nan=np.log(UNKNOWN))
    np.clip(odds, -100, -1e-9, out=odds)
    right = np.exp(odds)
    np.negative(right, out=right)
    odds -= np.log1p(right, out=right)
    return odds


def _platt(odds: Array, wrong: Array, weight: Array) -> tuple[float, float]:
    """Return shift and slope, by Newton's method. The objective is strictly convex."""
    design = np.stack([np.ones_like(odds), odds], axis=1)
    mean, precision = np.array([0.0, SLOPE]), np.diag([SHIFT_SD**-2, SLOPE_SD**-2])

    def loss(at: Array) -> float:
        x = design @ at
        return float(weight @ (np.logaddexp(0, x) - wrong * x) + (at - mean) @ precision @ (at - mean) / 2)

    at = mean.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ at, -500, 500)))
        slope = design.T @ (weight * (p - wrong)) + precision @ (at - mean)
        step = np.linalg.solve(design.T @ (design * (weight * p * (1 - p))[:, None]) + precision, slope)
        size = 1.0
        while loss(at - size * step) > loss(at) and size > 1e-6:
            size /= 2
        at = at - size * step
        if np.abs(step).max() < 1e-8:
            break
    return float(at[0]), float(at[1])


def after_more(probability: Array, hand: int, asks: int, decay: float) -> Array:
    """Return the expected `error_profile` after `asks` more hand labels, float64 [N - asks].

    The last labels of the order are replaced, and a new model learns from them and the `hand` labels that exist.
    """
    left = probability[: max(0, len(probability) - asks)]
    wrong = probability.sum() * (hand / (hand + asks)) ** decay
    return np.minimum(1, left * (wrong / left.sum())) if left.sum() else left


def decay(hand: Array, wrong: Array) -> float:
    """Estimate the power of the number of hand labels by which the number of wrong labels falls.

    It is the most probable slope of log(wrong) on log(hand) over the last TREND rounds, under a normal prior. hand:
    float64 [rounds]. wrong: float64 [rounds], estimates.
    """
    x, y = np.log(hand[-TREND:]), np.log(np.maximum(wrong[-TREND:], 1e-9))
    x, y = x - x.mean(), y - y.mean()
    weight = DECAY_SD**-2
    return float((weight * DECAY - x @ y / NOISE**2) / (weight + x @ x / NOISE**2))
