"""Which images look alike: their distance as small pictures. No model is asked, so a blind audit may use it, too."""

import numpy as np
import torch
from torch.nn import functional as F

from alearn.values import Array, Images

SIDE = 12
"""Pixels of a small picture's side."""
AMONG = 1000
"""Images that are compared at a time, so that the first grid of a large batch comes soon, too."""
CHUNK = 128


class Looks:
    """Small pictures of a data set's images, made when they are first needed."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._small: dict[int, Array] = {}

    def alike(self, index: int, among: list[int], count: int) -> list[int]:
        """The `count` of the images `among` that look most like `index`, the nearest first; of many the first AMONG
        are looked at.
        """
        among = among[:AMONG]
        if not among or count < 1:
            return []
        self._draw([index, *among])
        distance = np.square(np.stack([self._small[i] for i in among]) - self._small[index]).sum(1)
        return [among[i] for i in np.argsort(distance, kind="stable")[:count]]

    def _draw(self, index: list[int]) -> None:
        new = [i for i in index if i not in self._small]
        for start in range(0, len(new), CHUNK):
            some = new[start : start + CHUNK]
            images = self._images[torch.tensor(some, device=self._images.device)].float() / 255
            for i, small in zip(some, F.adaptive_avg_pool2d(images, SIDE).flatten(1).cpu().numpy(), strict=True):
                self._small[i] = small
