"""Choose the images that the human labels before there is a model: typical images that differ from each other.

Shape letters: N images, C channels, H height, W width, D values of a small image (pixels x channels), F features,
n points, m labeled points, k clusters, s points of one cluster.
"""

from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alearn.policy.spread import clusters
from alearn.values import Array, Images

NEIGHBOURS = 20
"""The number of nearest neighbours, as in the paper."""

CROWD = 2048
"""The most points of a cluster that are compared. A random sample replaces a larger cluster, because the number of
distances grows with the square of its size."""

SIDE = 14
"""The side in pixels of the small images for `pixel_features`. At this size strokes and shapes remain, but no noise."""

SAMPLE = 20_000
"""The most images from which `pixel_features` computes the principal components."""

FEATURES = 30_000
"""The most images that are compared by the features of a backbone. A random sample replaces more of them, to bound the
memory."""

PIXELS = 1 << 22
"""The most pixels that are in memory as floats at a time."""


def typical(
    features_nf: Tensor, count: int, generator: np.random.Generator, labeled_features_mf: Tensor | None = None
) -> Array:
    """Return the most typical images of the largest clusters without a labeled image.

    This is TypiClust (Hacohen, Dekel and Weinshall 2022). It clusters all features, also those of labeled images, into
    m + count clusters. The most typical image of a cluster has the least mean distance to its NEIGHBOURS nearest
    neighbours in the cluster. If there are not enough clusters without a labeled image, the clusters with the fewest
    labeled images follow, and then the second most typical images.

    Args:
        features_nf: the features of the images, float32 [n, F].
        count: how many images to choose.
        generator: the source of randomness.
        labeled_features_mf: the features of the labeled images, float32 [m, F].

    Returns:
        Positions in `features_nf`, int64 [min(count, n)], those of the largest clusters first.
    """
    n = len(features_nf)
    count = min(count, n)
    points = features_nf if labeled_features_mf is None else torch.cat([features_nf, labeled_features_mf])
    cluster_n = clusters(points, len(points) - n + count, generator)
    size_k = np.bincount(cluster_n[:n], minlength=int(cluster_n.max()) + 1)
    labeled_k = np.bincount(cluster_n[n:], minlength=len(size_k))
    members = np.split(np.argsort(cluster_n[:n], kind="stable"), np.cumsum(size_k)[:-1])
    order_k = np.lexsort((-size_k, labeled_k))
    picked = []
    for rank, (cluster, share) in enumerate(zip(order_k, _in_turns(size_k[order_k], count), strict=True)):
        if share:
            best = _densest(features_nf, members[cluster], share, generator)
            picked += [(turn, rank, at) for turn, at in enumerate(best.tolist())]
    return np.array([at for _, _, at in sorted(picked)], np.int64)


def _in_turns(size_k: Array, count: int) -> Array:
    """Return how many images to take from each cluster, int64 [k].

    One turn takes one image from each cluster in their order. The turns continue until there are `count` images.
    """
    share_k = np.zeros_like(size_k)
    while missing := count - int(share_k.sum()):
        share_k[np.flatnonzero(share_k < size_k)[:missing]] += 1
    return share_k


def _densest(features_nf: Tensor, members_s: Array, count: int, generator: np.random.Generator) -> Array:
    """Return the `count` members with the least mean distance to their nearest neighbours, the least first."""
    size = max(CROWD, count)
    if len(members_s) > size:
        members_s = np.sort(generator.choice(members_s, size, replace=False))
    points_sf = features_nf[torch.from_numpy(members_s).to(features_nf.device)]
    apart_ss = torch.cdist(points_sf, points_sf).fill_diagonal_(torch.inf)
    neighbours = min(NEIGHBOURS, max(1, len(members_s) - 1))  # a single member has only itself, at infinite distance
    mean_s = apart_ss.topk(neighbours, largest=False, sorted=False).values.mean(1)
    return members_s[np.argsort(mean_s.cpu().numpy(), kind="stable")[:count]]


def typical_images(images: Images, pool: Array, labeled: Array, count: int, generator: np.random.Generator) -> Array:
    """Return the most typical images of the pool that differ from each other and from the labeled ones, int64 [count].

    Images are compared by the features of a backbone scaled to length 1, as in the paper, or else by `pixel_features`.

    Args:
        images: All images, uint8 [N, C, H, W], or their features, float16 [N, F].
        pool: The images to choose from, int64 [n].
        labeled: The images that are labeled already, int64 [m].
        count: How many images to choose; at most n.
        generator: The source of randomness.
    """
    if images.dtype == torch.uint8:
        features_nf = pixel_features(images, generator)
        at_n, at_m = (torch.from_numpy(i).to(images.device) for i in (pool, labeled))
        points_nf = features_nf[at_n]
        labeled_mf = features_nf[at_m]
    else:
        if len(pool) > FEATURES:
            pool = np.sort(generator.choice(pool, max(FEATURES, count), replace=False))
        at_n, at_m = (torch.from_numpy(i).to(images.device) for i in (pool, labeled))
        points_nf = F.normalize(images[at_n].float())
        labeled_mf = F.normalize(images[at_m].float())
    chosen: Array = pool[typical(points_nf, count, generator, labeled_mf if len(labeled) else None)]
    return chosen


def pixel_features(images_nchw: Images, generator: np.random.Generator, dims: int = 40) -> Tensor:
    """Return features of images without a model: the first principal components of the images at SIDE x SIDE pixels.

    Args:
        images_nchw: the images, uint8 [N, C, H, W].
        generator: draws the SAMPLE images from which the components are computed.
        dims: the number of components.

    Returns:
        The features, float32 [N, dims], or fewer columns if a small image has fewer values. They are on the device of
        the images.
    """
    index = np.arange(len(images_nchw))
    if len(index) > SAMPLE:
        index = np.sort(generator.choice(index, SAMPLE, replace=False))
    sample_sd = torch.cat([_small(images_nchw[i]) for i in _chunks(images_nchw, index)])
    mean_d = sample_sd.mean(0)
    sample_sd -= mean_d
    _, axes_dd = torch.linalg.eigh(sample_sd.T @ sample_sd)  # the largest component is last
    axes_df = axes_dd[:, -dims:].flip(1)
    features_nf = torch.empty(len(images_nchw), axes_df.shape[1], device=images_nchw.device)
    for i in _chunks(images_nchw, np.arange(len(images_nchw))):
        features_nf[i] = (_small(images_nchw[i]) - mean_d) @ axes_df
    return features_nf


def _chunks(images_nchw: Images, index: Array) -> tuple[Tensor, ...]:
    return torch.split(torch.from_numpy(index).to(images_nchw.device), max(1, PIXELS // prod(images_nchw.shape[1:])))


def _small(images_bchw: Tensor) -> Tensor:
    """Return the images at SIDE x SIDE pixels as floats in [0, 1], [B, D]."""
    height, width = images_bchw.shape[2:]
    return F.adaptive_avg_pool2d(images_bchw.float(), (min(SIDE, height), min(SIDE, width))).flatten(1) / 255
