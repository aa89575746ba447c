"""Which predictions to take as labels: a bool for each of `Scores`."""

import math

import numpy as np

from alearn.config import Policy
from alearn.values import Array, Scores


def auto(policy: Policy, scores: Scores, round: int) -> Array:  # noqa: A002
    """bool [n]: what the policy's rule takes in a round (1, 2, ...)."""
    match policy.auto.rule:
        case "threshold":
            return above_threshold(scores, policy.threshold)
        case "class_threshold":
            return above_class_threshold(scores, policy.threshold)
        case "entropy":
            return below_entropy(scores, policy.auto.entropy - policy.auto.entropy_decay * (round - 1))
        case "count":
            return most_certain(scores, policy.auto.per_round or 0)
        case "none":
            return np.zeros(len(scores), bool)


def above_threshold(scores: Scores, threshold: float) -> Array:
    """p_max > threshold, strictly; threshold=1 takes nothing.

    Compared as log(1 - p_max) < log(1 - threshold): fp32 has all of 17 values between 0.999999 and 1, and a network's
    certainty lies beyond most of them.
    """
    limit = math.log1p(-threshold) if threshold < 1 else -math.inf
    return scores.doubt.astype(np.float64) < limit


def above_class_threshold(scores: Scores, threshold: float) -> Array:
    """p_max > threshold x m_c / max m, where m_c is the mean p_max of the images whose guess is class c.

    FreeMatch's scaling (Wang et al. 2023, eq. 8): a class that the model knows less well is not left out.
    """
    sure = -np.expm1(scores.doubt.astype(np.float64))
    count = np.bincount(scores.guess)
    mean = np.bincount(scores.guess, sure) / np.maximum(count, 1)
    limits = threshold * mean / mean.max(initial=1e-300)
    with np.errstate(divide="ignore"):
        taken: Array = scores.doubt < np.log1p(-limits)[scores.guess]
    return taken


def below_entropy(scores: Scores, limit: float) -> Array:
    """Entropy of the predicted probabilities < limit, in nats: CEAL's rule (Wang et al. 2017), which lowers the limit
    every round.
    """
    assert scores.probs is not None
    return np.less(entropy(scores), limit)


def most_certain(scores: Scores, count: int) -> Array:
    """The `count` images (all, if there are fewer) whose guess is most probable; ties go to the lower index."""
    taken = np.zeros(len(scores), bool)
    taken[np.argsort(scores.doubt, kind="stable")[:count]] = True
    return taken


def entropy(scores: Scores) -> Array:
    """float32 [n], in nats."""
    assert scores.probs is not None
    found: Array = scores.probs.clamp_min(1e-30).log().mul_(scores.probs).sum(1).neg_().cpu().numpy()
    return found
