"""A round's decisions: whom to ask about what, and what to take from the model."""

from math import ceil

import numpy as np
import torch

from alearn import rng
from alearn.config import Policy
from alearn.errors import AlearnError
from alearn.ledger import Ledger
from alearn.policy import query
from alearn.policy.auto import auto
from alearn.policy.first import pixel_features, typical
from alearn.values import Array, Decision, Images, Scores


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
    needs = set(query.NEEDS[policy.query.strategy])
    if policy.query.pool > 1:
        needs.add("features")
    if policy.auto.rule == "entropy":
        needs.add("probs")
    return frozenset(needs)


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
    rank = query.STRATEGIES[policy.query.strategy]
    if policy.query.pool > 1:
        asked = query.diverse(scores, rank(scores, ceil(policy.query.pool * asks), generator), asks, generator)
    else:
        asked = rank(scores, asks, generator)
    sure = auto(policy, scores, round)
    sure[asked] = False
    return Decision(hand=scores.index[asked], auto=scores.index[sure], auto_label=scores.guess[sure])


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
