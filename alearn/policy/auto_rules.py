"""The auto-label rules decide which predictions become labels.

A rule gets the scores of the pool and the limits of the policy, and returns bool [n], one value per image of `Scores`.
It is registered with what it needs from `Scores` besides guess, doubt and margin.
"""

import numpy as np

from alearn.policy.trust import above
from alearn.registry import register_auto_rule
from alearn.values import Array, Limits, Scores


@register_auto_rule("none")
def none(scores: Scores, limits: Limits) -> Array:
    """Take no prediction."""
    return np.zeros(len(scores), bool)


@register_auto_rule("threshold")
def threshold(scores: Scores, limits: Limits) -> Array:
    """Take predictions with a probability above the threshold."""
    return above(scores.doubt, limits.threshold)


@register_auto_rule("class_threshold")
def class_threshold(scores: Scores, limits: Limits) -> Array:
    """Take predictions above a threshold that is lower for classes about which the model is less sure."""
    return above_class_threshold(scores, limits.threshold)


@register_auto_rule("entropy", needs={"probs"})
def low_entropy(scores: Scores, limits: Limits) -> Array:
    """Take predictions whose entropy is below a limit that decreases from round to round."""
    return below_entropy(scores, limits.entropy - limits.entropy_decay * (limits.round - 1))


@register_auto_rule("count")
def count(scores: Scores, limits: Limits) -> Array:
    """Take the most certain predictions."""
    return most_certain(scores, limits.per_round or 0)


def above_class_threshold(scores: Scores, threshold: float) -> Array:
    """Return where p_max > threshold x m_c / max m, bool [n]; m_c is the mean p_max of the images with the guess c.

    This is the scaling of FreeMatch (Wang et al. 2023, eq. 8). It keeps the rule from leaving out a class that the
    model knows less well.
    """
    sure = -np.expm1(scores.doubt.astype(np.float64))
    count = np.bincount(scores.guess)
    mean = np.bincount(scores.guess, sure) / np.maximum(count, 1)
    limits = threshold * mean / mean.max(initial=1e-300)
    with np.errstate(divide="ignore"):
        taken: Array = scores.doubt < np.log1p(-limits)[scores.guess]
    return taken


def below_entropy(scores: Scores, limit: float) -> Array:
    """Return where the entropy of the predicted probabilities is less than `limit` nats, bool [n].

    This is the rule of CEAL (Wang et al. 2017), which lowers the limit every round.
    """
    assert scores.probs is not None
    return np.less(entropy(scores), limit)


def most_certain(scores: Scores, count: int) -> Array:
    """Return which are the `count` images with the most probable guesses, bool [n]. Ties go to the lower index."""
    taken = np.zeros(len(scores), bool)
    taken[np.argsort(scores.doubt, kind="stable")[:count]] = True
    return taken


def entropy(scores: Scores) -> Array:
    """Return the entropy of each prediction in nats, float32 [n]."""
    assert scores.probs is not None
    entropy_n: Array = scores.probs.clamp_min(1e-30).log().mul_(scores.probs).sum(1).neg_().cpu().numpy()
    return entropy_n
