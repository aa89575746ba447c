"""The decisions of a round: which images to label by hand, and which guesses of the model to accept."""

from dataclasses import replace
from math import ceil

import numpy as np
import torch
from torch import Tensor

from alearn import rng
from alearn.config import Policy
from alearn.errors import AlearnError
from alearn.ledger import Ledger
from alearn.policy import cover, query, trust
from alearn.policy.first import typical_images
from alearn.registry import AUTO_RULES, QUERIES
from alearn.values import Array, Decision, Images, Limits, Scores


def check(policy: Policy, total: int, given: int = 0) -> None:
    """Raise AlearnError if the numbers of the policy do not fit `total` images. given: how many have a label."""
    for key in ("init_fraction", "hand_fraction"):
        share = getattr(policy, key)
        if share is not None and round(share * total) < 1:
            raise AlearnError(
                f"policy.{key}={share}: is less than one of the {total} images; must be at least {1 / total:.2g}"
            )
    if policy.init_size(total) > total:
        raise AlearnError(f"policy.init_count={policy.init_count}: there are only {total} images")
    budget = policy.budget(total)
    if budget is not None and budget < policy.init_size(total) - given:
        raise AlearnError(
            f"policy.hand_budget={budget}: the {policy.init_size(total)} first images already cost more; "
            "raise it, or lower policy.init_count or policy.init_fraction"
        )


def wanted(policy: Policy, stored: bool, round: int) -> frozenset[str]:  # noqa: A002
    """Return what a round needs to know about each image besides guess, doubt and margin.

    See `alearn.learn.score.score`. stored: whether there are stored features, which need not be computed.
    """
    compares = policy.query.pool > 1 or policy.query.covers(round) > 0
    diverse: set[str] = {"features"} if compares and not stored else set()
    return frozenset(diverse.union(QUERIES.get(policy.query.strategy).needs, AUTO_RULES.get(policy.auto.rule).needs))


def first(policy: Policy, images: Images, seed: int, ledger: Ledger, count: int) -> Array:
    """Choose the images to label by hand before the first round, among those without a label.

    Args:
        policy: the policy; its `init` says how to choose.
        images: all images, uint8 [N, C, H, W], or their features, float16 [N, F].
        seed: the seed of the trial.
        ledger: the labels so far.
        count: how many images to choose, or all if there are fewer.

    Returns:
        Their indices, int64 [n].
    """
    pool = ledger.unlabeled
    labeled = ledger.labeled
    known = len(ledger) - len(pool)
    generator = rng.generator(seed, 0, "first", *([known] if known else []))
    count = min(count, len(pool))
    match policy.init:
        case "first":
            return pool[:count]
        case "random":
            return generator.choice(pool, count, replace=False)
        case "typical":
            return typical_images(images, pool, labeled, count, generator)


def decide(
    policy: Policy,
    scores: Scores,
    asks: int,
    round: int,  # noqa: A002
    generator: np.random.Generator,
    draw: np.random.Generator,
    stored: Images | None = None,
) -> Decision:
    """Decide to hand label `asks` of the images, and to auto label those of the others that the rule takes.

    If both the strategy and the rule take an image, the human labels it, as in the published program.

    Args:
        policy: The policy.
        scores: The scores of the pool.
        asks: How many images the human labels, checks included.
        round: The number of the round.
        generator: The source of randomness of the strategy.
        draw: The source of randomness of the checks.
        stored: The stored features of all images, float16 [N, F], if there are any.
    """
    sure = taken(policy, scores, round)
    checked = _unlike(policy, scores, sure, min(policy.query.covers(round), asks), generator)
    open_n = sure.copy()
    open_n[checked] = False
    candidates = np.flatnonzero(open_n)
    size = min(policy.auto.checks(asks), len(candidates), asks - len(checked))
    checked = np.concatenate([checked, draw.choice(candidates, size, replace=False)])
    if policy.query.pool > 1:
        wanted = ranked(policy.query.strategy, scores, ceil(policy.query.pool * asks), generator)
        asked = wanted[query.diverse(_compared(scores, wanted, stored), asks, generator)]
    else:
        asked = ranked(policy.query.strategy, scores, asks, generator)
    asked = np.concatenate([asked[~np.isin(asked, checked)][: asks - len(checked)], checked])
    sure[asked] = False
    return Decision(
        hand=scores.index[asked],
        auto=scores.index[sure],
        auto_label=scores.guess[sure],
        checked=scores.index[checked],
        threshold=policy.threshold,
    )


def _unlike(policy: Policy, scores: Scores, sure: Array, count: int, generator: np.random.Generator) -> Array:
    """Return the sure images that the human labels because they are unlike all with a hand label, as positions."""
    positions = np.flatnonzero(sure)
    labeled = scores.labeled_features
    if not count or not len(positions) or scores.features is None or labeled is None or not len(labeled):
        return positions[:0]
    features = scores.features[torch.from_numpy(positions).to(scores.features.device)]
    return positions[cover.unlike(features, labeled, count, generator)]


def trusted(policy: Policy, decision: Decision, ledger: Ledger) -> Decision:
    """Leave out the auto labels that the answers speak against, see `alearn.policy.trust`.

    A round that finds an unseen kind of images gives no auto labels. The ledger must have the scores and the answers of
    the round.
    """
    if surprised(policy, ledger, ledger.rounds):
        threshold = 1.0
    else:
        threshold = trust.trusted(policy.threshold, *trust.evidence(ledger))
    if threshold == policy.threshold:
        return decision
    kept = trust.above(ledger.doubt[decision.auto], threshold)
    return replace(decision, auto=decision.auto[kept], auto_label=decision.auto_label[kept], threshold=threshold)


def surprised(policy: Policy, ledger: Ledger, round: int) -> bool:  # noqa: A002
    """Return whether a round that looked for kinds of images which no label shows has found one.

    The model was sure of something wrong then, and learns it again from its own guesses. So the next round forgets: it
    trains from scratch, without auto labels, and its probabilities are not averaged with earlier ones.
    """
    return round > 0 and policy.query.covers(round) > 0 and trust.contradicted(ledger, round)


def _compared(scores: Scores, candidates: Array, stored: Images | None) -> Tensor:
    """Return the features by which candidates for the human are compared, float32 [n, F]."""
    if stored is not None:
        return stored[torch.from_numpy(scores.index[candidates]).to(stored.device)].float()
    assert scores.features is not None
    return scores.features[torch.from_numpy(candidates).to(scores.features.device)]


def ranked(strategy: str, scores: Scores, count: int, generator: np.random.Generator) -> Array:
    """Ask a query strategy, and check its result, because it may come from another package.

    Returns:
        The images to ask about, as positions in the scores, int64 [min(count, n)], most wanted first.

    Raises:
        AlearnError: the strategy returned something else.
    """
    wanted = np.asarray(QUERIES.get(strategy).rank(scores, count, generator))
    size = min(count, len(scores))
    whole = wanted.shape == (size,) and wanted.dtype.kind in "iu"
    if not whole or len(np.unique(wanted)) < size or np.any((wanted < 0) | (wanted >= len(scores))):
        raise AlearnError(
            f"policy.query.strategy={strategy}: must return {size} different positions below {len(scores)}, but "
            f"returned {wanted.dtype} {wanted.shape}: {wanted}"
        )
    return wanted.astype(np.int64)


def taken(policy: Policy, scores: Scores, round: int) -> Array:  # noqa: A002
    """Ask the auto-label rule, and check its result, because it may come from another package.

    Returns:
        Whether to take each prediction in this round, bool [n].

    Raises:
        AlearnError: the rule returned something else.
    """
    auto = policy.auto
    limits = Limits(policy.threshold, auto.entropy, auto.entropy_decay, auto.per_round, round)
    sure = np.asarray(AUTO_RULES.get(auto.rule).take(scores, limits))
    if sure.shape != (len(scores),) or sure.dtype != bool:
        raise AlearnError(
            f"policy.auto.rule={auto.rule}: must return bool ({len(scores)},), but returned {sure.dtype} {sure.shape}"
        )
    return sure.copy()


def finish(policy: Policy, ledger: Ledger) -> tuple[Array, Array]:
    """Decide who labels the images that are left at the end.

    Returns:
        The indices of the images for the human, and of those for the model. With policy.finish=auto the model gets
        all of them. Otherwise the human gets the most doubtful ones within policy.hand_budget. If there was no round,
        there is no model, and the human gets all of them.
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
