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

    It is 0 from round policy.stop_rounds on, if the yield of the last round was below policy.stop_yield, or if the
    budget is spent.
    """
    if policy.stop_rounds is not None and round >= policy.stop_rounds:
        return 0
    if policy.stop_yield is not None and round > 1 and hand_yield(ledger, round - 1) < policy.stop_yield:
        return 0
    size = policy.round_size(len(ledger))
    budget = policy.budget(len(ledger))
    return size if budget is None else max(0, min(size, budget - ledger.paid))


def hand_yield(ledger: Ledger, round: int) -> float:  # noqa: A002
    """Return the share of a round's queries that the model had guessed wrong, or 1 for a round without queries.

    A hand label of the next round is worth at most this much, because each round asks where the model is weakest. The
    checks of auto labels do not count: they ask where it is strongest.
    """
    queries = (ledger.source == Source.QUERY) & ~ledger.checked & ~ledger.aside
    asked: Array = np.flatnonzero(queries & (ledger.round == round))
    return float(np.mean(ledger.guess[asked] != ledger.label[asked])) if len(asked) else 1.0
