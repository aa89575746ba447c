"""Which predictions to take as labels: a bool for each of `Scores`."""

import math

import numpy as np

from alearn.events import Array, Scores


def above_threshold(scores: Scores, threshold: float) -> Array:
    """bool [n]: p_max > threshold, strictly; threshold=1 takes nothing.

    Compared as log(1 - p_max) < log(1 - threshold): fp32 has all of 17 values between 0.999999 and 1, and a network's
    certainty lies beyond most of them.
    """
    limit = math.log1p(-threshold) if threshold < 1 else -math.inf
    return scores.doubt.astype(np.float64) < limit
