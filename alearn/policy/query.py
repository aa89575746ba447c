"""The query strategies choose the images that the human labels.

A strategy gets the scores of the pool, the number of images, and a random generator, and depends on nothing else. It
returns positions in `Scores`, int64 [min(count, n)], most wanted first. Ties go to the lower position. Its memory does
not grow with n x n. It is registered with what it needs from `Scores` besides guess, doubt and margin.

Shape letters: n images, m labeled images, K classes, F features.
"""

import numpy as np
import torch
from torch import Tensor

from alearn.policy.first import typical
from alearn.policy.spread import ELEMENTS, farthest, nearest, scattered
from alearn.registry import register_query
from alearn.values import Array, Scores


@register_query("random")
def random(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose random images. This is the baseline for the other strategies."""
    return generator.permutation(len(scores))[:count]


@register_query("least_confidence")
def least_confidence(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose the least p_1st (Lewis and Gale 1994). `doubt` orders the images even where p_1st is 1 in float32."""
    return largest(scores.doubt, count)


@register_query("margin")
def margin(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose the least p_1st - p_2nd (Scheffer, Decomain and Wrobel 2001): the model hesitates between two classes."""
    return largest(-scores.margin, count)


@register_query("entropy", needs={"probs"})
def entropy(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose the largest entropy of the prediction, -sum p log p (Shannon 1948; Settles 2009, section 3.1)."""
    assert scores.probs is not None
    chunks = torch.split(scores.probs, max(1, ELEMENTS // scores.probs.shape[1]))
    return largest(torch.cat([torch.special.entr(p_bk).sum(1) for p_bk in chunks]).cpu().numpy(), count)


@register_query("bald", needs={"information"})
def bald(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose the largest mutual information of prediction and weights, H[E p] - E H[p] (Houlsby et al. 2011).

    It is large if the models that fit the labels disagree, but not if the image is unclear to each of them.
    """
    assert scores.information is not None
    return largest(scores.information, count)


@register_query("coreset", needs={"features"})
def coreset(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose the images farthest from every labeled image and from each other.

    This is k-center greedy in feature space (Sener and Savarese 2018). At least one image must be labeled.
    """
    assert scores.features is not None
    assert scores.labeled_features is not None
    squared_n, _ = nearest(scores.features, scores.labeled_features)
    return farthest(scores.features, squared_n, count)


@register_query("badge", needs={"probs", "features"})
def badge(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose images whose training would move the weights of the head far and in many directions.

    This is k-means++ on the gradients of the loss for the guess, (p - onehot(guess)) x features, the longest gradient
    first (Ash et al. 2020). Unlike the paper, it also keeps away from zero. The paper's version would spend a query on
    one of the many images about which the model is sure.
    """
    assert scores.probs is not None
    assert scores.features is not None
    guess_n = torch.from_numpy(scores.guess).to(scores.probs.device)
    residual_nk = scores.probs.scatter_add(1, guess_n[:, None], -torch.ones_like(scores.probs[:, :1]))
    return scattered((residual_nk, scores.features), count, generator)


@register_query("typiclust", needs={"features"})
def typiclust(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Choose typical images of clusters without a labeled image: TypiClust (Hacohen, Dekel and Weinshall 2022).

    It is for budgets so small that the doubt of the model is misleading. See `alearn.policy.first.typical`.
    """
    assert scores.features is not None
    return typical(scores.features, count, generator, scores.labeled_features)


def diverse(features_nf: Tensor, count: int, generator: np.random.Generator) -> Array:
    """Choose `count` images that differ from each other among candidates, which a strategy has ranked.

    k-means++ draws them by their features and begins with the most wanted image. So this first filters by doubt and
    then spreads over clusters, as in Zhdanov (2019), but takes the drawn centres instead of the cluster centres.

    Args:
        features_nf: the features of the candidates, float32 [n, F], the most wanted first.
        count: how many images to choose.
        generator: the source of randomness.

    Returns:
        Positions in `features_nf`, ascending, int64 [min(count, n)].
    """
    return np.sort(scattered((features_nf,), count, generator, first=0))


def largest(value_n: Array, count: int) -> Array:
    """Return the positions of the `count` largest values, the largest first. Ties go to the lower position."""
    cost_n = -value_n
    if 0 < count < len(cost_n):  # of millions of values, sort those that can be among them only
        edge = np.partition(cost_n, count - 1)[count - 1]
        at = np.flatnonzero(~(cost_n > edge))  # nan, which is last, keeps all
        return at[np.argsort(cost_n[at], kind="stable")[:count]]
    return np.argsort(cost_n, kind="stable")[:count]
