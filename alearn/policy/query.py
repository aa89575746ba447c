"""Which images to ask the human about: positions into `Scores`, most wanted first.

A strategy takes what a model made of the pool, how many images are wanted, and where to draw random numbers from. It
depends on nothing else and returns int64 [min(count, n)]. Ties go to the lower position, and no memory grows with
n x n. A strategy is registered with what it needs of `Scores` beyond guess, doubt and margin.

Shape letters: n images, m labeled ones, K classes, F features.
"""

import numpy as np
import torch

from alearn.policy.first import typical
from alearn.policy.spread import ELEMENTS, farthest, nearest, scattered
from alearn.registry import register_query
from alearn.values import Array, Scores


@register_query("random")
def random(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Any: what the others have to beat."""
    return generator.permutation(len(scores))[:count]


@register_query("least_confidence")
def least_confidence(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """The least p_1st (Lewis and Gale 1994), told apart by `doubt` where p_1st is 1 in float32."""
    return _largest(scores.doubt, count)


@register_query("margin")
def margin(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """The least p_1st - p_2nd (Scheffer, Decomain and Wrobel 2001): two classes are in question."""
    return _largest(-scores.margin, count)


@register_query("entropy", needs={"probs"})
def entropy(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """The largest entropy of the prediction, -sum p log p (Shannon 1948; Settles 2009, section 3.1)."""
    assert scores.probs is not None
    chunks = torch.split(scores.probs, max(1, ELEMENTS // scores.probs.shape[1]))
    return _largest(torch.cat([torch.special.entr(p_bk).sum(1) for p_bk in chunks]).cpu().numpy(), count)


@register_query("bald", needs={"information"})
def bald(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """The largest mutual information of prediction and weights, H[E p] - E H[p] (Houlsby et al. 2011): in doubt because
    the models that fit the labels disagree, not because the image is unclear to each of them.
    """
    assert scores.information is not None
    return _largest(scores.information, count)


@register_query("coreset", needs={"features"})
def coreset(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Those that lie farthest from every labeled image and from each other: k-center greedy in feature space (Sener and
    Savarese 2018). At least one image must be labeled.
    """
    assert scores.features is not None
    assert scores.labeled_features is not None
    squared_n, _ = nearest(scores.features, scores.labeled_features)
    return farthest(scores.features, squared_n, count)


@register_query("badge", needs={"probs", "features"})
def badge(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Those whose training would move the head's weights far, and in many directions: k-means++ on the gradients of the
    loss for the guess, (p - onehot(guess)) x features (Ash et al. 2020), the longest one first. It keeps away from
    zero, too: the paper's would spend a question on one of the many images of which the model is sure.
    """
    assert scores.probs is not None
    assert scores.features is not None
    guess_n = torch.from_numpy(scores.guess).to(scores.probs.device)
    residual_nk = scores.probs.scatter_add(1, guess_n[:, None], -torch.ones_like(scores.probs[:, :1]))
    return scattered((residual_nk, scores.features), count, generator)


@register_query("typiclust", needs={"features"})
def typiclust(scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Typical images of what no labeled image stands for: TypiClust (Hacohen, Dekel and Weinshall 2022), for budgets so
    small that doubt leads astray. See `alearn.policy.first.typical`.
    """
    assert scores.features is not None
    return typical(scores.features, count, generator, scores.labeled_features)


def diverse(scores: Scores, ranked: Array, count: int, generator: np.random.Generator) -> Array:
    """Of the most wanted, `ranked` by a strategy, `count` that differ (all, if there are fewer), still by rank.

    They are drawn by k-means++ from the features, the first one being the most wanted: a filter by doubt, then clusters
    (Zhdanov 2019), with the drawn centres for the clusters' middles. Needs the features.
    """
    assert scores.features is not None
    candidates = scores.features[torch.from_numpy(ranked).to(scores.features.device)]
    chosen: Array = ranked[np.sort(scattered((candidates,), count, generator, first=0))]
    return chosen


def _largest(value_n: Array, count: int) -> Array:
    return np.argsort(-value_n, kind="stable")[:count]
