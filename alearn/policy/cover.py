"""Find the kinds of images about which the model is sure although it has seen no label of their like.

Shape letters: n sure images, F features, m images with a hand label, f images that are far from all of these.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alearn.policy.first import typical
from alearn.policy.spread import nearest
from alearn.values import Array

FAR = 0.1
"""The share of the sure images that count as far from the hand labels. On MNIST after 50 and 60 random labels, two
networks took 630 and 695 sevens with a bar, 1 % of all images, for twos. They were most of the wrong 8 % and 9 % of the
farthest tenth, and filled one of ten clusters there."""


def unlike(features_nf: Tensor, labeled_mf: Tensor, count: int, generator: np.random.Generator) -> Array:
    """Return typical images of those that are least like all labeled ones, one from each of `count` clusters.

    A network that has learned from a few labels takes a kind of images that none of them shows for whatever is nearest
    to it, and learns that from its own guesses. It is sure then, so no question about doubtful images and hardly a
    random one finds this kind. But its features still tell these images apart.

    Args:
        features_nf: The features of images that the model is sure of, float32 [n, F].
        labeled_mf: Those of the images with a hand label, float32 [m, F]; at least one.
        count: How many images to choose.
        generator: The source of randomness.

    Returns:
        Positions in `features_nf`, int64 [min(count, n)].
    """
    n = len(features_nf)
    count = min(count, n)
    points_nf = F.normalize(features_nf)
    squared_n, _ = nearest(points_nf, F.normalize(labeled_mf))
    far_f = squared_n.topk(max(count, round(FAR * n))).indices
    picked: Array = far_f[torch.from_numpy(typical(points_nf[far_f], count, generator)).to(far_f.device)].cpu().numpy()
    return picked
