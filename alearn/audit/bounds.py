"""How many labels to check, where to cut, and what is certain then.

A labeling is frozen: N items that no human labeled have a label each and one total order, from most to least trusted.
m of them are drawn, uniformly and without replacement, and a human labels them blind. Then:

    Theorem. Let A be the number of wrong labels that may be delivered, and k* the largest k with
    P[Hypergeometric(N, A + 1, m) <= k] <= risk. Accept the labels before the (k* + 1)-th sampled error in the order,
    all of them if there are fewer. More than A of what is accepted is wrong with probability at most `risk`.

    Proof. Let j be the first place up to which A + 1 labels are wrong; it is fixed before the draw. To accept more than
    A wrong ones is to accept place j, which takes at most k* sampled errors among the first j. Their number is
    Hypergeometric(N, A + 1, m). What is wrong up to a place grows with the place, so nothing is tried twice and no
    union bound is needed.

It is the scheme of Candes, Ilyas and Zrnic, "Probably Approximately Correct Labels" (2025), with the exact distribution
in the place of their bounds. Nothing is assumed about the model, its calibration, or where the items come from.

An audit may also look as it goes: check the first m_1 of the labels in the order of their draw, then up to m_2, and so
on. Each stage s offers the labels before the (k_s + 1)-th error found so far, and one may stop at any, for any reason.
By the same proof more than A of what is accepted is wrong only if, at some stage, at most k_s errors were found among
the first j places: `missed` is the probability of that, and `stages` chooses sizes for which it is at most `risk`.

`martingale` needs no number of stages in advance: its audit goes on for as long as one likes.

All functions are pure; counts are Python ints. Probabilities are computed in logarithms, and those of a single stage
within TIE of the risk anew in whole numbers, so no comparison is decided by rounding; several stages stay TIE below it.
"""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np

from alearn.values import Array

TIE = 1e-7
"""Relative distance from the risk below which floating point is not trusted with a comparison."""

FIRST_SHARE = 0.75
"""Of the risk, spent on the first stage: most audits of a good model end there."""

PRIOR = 8
"""The sequential test bets on labels with 1 / PRIOR of the wrong ones that are allowed; a bet decides how early it
ends, never whether it is right."""


LOOKS = 100
"""Stages of a sequential audit."""


Stages = tuple[tuple[int, int], ...]
"""(labels audited so far, errors tolerated among them) of each stage of an audit, ascending in both."""


def allowed(total: int, target: float) -> int:
    """A: wrong labels among `total` that are still a share of at most `target`. Exact for the decimal number that was
    written: 0.0041 of 60,000 is 246.
    """
    return int(Decimal(repr(target)) * total)


def risk_of(risk: float, number: int) -> float:
    """The risk that one audit may take. number 0: the only one that there will ever be takes all of it. 1, 2, ...: the
    first, second, ... of any number takes risk / 2^number, so that all of them together take no more than `risk`.
    """
    return risk if number == 0 else risk / 2**number


def tail(items: int, wrong: int, audited: int, errors: int) -> float:
    """P[Hypergeometric(items, wrong, audited) <= errors]: the probability that so few of the wrong ones are sampled."""
    least, most = max(0, audited - (items - wrong)), min(wrong, audited)
    if errors < least:
        return 0.0
    if errors >= most:
        return 1.0
    return min(1.0, float(_pmf(items, wrong, audited, errors)[least:].sum()))


def tolerated(items: int, allowed: int, audited: int, risk: float) -> int:
    """k*: the sampled errors with which everything is still accepted; -1 if the sample is too small for any answer.

    If `allowed` >= `items` nothing can go wrong: all `audited` of them.
    """
    if allowed >= items:
        return audited
    errors = -1
    while _at_most(items, allowed + 1, audited, errors + 1, risk):
        errors += 1
    return errors


@lru_cache(maxsize=4096)
def audit_size(items: int, allowed: int, risk: float, errors: int = 0) -> int | None:
    """The smallest audit that tolerates `errors` sampled errors; None if none does, for then errors > allowed."""
    if allowed >= items:
        return 0
    if errors > allowed:
        return None
    low, high = errors, items  # the first does not suffice, the second does: the tail falls with the sample
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _at_most(items, allowed + 1, middle, errors, risk) else (middle, high)
    return high


def missed(items: int, wrong: int, stages: Stages) -> float:
    """P[some stage (m, k) finds at most k errors among its m samples], exactly, where `wrong` of `items` are.

    The number found is a Markov chain: from stage to stage it grows by Hypergeometric(items - m, wrong - found, new).
    """
    last = max((tolerated for _, tolerated in stages), default=-1)
    chance, audited, crossed = np.zeros(last + 2), 0, 0.0  # by errors found, of audits that no stage has accepted
    chance[0] = 1.0  # the last entry is more errors than any stage tolerates
    for size, tolerated in stages:
        if size < audited:
            raise ValueError(f"a stage of {size} after one of {audited}")
        new = np.zeros_like(chance)
        for found in np.flatnonzero(chance[:-1]):
            arrives = _pmf(items - audited, wrong - int(found), size - audited, last - int(found))
            new[found : last + 1] += chance[found] * arrives
            new[-1] += chance[found] * max(0.0, 1 - arrives.sum())
        new[-1] += chance[-1]
        crossed += new[: tolerated + 1].sum()
        new[: tolerated + 1] = 0
        chance, audited = new, size
    return float(crossed)


@lru_cache(maxsize=256)
def stages(items: int, allowed: int, risk: float, first: int = 0, count: int = 5) -> Stages:
    """An audit that may stop early: sizes for first, first + 1, ... tolerated errors. FIRST_SHARE of the risk is spent
    on the first stage, half of what is left on each further one, all of it on the last.

    Fewer than `count` where more errors than `allowed` would be tolerated; one of size 0 if nothing can be wrong. A
    single stage is `audit_size`. Raises ValueError if `first` > `allowed`.
    """
    if allowed >= items:
        return ((0, 0),)
    size = audit_size(items, allowed, risk, first)
    if size is None:
        raise ValueError(f"{first} errors tolerated where {allowed} are allowed")
    if count == 1:
        return ((size, first),)
    found: Stages = ()
    for number in range(min(count, allowed - first + 1)):
        last = number == min(count, allowed - first + 1) - 1
        spend = risk * (1 if last else 1 - (1 - FIRST_SHARE) * 0.5**number) * (1 - TIE)  # floating point errs safely
        low, high = max((size for size, _ in found), default=first), items
        while high - low > 1:
            middle = (low + high) // 2
            fits = missed(items, allowed + 1, (*found, (middle, first + number))) <= spend
            low, high = (low, middle) if fits else (middle, high)
        found = (*found, (high, first + number))
        if high == items:
            break
    return found


@lru_cache(maxsize=256)
def martingale(items: int, allowed: int, risk: float) -> Stages:
    """An audit that may be looked at after every single label: the stages at which a sequential test tolerates 0, 1,
    2, ... errors, LOOKS of them at most. It ends where more than half of the items would have to be checked.

    The first t drawn labels, x of them wrong, are exchangeable: if w of the items are wrong, their probability is
    L(w) = (w)_x (items - w)_{t-x} / (items)_t, with falling factorials. The mixture sum_w prior(w) L(w) / L(allowed +
    1), w = 0 .. allowed, is a nonnegative martingale under allowed + 1 wrong ones, so by Ville's inequality it ever
    reaches 1 / risk with a probability of at most `risk`: Waudby-Smith and Ramdas, "Confidence sequences for sampling
    without replacement" (2020). It grows with t and falls with x, hence a stage for every x.
    """
    if allowed >= items // 2:
        return stages(items, allowed, risk, 0, 1)
    w = np.arange(allowed + 1)
    prior = np.exp(-PRIOR * w / (allowed + 1))
    log_prior = np.log(prior / prior.sum())
    found: Stages = ()
    ratio = np.zeros(allowed + 1)  # of the x wrong draws: log (w)_x - log (allowed + 1)_x
    for errors in range(min(LOOKS, allowed + 1)):
        if errors:
            with np.errstate(divide="ignore"):
                ratio = ratio + np.log(np.maximum(w - errors + 1, 0)) - np.log(allowed + 2 - errors)
        low, high = max((size for size, _ in found), default=0), items // 2 + 1
        while high - low > 1:
            middle = (low + high) // 2
            right = middle - errors
            # log (items - w)_right - log (items - allowed - 1)_right, a product over the wrong ones that w spares
            gain = np.concatenate([[0.0], -np.cumsum(np.log1p(-right / (items - np.arange(allowed, -1, -1))))])[1:][
                ::-1
            ]
            evidence = float(np.logaddexp.reduce(log_prior + ratio + gain))
            low, high = (low, middle) if evidence >= -np.log(risk) + TIE else (middle, high)
        if high > items // 2:
            break
        found = (*found, (high, errors))
    return found or stages(items, allowed, risk, 0, 1)


def sound(items: int, allowed: int, risk: float, stages: Stages) -> bool:
    """Whether an audit of these stages accepts more than `allowed` wrong labels with at most this risk."""
    sizes, errors = [size for size, _ in stages], [tolerated for _, tolerated in stages]
    if not stages or sizes != sorted(set(sizes)) or errors != sorted(set(errors)):
        return False
    if sizes[0] < 0 or sizes[-1] > items or errors[0] < 0 or errors[-1] > allowed:
        return False
    if allowed >= items:
        return True
    if len(stages) == 1:
        return _at_most(items, allowed + 1, sizes[0], errors[0], risk)
    return missed(items, allowed + 1, stages) <= risk


def cut(items: int, tolerated: int, error_places: Array, whole: bool = False) -> int:
    """How many of the items are accepted, from the most trusted on: all before the (tolerated + 1)-th sampled error.

    error_places: int64, where in the order the sampled errors are, from 0. None are accepted for tolerated=-1. whole:
    accept none unless all are.
    """
    if tolerated < 0:
        return 0
    if len(error_places) <= tolerated:
        return items
    return 0 if whole else int(np.sort(error_places)[tolerated])


def floor(items: int, allowed: int, risk: float) -> int:
    """The smallest audit that can prove anything, whatever the model: about ln(1 / risk) / target labels."""
    size = audit_size(items, allowed, risk, 0)
    assert size is not None
    return size


def _at_most(items: int, wrong: int, audited: int, errors: int, risk: float) -> bool:
    """Whether P[Hypergeometric(items, wrong, audited) <= errors] <= risk, exactly."""
    probability = tail(items, wrong, audited, errors)
    if abs(probability - risk) > TIE * risk:
        return probability <= risk
    least = max(0, audited - (items - wrong))
    ways = sum(comb(wrong, i) * comb(items - wrong, audited - i) for i in range(least, errors + 1))
    limit = Fraction(Decimal(repr(risk)))
    return ways * limit.denominator <= limit.numerator * comb(items, audited)


def _pmf(items: int, wrong: int, audited: int, most: int) -> Array:
    """float64 [most + 1]: P[Hypergeometric(items, wrong, audited) = e] for e = 0 .. most.

    The first possible e is a product of min(wrong, audited) (or fewer) ratios, and each further e has a simple ratio to
    the one before: unlike differences of log-factorials it keeps its digits for millions of items.
    """
    result = np.zeros(most + 1)
    least, top = max(0, audited - (items - wrong)), min(wrong, audited, most)
    if least > top:
        return result
    if least == 0:
        fewer, more = sorted((wrong, audited))
        first = np.log1p(-more / (items - np.arange(fewer))).sum() if more < items or not fewer else 0.0
    else:  # every right one is sampled
        first = np.log1p(-(items - audited) / (items - np.arange(items - wrong))).sum()
    e = np.arange(least, top)
    ratio = (wrong - e) / (e + 1) * ((audited - e) / (items - wrong - audited + e + 1))
    result[least : top + 1] = np.exp(first + np.concatenate([[0.0], np.cumsum(np.log(ratio))]))
    return result
