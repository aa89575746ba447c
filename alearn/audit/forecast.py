"""Forecast what the audit of a trial costs, and whether another round of training should come first."""

from collections.abc import Collection

import numpy as np

from alearn.audit import plan, profiles, rules
from alearn.audit.plan import Plan
from alearn.audit.profiles import Known, Profiles
from alearn.audit.rules import Terms
from alearn.ledger import Ledger, Source
from alearn.values import Array

HORIZON = 1, 2, 4
"""Numbers of further rounds that are compared with an audit now."""
ROUNDING = 1e-12
"""Tolerance when the logarithm of a doubt is compared with the cut."""
FADES = 0.5
"""Answers show how often the model is wrong. The answers of a round count this much of those of the next round, because
the model improves."""


def pays(terms: Terms, ledger: Ledger, asks: int) -> bool:
    """Return whether to hand label `asks` more images and train again before the audit begins.

    It pays if it is not expected to cost more hand labels in the end than an audit now. Record the forecast in the
    ledger. The ledger must have the scores of this round.
    """
    item = order(terms, ledger)
    hand = int(ledger.hand.sum())  # includes given labels, because the model learns from them too
    below = int((~ledger.hand).sum()) - len(item)
    likely = error_profiles(ledger, item)[0]
    now = hand + below + _cost(terms, ledger, item, likely)
    ledger.forecast = np.concatenate([ledger.forecast, [[hand, likely.sum(), now]]])
    power = profiles.decay(ledger.forecast[:, 0], ledger.forecast[:, 1])
    for rounds in HORIZON:
        more = rounds * asks
        then = profiles.after_more(likely, hand, more, power)
        if len(then) and hand + more + below + _cost(terms, ledger, item[: len(then)], then) <= now:
            return True
    return False


def order(terms: Terms, ledger: Ledger) -> Array:
    """Return the images to audit, from most to least trusted, ties by index, int64 [n].

    These are the images that no human has labeled and whose p_max is above terms.cut.
    """
    item = np.flatnonzero(~ledger.hand)
    if terms.cut is not None:
        item = item[ledger.doubt[item] < np.log1p(-terms.cut) - ROUNDING]
    ordered: Array = item[np.argsort(ledger.doubt[item], kind="stable")]
    return ordered


def error_profiles(ledger: Ledger, item: Array, expected: float | None = None, aside: bool = True) -> Profiles:
    """Estimate the probability that the labels of these items are wrong, see `alearn.audit.profiles.error_profiles`.

    The estimate rests on the answers to the questions of the rounds, which the model did not know when it guessed.
    expected: the number of wrong labels that the user expects. aside: whether "cannot tell" counts as wrong, as it does
    in an audit.
    """
    asked = np.flatnonzero((ledger.source == Source.QUERY) & (ledger.scored == ledger.round))
    if not aside:
        asked = asked[~ledger.aside[asked]]
    if not len(asked):
        return profiles.error_profiles(ledger.doubt[item], expected=expected)
    weight = FADES ** (ledger.round[asked].max() - ledger.round[asked])
    known = Known(ledger.doubt[asked], ledger.guess[asked] != ledger.label[asked], weight)
    return profiles.error_profiles(ledger.doubt[item], known)


def plans(terms: Terms, total: int, likely: Profiles, count: int) -> list[Plan]:
    """Return the audits of a group, cheapest first. count: the number of groups."""
    return plan.plans(terms.claim(total, len(likely[0])), terms.group_risk(count), likely, terms.kind)


def _cost(terms: Terms, ledger: Ledger, item: Array, likely: Array) -> float:
    """Return the expected hand labels of an audit of these items: those to check and those beyond the cut."""
    places: Collection[Array | slice] = [slice(None)] if len(item) else []
    if terms.scope == "class":
        label = np.where(ledger.auto[item], ledger.label[item], ledger.guess[item])
        numbers = [str(number) for number in range(int(label.max(initial=-1)) + 1)]
        places = rules.places(terms.scope, label, numbers).values()
    return sum(plans(terms, len(ledger), [likely[place]], len(places))[0].mean for place in places)
