"""Learning from images without labels while training.

Shape letters: B batch, P images without a label of a human.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alearn.config import Train
from alearn.data.augment import AUGMENT
from alearn.learn.device import Runtime
from alearn.models.classifier import to_float
from alearn.values import Images


class Consistency:
    """What the model says of an image, if it is sure of it, it shall say of the distorted image too: FixMatch's loss
    (Sohn et al. 2020, eq. 4).

    Unlike auto labels, which are as old as the last round, these guesses get better while the model does.
    """

    def __init__(self, train: Train, runtime: Runtime, model: nn.Module, pool_p: Tensor) -> None:
        """pool_p: int64, indices of the images to learn from, on runtime.device; at least one."""
        self._train, self._runtime, self._model, self._pool_p = train, runtime, model, pool_p
        self._augment = AUGMENT[train.augment]

    def __call__(self, images_nchw: Images) -> Tensor:
        """The loss of a batch that is drawn now, a scalar on the device, times train.consistency."""
        train, pool_p = self._train, self._pool_p
        drawn_b = torch.randint(len(pool_p), (train.consistency_batch,), device=pool_p.device)
        x_bchw = to_float(images_nchw[pool_p[drawn_b]])
        with torch.no_grad(), self._runtime.autocast():
            sure_b, guess_b = self._model(x_bchw).softmax(1).max(1)
        distorted_bchw = self._augment(x_bchw)
        with self._runtime.autocast():
            loss_b = F.cross_entropy(self._model(distorted_bchw), guess_b, reduction="none")
        loss: Tensor = (loss_b * (sure_b > train.confidence)).mean() * train.consistency
        return loss
