"""Decide when a trial ends. This depends only on the ledger, so a resumed trial ends where an undisturbed one would."""

import numpy as np

from alearn.config import Policy
from alearn.ledger import Ledger, Source
from alearn.values import Array


def finished(policy: Policy, ledger: Ledger) -> bool:
    """Return whether less than policy.stop_fraction of the images is unlabeled, or the last round had no queries.

    A round without queries still trains on all hand labels and uses them for its decisions, so no label is wasted.
    """
    rounds = ledger.rounds
    closed = rounds > 0 and not np.any(ledger.hand & (ledger.round == rounds))
    return remainder_below(len(ledger.unlabeled), len(ledger), policy.stop_fraction) or closed


def remainder_below(unlabeled: int, total: int, share: float) -> bool:
    """Return whether less than `share` of all images is unlabeled, or none."""
    return unlabeled == 0 or unlabeled < share * total


def allowance(policy: Policy, ledger: Ledger, round: int) -> int:  # noqa: A002
    """Return how many images this round may ask about.

    It is 0 from round policy.stop_rounds on, if the yield of an earlier round was below policy.stop_yield, or if the
    budget is spent. Answers that came while the model learned count for the round, but it asks about another image
    nevertheless.
    """
    if policy.stop_rounds is not None and round >= policy.stop_rounds:
        return 0
    limit = policy.stop_yield
    if limit is not None and any(hand_yield(ledger, earlier) < limit for earlier in range(1, round)):
        return 0  # it need not be the last round: late answers to closed questions make another one
    early = int((ledger.hand & (ledger.round == round)).sum())
    size = max(1, policy.round_size(len(ledger)) - early)
    return left(policy, ledger, size)


def left(policy: Policy, ledger: Ledger, most: int) -> int:
    """Return how many hand labels the budget has left, or `most` if that is less or there is no budget."""
    budget = policy.budget(len(ledger))
    return most if budget is None else max(0, min(most, budget - ledger.paid))


def hand_yield(ledger: Ledger, round: int) -> float:  # noqa: A002
    """Return the share of a round's queries that the model had guessed wrong, or 1 for a round without queries.

    A hand label of the next round is worth at most this much, because each round asks where the model is weakest. The
    checks of auto labels do not count: they ask where it is strongest.
    """
    queries = (ledger.source == Source.QUERY) & ~ledger.checked & ~ledger.aside
    asked: Array = np.flatnonzero(queries & (ledger.round == round))
    return float(np.mean(ledger.guess[asked] != ledger.label[asked])) if len(asked) else 1.0
