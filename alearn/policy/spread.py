"""Points that are spread out, and clusters of points, without a matrix of distances between all of them.

Points are float32 tensors on any device, where all arithmetic stays; numbers are drawn from NumPy's generator, so that
picks do not depend on it. Distances are Euclidean, and squared where it says so.

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
"""Distances that are in memory at a time: 16 MB."""

SAMPLE, SAMPLE_A_CENTRE = 20_000, 32
"""Centres are found on a random sample of this many points, or so many a centre if that is more."""

ITERATIONS = 10
"""Of Lloyd's algorithm. It starts near its end, and a better optimum would not be a better sample of images."""

CENTRES = 256
"""More clusters than that are made in two steps, for the time of one is points x clusters."""


def nearest(points_nf: Tensor, centres_kf: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance from each point to the nearest of the centres, float32 [n], and which one that is, int64 [n]."""
    n = len(points_nf)
    squared_n = torch.empty(n, dtype=torch.float32, device=points_nf.device)
    which_n = torch.empty(n, dtype=torch.int64, device=points_nf.device)
    norm_k, turned_fk = _norms(centres_kf), centres_kf.T
    rows = max(1, ELEMENTS // len(centres_kf))
    for start in range(0, n, rows):
        here = slice(start, start + rows)
        torch.min(torch.addmm(norm_k, points_nf[here], turned_fk, alpha=-2), 1, out=(squared_n[here], which_n[here]))
    return squared_n.add_(_norms(points_nf)).clamp_(min=0), which_n


def farthest(points_nf: Tensor, squared_n: Tensor, count: int) -> Array:
    """The point that is farthest from all picked so far, `count` times over (all, if there are fewer): k-center greedy
    (Gonzalez 1985), within twice of the smallest radius that so many balls around points can have.

    squared_n: squared distance to the nearest centre before the first pick. Returns int64 [c], in the order of picking;
    the lower one of two that are equally far.
    """
    near_n, norm_n = squared_n.clone(), _norms(points_nf)
    picked_c = torch.empty(min(count, len(points_nf)), dtype=torch.int64, device=points_nf.device)
    for step in range(len(picked_c)):  # without waiting for the device
        at_1 = near_n.argmax().view(1)
        picked_c[step : step + 1] = at_1
        torch.minimum(near_n, _squared((points_nf,), norm_n, at_1), out=near_n)
        near_n.index_fill_(0, at_1, -torch.inf)
    return picked_c.cpu().numpy()


def scattered(factors: Sequence[Tensor], count: int, generator: np.random.Generator, first: int | None = None) -> Array:
    """Points drawn one after the other, each with a probability proportional to its squared distance from those drawn
    before: k-means++ (Arthur and Vassilvitskii 2007).

    factors: a point is the outer product of its rows in these, which are [n, F] with any F of their own. The product is
    never made, for <a b, c d> = <a, c> <b, d>. first: where to begin; None begins with the point farthest from the
    origin, and keeps away from the origin as from a drawn point. Returns int64 [min(count, n)], in the order of
    drawing; once all that is left lies on drawn points, the lower ones.
    """
    norm_n = _norms(factors[0])
    for factor in factors[1:]:
        norm_n = norm_n * _norms(factor)
    near_n, picked = norm_n.clone() if first is None else torch.full_like(norm_n, torch.inf), list[int]()
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
    """A position with a probability proportional to its weight; uniform: from [0, 1). Not all weights are 0.

    In NumPy, for on a GPU a cumulative sum does not repeat bit for bit.
    """
    cumulative_n = np.cumsum(weight_n, dtype=np.float64)
    return int(np.searchsorted(cumulative_n, uniform * cumulative_n[-1], side="right"))


def clusters(points_nf: Tensor, count: int, generator: np.random.Generator) -> Array:
    """The cluster of each point: int64 [n], 0 and up, `count` of them (as many as points, if there are fewer; some may
    be empty). Above CENTRES they are clusters of clusters, each with its share, and `count` is met roughly.

    k-means: Lloyd's algorithm on a sample, from k-means++.
    """
    n, count = len(points_nf), min(count, len(points_nf))
    if count <= CENTRES:
        return _flat(points_nf, count, generator)
    groups, made = ceil(count / CENTRES), 0
    group_n, cluster_n = _flat(points_nf, groups, generator), np.zeros(n, np.int64)
    for group in range(groups):
        inside = np.flatnonzero(group_n == group)
        if len(inside):
            share = max(1, round(count * len(inside) / n))
            cluster_n[inside] = made + _flat(points_nf[_index(inside, points_nf)], share, generator)
            made += share
    return cluster_n


def _flat(points_nf: Tensor, count: int, generator: np.random.Generator) -> Array:
    n, size = len(points_nf), max(SAMPLE, SAMPLE_A_CENTRE * count)
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
        # a bag is a mean without atomic additions, so it repeats bit for bit on a GPU
        mean_kf = F.embedding_bag(order_s, sample_sf, begin_k, mode="mean")
        centres_kf = torch.where(there_k[:, None], mean_kf, centres_kf)
    found: Array = nearest(points_nf, centres_kf)[1].cpu().numpy()
    return found


def _index(positions: Array, of: Tensor) -> Tensor:
    return torch.from_numpy(positions).to(of.device)


def _squared(factors: Sequence[Tensor], norm_n: Tensor, at_1: Tensor) -> Tensor:
    """Squared distance of every point to the one at `at_1`."""
    inner_n = torch.mv(factors[0], factors[0].index_select(0, at_1)[0])
    for factor in factors[1:]:
        inner_n *= torch.mv(factor, factor.index_select(0, at_1)[0])
    return inner_n.mul_(-2).add_(norm_n).add_(norm_n.index_select(0, at_1)).clamp_(min=0)


def _norms(points_nf: Tensor) -> Tensor:
    norm_n: Tensor = torch.linalg.vector_norm(points_nf, dim=1)
    return norm_n.square_()
