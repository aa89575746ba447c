"""Compute the scores of a round: from the model, a second look at unsure images, and the scores of earlier rounds."""

import numpy as np
import torch
from torch import nn

from alearn import rng
from alearn.config import Policy
from alearn.journal import OnProgress, ignore
from alearn.learn.device import Runtime
from alearn.learn.memory import averaged
from alearn.learn.score import score
from alearn.learn.views import look_again
from alearn.ledger import Ledger
from alearn.values import Array, Images, Scores


def score_pool(
    policy: Policy,
    model: nn.Module,
    images_nchw: Images,
    ledger: Ledger,
    index: Array,
    want: frozenset[str],
    *,
    runtime: Runtime,
    distortion: str,
    seed: int,
    round: int,  # noqa: A002
    forget: bool = False,
    on_progress: OnProgress = ignore,
) -> Scores:
    """Score the images of the pool. The ledger is read, not written.

    Only a network that was trained gets a second look and an average: they take out what its training has left to
    chance. A head on stored features is the solution of a convex problem, and its features cover their views already.

    Args:
        policy: Says whether to look again (`views`) and whether to average over rounds (`memory`).
        model: A `Classifier`.
        images_nchw: The whole data set, uint8, on runtime.device.
        ledger: Which images have hand labels, and the scores of earlier rounds.
        index: int64 [n], the pool.
        want: Which optional fields of `Scores` to fill in.
        runtime: The device and the precision.
        distortion: A key of `alearn.data.augment.AUGMENT`, for the second look.
        seed: Every random draw follows from the seed and the round.
        round: The number of the round.
        forget: Whether to leave out the scores of earlier rounds.
        on_progress: Called with the progress of scoring.
    """
    trained = images_nchw.dtype == torch.uint8
    if trained and (policy.memory or policy.views):
        want |= {"probs"}
    hand = np.flatnonzero(ledger.hand)
    draws = rng.derive(seed, round, "score")
    scores = score(runtime, model, images_nchw, index, want, hand, draws, on_progress)
    if not trained:
        return scores
    if policy.views:
        draws = rng.derive(seed, round, "views")
        scores = look_again(
            policy.views, distortion, model, images_nchw, scores, runtime=runtime, seed=draws, on_progress=on_progress
        )
    return scores if forget else averaged(policy, scores, ledger)
