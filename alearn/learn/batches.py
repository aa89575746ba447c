"""Choose the images of each training step.

Shape letters: n images to choose from, N data set.
"""

from collections.abc import Iterator
from itertools import islice
from math import ceil, log

import numpy as np
import torch
from torch import Tensor

from alearn.config import Train
from alearn.learn.training_set import TrainingSet
from alearn.values import Array

MIN_STEPS = 20
"""The fewest steps of an epoch if the number of steps is fixed. See `epochs`."""

SURE = log(0.001)
"""Images with a lower doubt than this are drawn as if they had this one. Those that the model is sure of must still be
seen: they are nearly all."""


class Draw:
    """A draw with replacement among n images, with probabilities proportional to weights."""

    def __init__(self, weight_n: Array, on: torch.device) -> None:
        """weight_n: float64 [n], the weights; at least one is above 0. on: the device of the drawn positions.

        NumPy adds up the weights, because a cumulative sum on a GPU does not repeat bit for bit.
        """
        self._cumulative_n = torch.from_numpy(np.cumsum(weight_n, dtype=np.float64)).to(on)

    def __call__(self, size: int) -> Tensor:
        """Return positions among the n images, int64 [size]. torch's global generator draws."""
        cumulative_n = self._cumulative_n
        at = torch.rand(size, dtype=torch.float64, device=cumulative_n.device) * cumulative_n[-1]
        return torch.searchsorted(cumulative_n, at, right=True).clamp_(max=len(cumulative_n) - 1)


def drawn(train: Train, labeled: TrainingSet, index_n: Array, on: torch.device) -> Draw | None:
    """Return how to draw from images that no human labeled, or None if they are drawn alike.

    An image whose guess had the probability p in the last round has the weight (1 - p) ^ train.focus. The model learns
    most from images that it is not sure of.
    """
    if not train.focus or labeled.doubt is None or not len(index_n):
        return None
    doubt_n = np.nan_to_num(labeled.doubt[index_n].astype(np.float64), nan=0.0, neginf=SURE)
    return Draw(np.exp(train.focus * np.maximum(doubt_n, SURE)), on)


def without_auto_labels(train: Train) -> Train:
    """Return the recipe of a round without auto labels: the consistency loss takes their places in a batch."""
    hand = round(train.batch * train.hand_share)
    spare = train.batch - hand if hand else 0
    return train.model_copy(update={"batch": train.batch - spare, "consistency_batch": train.consistency_batch + spare})


def epochs(train: Train, hand_n: Tensor, draw: Draw | None = None) -> Iterator[Iterator[Tensor]]:
    """Yield endless epochs. Each epoch yields batches, which are positions among the n training images.

    If train.steps is None, an epoch goes through all images once in random order, and its last batch can be smaller.

    If train.steps is set, all batches are full. The share `train.hand_share` of each batch is drawn from the hand
    labels, and the rest from the other labels. Both parts go through their images in one random order after another,
    unless `draw` draws the others. An epoch has at least MIN_STEPS batches, because the loss is read once per epoch,
    which must not slow down training.

    Nothing is drawn before the first batch of an epoch is requested.

    Args:
        train: The recipe.
        hand_n: bool [n], on the device, whether a human labeled the image.
        draw: Draws from the images that no human labeled. It is not used if train.hand_share is 0.
    """
    total = len(hand_n)
    on = hand_n.device
    if train.steps is None:
        while True:
            yield _shuffled(total, train.batch, on)
    everything, hand, others = (mask.nonzero().squeeze(1) for mask in (hand_n | True, hand_n, ~hand_n))
    fixed = round(train.batch * train.hand_share) if len(hand) and len(others) else 0
    if fixed:
        rest = train.batch - fixed
        parts = [_cycle(hand, fixed), _cycle(others, rest) if draw is None else _drawn(others, draw, rest)]
    else:
        parts = [_cycle(everything, train.batch)]
    stream = (torch.cat(batch) for batch in zip(*parts, strict=True))
    while True:
        yield islice(stream, max(MIN_STEPS, ceil(total / train.batch)))


def _shuffled(total: int, size: int, on: torch.device) -> Iterator[Tensor]:
    """Yield the numbers from 0 to total - 1 in random order, `size` at a time. The last batch can be smaller."""
    yield from torch.split(torch.randperm(total, device=on), size)


def _cycle(positions: Tensor, size: int) -> Iterator[Tensor]:
    """Yield `size` positions at a time, without end. Every position comes once before any position comes again."""
    left = positions[:0]
    while True:
        while len(left) < size:
            left = torch.cat([left, positions[torch.randperm(len(positions), device=positions.device)]])
        yield left[:size]
        left = left[size:]


def _drawn(positions: Tensor, draw: Draw, size: int) -> Iterator[Tensor]:
    """Yield `size` drawn positions at a time, without end."""
    while True:
        yield positions[draw(size)]
