"""Choose points that are spread out, and cluster points, without the matrix of all distances.

Points are float32 tensors on any device, and the arithmetic runs on that device. The random numbers come from NumPy's
generator, so they do not depend on the device. Distances are Euclidean; `squared` in a name means squared distances.

Shape letters: n points, k centres, c picks, F features.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alearn.values import Array

ELEMENTS = 1 << 22
"""The most distances that are in memory at a time: 16 MB."""

SAMPLE = 20_000
SAMPLE_PER_CENTRE = 32
"""The centres are computed from a random sample of SAMPLE points, or of SAMPLE_PER_CENTRE points per centre if that is
more."""

ITERATIONS = 10
"""The iterations of Lloyd's algorithm. It starts near its optimum, and a better one would not improve the choice of
images."""

CENTRES = 256
"""The most clusters of one step. More are computed in two steps, because the time of a step is points x clusters."""


def nearest(points_nf: Tensor, centres_kf: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared distance of each point to its nearest centre, float32 [n], and that centre, int64 [n]."""
    n = len(points_nf)
    squared_n = torch.empty(n, dtype=torch.float32, device=points_nf.device)
    which_n = torch.empty(n, dtype=torch.int64, device=points_nf.device)
    norm_k = _norms(centres_kf)
    turned_fk = centres_kf.T
    rows = max(1, ELEMENTS // len(centres_kf))
    for start in range(0, n, rows):
        here = slice(start, start + rows)
        torch.min(torch.addmm(norm_k, points_nf[here], turned_fk, alpha=-2), 1, out=(squared_n[here], which_n[here]))
    return squared_n.add_(_norms(points_nf)).clamp_(min=0), which_n


def farthest(points_nf: Tensor, squared_n: Tensor, count: int) -> Array:
    """Pick the point that is farthest from all points picked so far, `count` times.

    This is k-center greedy (Gonzalez 1985). If balls around the picked points shall cover all points, their radius is
    at most twice the smallest radius that `count` balls around points can have.

    Args:
        points_nf: the points, float32 [n, F].
        squared_n: the squared distance of each point to the nearest centre before the first pick, float32 [n].
        count: how many points to pick.

    Returns:
        The picked points in the order of picking, int64 [min(count, n)]. Ties go to the lower position.
    """
    near_n = squared_n.clone()
    norm_n = _norms(points_nf)
    picked_c = torch.empty(min(count, len(points_nf)), dtype=torch.int64, device=points_nf.device)
    for step in range(len(picked_c)):  # without waiting for the device
        at_1 = near_n.argmax().view(1)
        picked_c[step : step + 1] = at_1
        torch.minimum(near_n, _squared((points_nf,), norm_n, at_1), out=near_n)
        near_n.index_fill_(0, at_1, -torch.inf)
    return picked_c.cpu().numpy()


def scattered(factors: Sequence[Tensor], count: int, generator: np.random.Generator, first: int | None = None) -> Array:
    """Draw points one after the other with k-means++ (Arthur and Vassilvitskii 2007).

    The probability of a point is proportional to its squared distance to the nearest point drawn before.

    Args:
        factors: a point is the outer product of its rows in these tensors, each [n, F] with its own F. The product is
            never computed, because <a b, c d> = <a, c> <b, d>.
        count: how many points to draw.
        generator: the source of randomness.
        first: the first point. None begins with the point farthest from the origin, and treats the origin like a drawn
            point.

    Returns:
        The drawn points in the order of drawing, int64 [min(count, n)]. When all other points equal drawn points, those
        at the lowest positions follow.
    """
    norm_n = _norms(factors[0])
    for factor in factors[1:]:
        norm_n = norm_n * _norms(factor)
    near_n = norm_n.clone() if first is None else torch.full_like(norm_n, torch.inf)
    picked = list[int]()
    for uniform in generator.random(min(count, len(norm_n))):
        weight_n = near_n.cpu().numpy()
        if not picked:
            at = int(weight_n.argmax()) if first is None else first
        elif weight_n.any():
            at = draw(weight_n, uniform)
        else:
            at = min(set(range(len(picked) + 1)) - set(picked))
        picked.append(at)
        at_1 = torch.tensor([at], device=norm_n.device)
        torch.minimum(near_n, _squared(factors, norm_n, at_1), out=near_n)
        near_n.index_fill_(0, at_1, 0)
    return np.array(picked, np.int64)


def draw(weight_n: Array, uniform: float) -> int:
    """Return a position, drawn with a probability proportional to its weight.

    NumPy computes this, because a cumulative sum on a GPU does not repeat bit for bit.

    Args:
        weight_n: the weights, [n]; at least one weight is not 0.
        uniform: a random number from [0, 1).
    """
    cumulative_n = np.cumsum(weight_n, dtype=np.float64)
    return int(np.searchsorted(cumulative_n, uniform * cumulative_n[-1], side="right"))


def clusters(points_nf: Tensor, count: int, generator: np.random.Generator) -> Array:
    """Cluster points by k-means: Lloyd's algorithm on a sample, which k-means++ initializes.

    Above CENTRES clusters, it first computes a few large clusters and then divides each of them. In this case the
    number of clusters only approximates `count`.

    Args:
        points_nf: the points, float32 [n, F].
        count: the number of clusters; at most n are made.
        generator: the source of randomness.

    Returns:
        The cluster of each point, int64 [n], from 0. Some clusters may be empty.
    """
    n = len(points_nf)
    count = min(count, n)
    if count <= CENTRES:
        return _flat(points_nf, count, generator)
    groups = ceil(count / CENTRES)
    total = 0
    group_n = _flat(points_nf, groups, generator)
    cluster_n = np.zeros(n, np.int64)
    for group in range(groups):
        inside = np.flatnonzero(group_n == group)
        if len(inside):
            share = max(1, round(count * len(inside) / n))
            cluster_n[inside] = total + _flat(points_nf[_index(inside, points_nf)], share, generator)
            total += share
    return cluster_n


def _flat(points_nf: Tensor, count: int, generator: np.random.Generator) -> Array:
    n = len(points_nf)
    size = max(SAMPLE, SAMPLE_PER_CENTRE * count)
    sample_sf = points_nf
    if n > size:
        sample_sf = points_nf[_index(np.sort(generator.choice(n, size, replace=False)), points_nf)]
    start = scattered((sample_sf,), count, generator, first=int(generator.integers(len(sample_sf))))
    centres_kf = sample_sf[_index(start, points_nf)]
    number_k = torch.arange(count, device=points_nf.device)
    for _ in range(ITERATIONS):
        which_s, order_s = nearest(sample_sf, centres_kf)[1].sort(stable=True)
        begin_k = torch.searchsorted(which_s, number_k)
        there_k = torch.searchsorted(which_s, number_k, right=True) > begin_k
        # embedding_bag computes the means without atomic additions, so they repeat bit for bit on a GPU
        mean_kf = F.embedding_bag(order_s, sample_sf, begin_k, mode="mean")
        centres_kf = torch.where(there_k[:, None], mean_kf, centres_kf)
    cluster_n: Array = nearest(points_nf, centres_kf)[1].cpu().numpy()
    return cluster_n


def _index(positions: Array, of: Tensor) -> Tensor:
    return torch.from_numpy(positions).to(of.device)


def _squared(factors: Sequence[Tensor], norm_n: Tensor, at_1: Tensor) -> Tensor:
    """Return the squared distance of every point to the point at `at_1`, float32 [n]."""
    inner_n = torch.mv(factors[0], factors[0].index_select(0, at_1)[0])
    for factor in factors[1:]:
        inner_n *= torch.mv(factor, factor.index_select(0, at_1)[0])
    return inner_n.mul_(-2).add_(norm_n).add_(norm_n.index_select(0, at_1)).clamp_(min=0)


def _norms(points_nf: Tensor) -> Tensor:
    norm_n: Tensor = torch.linalg.vector_norm(points_nf, dim=1)
    return norm_n.square_()
