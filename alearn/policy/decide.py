"""A round's decisions: whom to ask about what, and what to take from the model."""

from math import ceil

import numpy as np
import torch

from alearn import rng
from alearn.config import Policy
from alearn.errors import AlearnError
from alearn.ledger import Ledger
from alearn.policy import query
from alearn.policy.first import pixel_features, typical
from alearn.registry import AUTO_RULES, QUERIES
from alearn.values import Array, Decision, Images, Limits, Scores


def check(policy: Policy, total: int, given: int = 0) -> None:
    """Raises AlearnError if the policy's numbers do not fit `total` images, so many of which have a label already."""
    for key in ("init_fraction", "hand_fraction"):
        share = getattr(policy, key)
        if share is not None and round(share * total) < 1:
            raise AlearnError(
                f"policy.{key}={share}: is less than one of the {total} images; must be at least {1 / total:.2g}"
            )
    if policy.init_size(total) > total:
        raise AlearnError(f"policy.init_count={policy.init_count}: there are {total} images")
    budget = policy.budget(total)
    if budget is not None and budget < policy.init_size(total) - given:
        raise AlearnError(
            f"policy.hand_budget={budget}: the {policy.init_size(total)} first images already cost more; "
            "raise it, or lower policy.init_count or policy.init_fraction"
        )


def wanted(policy: Policy) -> frozenset[str]:
    """What the rules need to know of each image beyond guess, doubt and margin: see `alearn.learn.score.score`."""
    diverse: set[str] = {"features"} if policy.query.pool > 1 else set()
    return frozenset(diverse.union(QUERIES.get(policy.query.strategy).needs, AUTO_RULES.get(policy.auto.rule).needs))


def first(policy: Policy, images_nchw: Images, seed: int, ledger: Ledger, count: int) -> Array:
    """int64 [n]: `count` images, or as many as there are, to label by hand before the first round; none that the ledger
    has a label of. images_nchw: uint8, all of them.
    """
    pool, labeled = ledger.unlabeled, ledger.labeled
    known = len(ledger) - len(pool)
    generator, count = rng.generator(seed, 0, "first", *([known] if known else [])), min(count, len(pool))
    match policy.init:
        case "first":
            return pool[:count]
        case "random":
            return generator.choice(pool, count, replace=False)
        case "typical":
            features_nf = pixel_features(images_nchw, generator)
            at_n, at_m = (torch.from_numpy(i).to(features_nf.device) for i in (pool, labeled))
            labeled_mf = features_nf[at_m] if len(labeled) else None
            found: Array = pool[typical(features_nf[at_n], count, generator, labeled_mf)]
            return found


def decide(policy: Policy, scores: Scores, asks: int, round: int, generator: np.random.Generator) -> Decision:  # noqa: A002
    """Hand label `asks` of the images; auto label what the rule takes of the others.

    In this order, as the published program did: an image goes to the human first.
    """
    if policy.query.pool > 1:
        candidates = ranked(policy.query.strategy, scores, ceil(policy.query.pool * asks), generator)
        asked = query.diverse(scores, candidates, asks, generator)
    else:
        asked = ranked(policy.query.strategy, scores, asks, generator)
    sure = taken(policy, scores, round)
    sure[asked] = False
    return Decision(hand=scores.index[asked], auto=scores.index[sure], auto_label=scores.guess[sure])


def ranked(strategy: str, scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Return what a query strategy wants to ask about: int64 [min(count, n)], positions into the scores.

    Raises AlearnError if it returns anything else: the strategy may be another package's.
    """
    wanted = np.asarray(QUERIES.get(strategy).rank(scores, count, generator))
    size = min(count, len(scores))
    whole = wanted.shape == (size,) and wanted.dtype.kind in "iu"
    if not whole or len(np.unique(wanted)) < size or np.any((wanted < 0) | (wanted >= len(scores))):
        raise AlearnError(
            f"policy.query.strategy={strategy}: must return {size} different positions below {len(scores)}, and "
            f"returned {wanted.dtype} {wanted.shape}: {wanted}"
        )
    return wanted.astype(np.int64)


def taken(policy: Policy, scores: Scores, round: int) -> Array:  # noqa: A002
    """Return which predictions the auto-label rule takes in a round: bool [n].

    Raises AlearnError if it returns anything else: the rule may be another package's.
    """
    auto = policy.auto
    limits = Limits(policy.threshold, auto.entropy, auto.entropy_decay, auto.per_round, round)
    sure = np.asarray(AUTO_RULES.get(auto.rule).take(scores, limits))
    if sure.shape != (len(scores),) or sure.dtype != bool:
        raise AlearnError(
            f"policy.auto.rule={auto.rule}: must return bool ({len(scores)},), and returned {sure.dtype} {sure.shape}"
        )
    return sure.copy()


def finish(policy: Policy, ledger: Ledger) -> tuple[Array, Array]:
    """Who labels what is left: indices for the human, as far as policy.hand_budget goes the most doubtful first, and
    indices for the model. All for the human if there was no round, for then there is no model.
    """
    rest = ledger.unlabeled
    if not ledger.rounds:
        return rest, rest[:0]
    if policy.finish == "auto":
        return rest[:0], rest
    budget = policy.budget(len(ledger))
    left = len(rest) if budget is None else max(0, budget - ledger.paid)
    if left >= len(rest):
        return rest, rest[:0]
    ranked = rest[np.argsort(-ledger.doubt[rest], kind="stable")]
    return ranked[:left], np.sort(ranked[left:])
