"""Find images that look alike, by the features of a pretrained network if there are any, else as small pictures.

Neither depends on an answer, so a blind audit may use it.
"""

import numpy as np
import torch
from torch.nn import functional as F

from alearn.values import Array, Images

SIDE = 12
"""The side of a small picture in pixels."""
AMONG = 1000
"""The most images that one call compares. The limit makes the first grid of a large batch appear soon."""
CHUNK = 128


class Looks:
    """What images are compared by. It is computed or read when it is first needed."""

    def __init__(self, images: Images) -> None:
        """images: all images, uint8 [N, C, H, W], or their features, float16 [N, F]."""
        self._images = images
        self._small: dict[int, Array] = {}

    def alike(self, index: int, among: list[int], count: int) -> list[int]:
        """Return the `count` images of `among` that look most like `index`, the nearest first.

        Only the first AMONG images of `among` are compared.
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
            chunk = new[start : start + CHUNK]
            images = self._images[torch.tensor(chunk, device=self._images.device)]
            if images.dtype == torch.uint8:
                small = F.adaptive_avg_pool2d(images.float() / 255, SIDE).flatten(1)
            else:
                small = F.normalize(images.float())
            self._small |= zip(chunk, small.cpu().numpy(), strict=True)
