"""Make some classes of a data set rare (a long-tailed data set)."""

import numpy as np

from alearn.config import Imbalance
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.values import Array


def thinned(pool: ImageSet, config: Imbalance, generator: np.random.Generator) -> ImageSet:
    """Return the pool with fewer images of some classes, in the original order.

    `sizes` gives the number of images of each class; n_max is the number of images of the smallest class. The generator
    draws which classes become rare and which of their images stay. Raise AlearnError if a class would lose all of its
    images.
    """
    assert pool.truth is not None
    there = np.bincount(pool.truth, minlength=len(pool.classes))
    counts = sizes(config.shape, config.factor, int(there.min()), len(there))
    if counts.min() < 1:
        raise AlearnError(
            f"data.imbalance.factor={config.factor:g}: leaves no image of the rarest class; the smallest class, "
            f"{pool.classes[int(there.argmin())]}, has {there.min()} images, so it must be at most {there.min()}"
        )
    counts = generator.permutation(counts)
    kept = [generator.choice(np.flatnonzero(pool.truth == k), count, replace=False) for k, count in enumerate(counts)]
    return pool.subset(np.sort(np.concatenate(kept)))


def sizes(shape: str, factor: float, n_max: int, classes: int) -> Array:
    """Return the number of images of each class, int64 [classes], largest first, rounded down.

    "exponential": n_max x factor^(-k / (classes - 1)) for k = 0, 1, ... (Cui et al., "Class-Balanced Loss Based on
    Effective Number of Samples", CVPR 2019). "step": n_max for the first half of the classes, n_max / factor for the
    second half (Buda et al., "A systematic study of the class imbalance problem in convolutional neural networks",
    2018). If the number of classes is odd, the second half has one class more.
    """
    k: Array = np.arange(classes)
    share = k / max(1, classes - 1) if shape == "exponential" else k >= classes // 2
    exact = n_max * factor ** -share.astype(float)
    return np.floor(exact + 1e-9).astype(np.int64)  # 5000 / 100 must be 50, despite rounding errors
