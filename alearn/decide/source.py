"""The published experiment's decisions."""

import numpy as np

from alearn import rng
from alearn.config import SourcePolicy
from alearn.decide.auto import above_threshold
from alearn.decide.query import least_confidence
from alearn.errors import AlearnError
from alearn.events import Array, Decision, Scores


def check(policy: SourcePolicy, total: int) -> None:
    """Raises AlearnError if a share of `total` images holds not even one."""
    for key in ("init_fraction", "hand_fraction"):
        share = getattr(policy, key)
        if round(share * total) < 1:
            raise AlearnError(
                f"policy.{key}={share}: is less than one of the {total} images; must be at least {1 / total:.2g}"
            )


def first(policy: SourcePolicy, total: int, seed: int) -> Array:
    """int64 [n]: the images to label by hand before the first round."""
    count = round(policy.init_fraction * total)
    return (
        np.arange(count)
        if policy.init == "first"
        else rng.generator(seed, 0, "first").choice(total, count, replace=False)
    )


def decide(policy: SourcePolicy, scores: Scores, total: int) -> Decision:
    """Hand label the least probable images, round(hand_fraction x total) of them; auto label the others above the
    threshold.

    In this order, as the published program did: an image goes to the human first.
    """
    asked = least_confidence(scores, round(policy.hand_fraction * total))
    sure = above_threshold(scores, policy.threshold)
    sure[asked] = False
    return Decision(hand=scores.index[asked], auto=scores.index[sure], auto_label=scores.guess[sure])
