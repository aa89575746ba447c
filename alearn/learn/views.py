"""Test-time augmentation of those images whose scores it can change.

Shape letters: B batch, K classes, n images that were scored, u of them that the model is unsure of.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from alearn.data.augment import AUGMENT
from alearn.journal import OnProgress, ScoreProgress, ignore
from alearn.learn import device
from alearn.learn.device import Runtime
from alearn.learn.score import judge_probs
from alearn.models.classifier import to_float
from alearn.values import Images, Scores

UNSURE = 0.9
"""Images whose p_max is below this get a second look. They are few, and most wrong guesses are among them."""


def look_again(
    views: int,
    distortion: str,
    model: nn.Module,
    images_nchw: Images,
    scores: Scores,
    *,
    runtime: Runtime,
    seed: int,
    on_progress: OnProgress = ignore,
) -> Scores:
    """Average the probabilities of unsure images over each image and its distorted copies.

    Args:
        views: The number of distorted copies; 0 leaves the scores as they are.
        distortion: A key of AUGMENT.
        model: Maps float images to logits.
        images_nchw: The whole data set, uint8, on runtime.device.
        scores: The scores so far, with probabilities.
        runtime: The device and the precision.
        seed: The distortions follow from it.
        on_progress: Called with a `ScoreProgress` after every batch.
    """
    unsure = np.flatnonzero(scores.doubt > math.log1p(-UNSURE))
    if not views or not len(unsure):
        return scores
    assert scores.probs is not None
    augment = AUGMENT[distortion]
    on = runtime.device
    device.seed(seed)
    index_u = torch.from_numpy(scores.index[unsure]).to(on)
    sums = []
    done = 0
    model.eval()
    for index_b in torch.split(index_u, runtime.chunk(images_nchw.shape[1:])):
        x_bchw = to_float(images_nchw[index_b])
        sum_bk = torch.zeros((), device=on)
        with torch.inference_mode():
            for _ in range(views):
                distorted_bchw = augment(x_bchw)
                with runtime.autocast():
                    sum_bk = sum_bk + model(distorted_bchw).softmax(1)
        sums.append(sum_bk)
        done += len(index_b)
        on_progress(ScoreProgress(done, len(unsure)))
    at = torch.from_numpy(unsure).to(on)
    probs_uk = (torch.cat(sums) + scores.probs[at]) / (views + 1)
    again = replace(scores, probs=scores.probs.index_copy(0, at, probs_uk))
    for name, new in zip(("guess", "doubt", "margin"), judge_probs(probs_uk), strict=True):
        column = getattr(scores, name).copy()
        column[unsure] = new.cpu().numpy()
        again = replace(again, **{name: column})
    return again
