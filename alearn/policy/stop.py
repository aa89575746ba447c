"""When a labeling is over, read off the ledger alone: a resumed trial stops where an undisturbed one would."""

import numpy as np

from alearn.config import Policy
from alearn.ledger import Ledger, Source
from alearn.values import Array


def finished(policy: Policy, ledger: Ledger) -> bool:
    """True once less than policy.stop_fraction is unlabeled, or the last round had nothing left to ask.

    A round that asks nothing still trains on all hand labels and decides by them, so none is wasted.
    """
    rounds = ledger.rounds
    closed = rounds > 0 and not np.any(ledger.hand & (ledger.round == rounds))
    return remainder_below(len(ledger.unlabeled), len(ledger), policy.stop_fraction) or closed


def remainder_below(unlabeled: int, total: int, share: float) -> bool:
    """True once less than `share` of all images is unlabeled, or nothing is."""
    return unlabeled == 0 or unlabeled < share * total


def allowance(policy: Policy, ledger: Ledger, round: int) -> int:  # noqa: A002
    """How many images this round may ask about; 0 if the budget is spent, the rounds are over or labels do not pay."""
    if policy.stop_rounds is not None and round >= policy.stop_rounds:
        return 0
    if policy.stop_yield is not None and round > 1 and hand_yield(ledger, round - 1) < policy.stop_yield:
        return 0
    size = policy.round_size(len(ledger))
    budget = policy.budget(len(ledger))
    return size if budget is None else max(0, min(size, budget - ledger.paid))


def hand_yield(ledger: Ledger, round: int) -> float:  # noqa: A002
    """Share of a round's queries that the model had guessed wrong: what a hand label of the next round can be worth at
    most, for each is asked where the model is weakest. 1 for a round without queries.
    """
    asked: Array = np.flatnonzero((ledger.source == Source.QUERY) & (ledger.round == round) & ~ledger.aside)
    return float(np.mean(ledger.guess[asked] != ledger.label[asked])) if len(asked) else 1.0
