"""Which images to ask the human about before there is a model: typical ones, all different.

Shape letters: N images, C channels, H height, W width, D pixels and channels of a small image, F features, n points, m
labeled ones, k clusters, s points of one cluster.
"""

from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alearn.policy.spread import clusters
from alearn.values import Array, Images

NEIGHBOURS = 20
"""As in the paper."""

CROWD = 2048
"""Of a cluster larger than that a random part stands for it: distances within are its square."""

SIDE = 14
"""Pixels, of the small images that `pixel_features` looks at: strokes and shapes are left, and noise is gone."""

SAMPLE = 20_000
"""Images from which `pixel_features` learns what varies."""

PIXELS = 1 << 22
"""Pixels that are in memory as floats at a time."""


def typical(
    features_nf: Tensor, count: int, generator: np.random.Generator, labeled_features_mf: Tensor | None = None
) -> Array:
    """The most typical images of the largest clusters without a labeled one: TypiClust (Hacohen, Dekel and Weinshall
    2022). Their features are clustered, labeled ones too, in m + count clusters; typical is who has the least mean
    distance to its NEIGHBOURS nearest neighbours in its cluster.

    features_nf: float32 [n, F]; labeled_features_mf: [m, F]. Returns int64 [min(count, n)], positions, those of the
    largest clusters first. Where clusters do not suffice those with the fewest labeled ones follow, and then the second
    most typical images.
    """
    n, count = len(features_nf), min(count, len(features_nf))
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
    """How many to take from each cluster: one from each in their order, and again, until there are `count`."""
    share_k = np.zeros_like(size_k)
    while missing := count - int(share_k.sum()):
        share_k[np.flatnonzero(share_k < size_k)[:missing]] += 1
    return share_k


def _densest(features_nf: Tensor, members_s: Array, count: int, generator: np.random.Generator) -> Array:
    """The `count` of the members with the nearest neighbours among them, these first."""
    size = max(CROWD, count)
    if len(members_s) > size:
        members_s = np.sort(generator.choice(members_s, size, replace=False))
    points_sf = features_nf[torch.from_numpy(members_s).to(features_nf.device)]
    apart_ss = torch.cdist(points_sf, points_sf).fill_diagonal_(torch.inf)
    neighbours = min(NEIGHBOURS, max(1, len(members_s) - 1))  # one that is alone has itself, infinitely far
    mean_s = apart_ss.topk(neighbours, largest=False, sorted=False).values.mean(1)
    return members_s[np.argsort(mean_s.cpu().numpy(), kind="stable")[:count]]


def pixel_features(images_nchw: Images, generator: np.random.Generator, dims: int = 40) -> Tensor:
    """Images as points without a model: made small (SIDE x SIDE), then their first principal components.

    images_nchw: uint8 [N, C, H, W]. Returns float32 [N, dims] (fewer, if a small image has fewer values), where the
    images lie. The components are those of a random SAMPLE.
    """
    index = np.arange(len(images_nchw))
    if len(index) > SAMPLE:
        index = np.sort(generator.choice(index, SAMPLE, replace=False))
    sample_sd = torch.cat([_small(images_nchw[i]) for i in _chunks(images_nchw, index)])
    mean_d = sample_sd.mean(0)
    sample_sd -= mean_d
    _, axes_dd = torch.linalg.eigh(sample_sd.T @ sample_sd)  # the largest last
    axes_df = axes_dd[:, -dims:].flip(1)
    found_nf = torch.empty(len(images_nchw), axes_df.shape[1], device=images_nchw.device)
    for i in _chunks(images_nchw, np.arange(len(images_nchw))):
        found_nf[i] = (_small(images_nchw[i]) - mean_d) @ axes_df
    return found_nf


def _chunks(images_nchw: Images, index: Array) -> tuple[Tensor, ...]:
    return torch.split(torch.from_numpy(index).to(images_nchw.device), max(1, PIXELS // prod(images_nchw.shape[1:])))


def _small(images_bchw: Tensor) -> Tensor:
    """Floats in [0, 1]: [B, D]."""
    height, width = images_bchw.shape[2:]
    return F.adaptive_avg_pool2d(images_bchw.float(), (min(SIDE, height), min(SIDE, width))).flatten(1) / 255
