"""policy.query.strategy=last and policy.auto.rule=even."""

import numpy as np

import alearn
from alearn.values import Array, Limits, Scores


@alearn.register_query("last", needs={"features"})
def last(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Ask about the last images."""
    assert scores.features is not None
    return np.arange(len(scores))[::-1][:count]


@alearn.register_auto_rule("even", needs={"probs"})
def even(scores: Scores, limits: Limits) -> Array:
    """Take the predictions of images with an even number."""
    assert scores.probs is not None
    taken: Array = scores.index % 2 == 0
    return taken
