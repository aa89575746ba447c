"""What a round makes of the pool: its model's scores, a second look at the unsure ones, the earlier rounds' say."""

from collections.abc import Generator

import numpy as np
from torch import nn

from alearn import rng
from alearn.config import Config
from alearn.journal import ScoreProgress
from alearn.learn.device import Runtime
from alearn.learn.memory import averaged
from alearn.learn.score import score
from alearn.learn.views import look_again
from alearn.ledger import Ledger
from alearn.values import Array, Images, Scores


def predict(
    config: Config,
    runtime: Runtime,
    model: nn.Module,
    images_nchw: Images,
    ledger: Ledger,
    index: Array,
    want: frozenset[str],
    round: int,  # noqa: A002
) -> Generator[ScoreProgress, None, Scores]:
    """The scores that decide a round. index: int64 [n], the pool. want: what else of `Scores` to fill in.

    images_nchw: the whole data set, uint8, on runtime.device. The ledger is read, not written.
    """
    policy = config.policy
    if policy.memory or policy.views:
        want |= {"probs"}
    hand, draws = np.flatnonzero(ledger.hand), rng.derive(config.seed, round, "score")
    scores = yield from score(runtime, model, images_nchw, index, want, hand, draws)
    scores = yield from look_again(config, runtime, model, images_nchw, scores, round)
    return averaged(policy, scores, ledger)
