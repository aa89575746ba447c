"""Learn from images without labels, during training.

Shape letters: B batch, P images without a hand label.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alearn.config import Train
from alearn.data.augment import AUGMENT
from alearn.learn.batches import Draw
from alearn.learn.device import Runtime
from alearn.models.classifier import to_float
from alearn.values import Images


class Consistency:
    """The loss of FixMatch (Sohn et al. 2020, eq. 4).

    If the model is sure of its guess for an image, it should make the same guess for the distorted image. Auto labels
    are as old as the last round; these guesses, in contrast, improve together with the model.
    """

    def __init__(
        self, train: Train, runtime: Runtime, model: nn.Module, pool_p: Tensor, draw: Draw | None = None
    ) -> None:
        """Prepare the loss.

        Args:
            train: The recipe.
            runtime: The device and the precision.
            model: The model that learns.
            pool_p: int64 [P], indices of the images to learn from, on runtime.device; at least one.
            draw: Draws from them; None draws all alike.
        """
        self._train = train
        self._runtime = runtime
        self._model = model
        self._pool_p = pool_p
        self._draw = draw
        self._augment = AUGMENT[train.augment]

    def __call__(self, images_nchw: Images) -> Tensor:
        """Draw a batch and return its loss times train.consistency, a scalar on the device."""
        train = self._train
        pool_p = self._pool_p
        size = train.consistency_batch
        draw = self._draw
        drawn_b = torch.randint(len(pool_p), (size,), device=pool_p.device) if draw is None else draw(size)
        x_bchw = to_float(images_nchw[pool_p[drawn_b]])
        with torch.no_grad(), self._runtime.autocast():
            sure_b, guess_b = self._model(x_bchw).softmax(1).max(1)
        distorted_bchw = self._augment(x_bchw)
        with self._runtime.autocast():
            loss_b = F.cross_entropy(self._model(distorted_bchw), guess_b, reduction="none")
        loss: Tensor = (loss_b * (sure_b > train.confidence)).mean() * train.consistency
        return loss
