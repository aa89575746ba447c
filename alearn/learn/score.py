"""Batched inference over the pool.

Shape letters: B batch, C channels, H height, W width, K classes, n images to score, N data set.
"""

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor, nn

from alearn.events import Array, ScoreProgress, Scores
from alearn.learn import models
from alearn.learn.device import Runtime

CHUNKS_A_BLOCK = 16
"""Forward passes whose logits are judged, and reported, at once: judging is many small operations."""


def score(
    runtime: Runtime, model: nn.Module, images_nchw: Tensor, index: Array
) -> Generator[ScoreProgress, None, Scores]:
    """What the model makes of the images `index` (int64 [n]) of a data set that lies on runtime.device; yields now and
    then.
    """
    judged = yield from infer(runtime, model, images_nchw, torch.from_numpy(index).to(runtime.device))
    return Scores(index, *(t.cpu().numpy() for t in judged))


def infer(
    runtime: Runtime, model: nn.Module, images_nchw: Tensor, index_n: Tensor
) -> Generator[ScoreProgress, None, tuple[Tensor, Tensor, Tensor]]:
    """Guess, doubt and margin, each [n], on the device: it is waited for once, when the caller reads them."""
    on, total = index_n.device, len(index_n)
    guess_n = torch.empty(total, dtype=torch.int64, device=on)
    doubt_n = torch.empty(total, dtype=torch.float32, device=on)
    margin_n = torch.empty(total, dtype=torch.float32, device=on)
    model.eval()
    block = runtime.chunk * CHUNKS_A_BLOCK
    for start in range(0, total, block):
        here = slice(start, start + block)
        with torch.inference_mode(), runtime.autocast():
            chunks = torch.split(index_n[here], runtime.chunk)
            logits_bk = torch.cat([model(models.to_float(images_nchw[chunk])) for chunk in chunks])
            guess_n[here], doubt_n[here], margin_n[here] = judge(logits_bk)
        yield ScoreProgress(min(start + block, total), total)
    return guess_n, doubt_n, margin_n


def judge(logits_bk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Guess, doubt and margin (see `Scores`), each [B], of fp32 logits.

    1 - p_max is the sum of the other classes' probabilities; as a log-sum-exp it keeps its digits where 1 - p_max
    itself is 0.
    """
    top_b2, order_b2 = logits_bk.topk(2, dim=1)
    guess_b = order_b2[:, 0]
    all_b = logits_bk.logsumexp(1)
    others_b = logits_bk.scatter(1, guess_b[:, None], -torch.inf).logsumexp(1)
    p_b2 = (top_b2 - all_b[:, None]).exp()
    return guess_b, others_b - all_b, p_b2[:, 0] - p_b2[:, 1]


def accuracy(scores: Scores, truth: Array) -> float:
    """Share of right guesses; truth: int64 [N]."""
    return float(np.mean(scores.guess == truth[scores.index]))
