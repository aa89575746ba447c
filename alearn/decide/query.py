"""Which images to ask the human about: positions into `Scores`, most wanted first."""

import numpy as np

from alearn.events import Array, Scores


def least_confidence(scores: Scores, count: int) -> Array:
    """The `count` images (all, if there are fewer) whose most probable class is least probable; ties go to the lower
    index.
    """
    return np.argsort(-scores.doubt, kind="stable")[:count]
