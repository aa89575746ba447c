"""Compute how many labels to check, where to cut, and what is certain then.

A labeling is frozen: N items that no human labeled have one label each. They are in one total order, from most to least
trusted. m of them are drawn uniformly without replacement, and a human labels these blind. Then:

    Theorem. Let A be the number of wrong labels that may be delivered, and k* the largest k with
    P[Hypergeometric(N, A + 1, m) <= k] <= risk. Accept the labels before the (k* + 1)-th sampled error in the order, or
    all labels if there are fewer sampled errors. The probability that more than A accepted labels are wrong is at most
    `risk`.

    Proof. Let j be the first place up to which A + 1 labels are wrong. It is fixed before the draw. To accept more than
    A wrong labels, place j must be accepted, which requires at most k* sampled errors among the first j places. Their
    number is Hypergeometric(N, A + 1, m). The number of wrong labels up to a place grows with the place, so only place
    j matters and no union bound is needed.

This is the scheme of Candes, Ilyas and Zrnic, "Probably Approximately Correct Labels" (2025), with the exact
distribution in place of their bounds. It assumes nothing about the model, its calibration, or the origin of the items.

An audit can also proceed in stages: it checks the first m_1 labels in the order of the draw, then up to m_2, and so on.
Each stage s offers the labels before the (k_s + 1)-th error found so far, and the audit may stop at any stage, for any
reason. By the same proof, more than A accepted labels are wrong only if, at some stage, at most k_s errors were found
among the first j places. `missed` is the probability of that. `stages` chooses sizes for which it is at most `risk`.

`martingale` needs no number of stages in advance: its audit may go on for as long as you like.

All functions are pure, and counts are Python ints. Probabilities are computed in logarithms. If the probability of a
single stage is within TIE of the risk, it is computed again in whole numbers, so rounding never decides a comparison.
Probabilities of several stages are kept TIE below the risk.
"""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np

from alearn.values import Array

TIE = 1e-7
"""Relative distance from the risk below which a comparison in floating point is not trusted."""

FIRST_SHARE = 0.75
"""Share of the risk that is spent on the first stage, because most audits of a good model end there."""

PRIOR = 8
"""The sequential test bets that about 1 / PRIOR of the allowed number of labels are wrong. The bet decides how early
the test ends, never whether it is right.
"""

LOOKS = 100
"""The most stages of a sequential audit."""

Stages = tuple[tuple[int, int], ...]
"""For each stage of an audit: (labels checked so far, errors tolerated among them). Both numbers ascend."""


def allowed(total: int, target: float) -> int:
    """Return A, the largest number of wrong labels that is at most the share `target` of `total`.

    The result is exact for the decimal number as written: 0.0041 of 60,000 is 246.
    """
    return int(Decimal(repr(target)) * total)


def risk_of(risk: float, number: int) -> float:
    """Return the risk that one audit may take.

    number: 0 for an audit that will never have a successor; it takes all of the risk. 1, 2, ... for the first, second,
    ... audit of a series; it takes risk / 2^number, so that all audits of the series together take at most `risk`.
    """
    return risk if number == 0 else risk / 2**number


def tail(items: int, wrong: int, audited: int, errors: int) -> float:
    """Return P[Hypergeometric(items, wrong, audited) <= errors], the chance of at most `errors` sampled errors."""
    least = max(0, audited - (items - wrong))
    most = min(wrong, audited)
    if errors < least:
        return 0.0
    if errors >= most:
        return 1.0
    return min(1.0, float(_pmf(items, wrong, audited, errors)[least:].sum()))


def tolerated(items: int, allowed: int, audited: int, risk: float) -> int:
    """Return k*, the number of sampled errors with which everything is still accepted.

    It is -1 if the sample is too small to accept anything. It is `audited` if `allowed` >= `items`, because nothing can
    go wrong then.
    """
    if allowed >= items:
        return audited
    errors = -1
    while _at_most(items, allowed + 1, audited, errors + 1, risk):
        errors += 1
    return errors


@lru_cache(maxsize=4096)
def audit_size(items: int, allowed: int, risk: float, errors: int = 0) -> int | None:
    """Return the size of the smallest audit that tolerates `errors` sampled errors; None if errors > allowed."""
    if allowed >= items:
        return 0
    if errors > allowed:
        return None
    low, high = errors, items  # low is too small, high is large enough: the tail falls as the sample grows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _at_most(items, allowed + 1, middle, errors, risk) else (middle, high)
    return high


def missed(items: int, wrong: int, stages: Stages) -> float:
    """Return the exact probability that some stage (m, k) finds at most k errors among its m samples.

    `wrong` of `items` labels are wrong. The number of errors found so far is a Markov chain: from one stage to the next
    it grows by Hypergeometric(items - m, wrong - errors, new).
    """
    last = max((tolerated for _, tolerated in stages), default=-1)
    chance = np.zeros(last + 2)  # by the number of errors found, if no stage has accepted yet
    chance[0] = 1.0  # the last entry stands for more errors than any stage tolerates
    audited = 0
    crossed = 0.0
    for size, tolerated in stages:
        if size < audited:
            raise ValueError(f"a stage of {size} after one of {audited}")
        new = np.zeros_like(chance)
        for errors in np.flatnonzero(chance[:-1]):
            arrives = _pmf(items - audited, wrong - int(errors), size - audited, last - int(errors))
            new[errors : last + 1] += chance[errors] * arrives
            new[-1] += chance[errors] * max(0.0, 1 - arrives.sum())
        new[-1] += chance[-1]
        crossed += new[: tolerated + 1].sum()
        new[: tolerated + 1] = 0
        chance = new
        audited = size
    return float(crossed)


@lru_cache(maxsize=256)
def stages(items: int, allowed: int, risk: float, first: int = 0, count: int = 5) -> Stages:
    """Return an audit that may stop early: the sizes at which it tolerates first, first + 1, ... errors.

    The first stage spends FIRST_SHARE of the risk. Each further stage spends half of what is left, and the last stage
    spends all of it. There are `count` stages, or fewer if the last ones would tolerate more errors than `allowed`. If
    nothing can be wrong, there is one stage of size 0. A single stage has the size `audit_size`. Raise ValueError if
    `first` > `allowed`.
    """
    if allowed >= items:
        return ((0, 0),)
    size = audit_size(items, allowed, risk, first)
    if size is None:
        raise ValueError(f"{first} errors tolerated where {allowed} are allowed")
    if count == 1:
        return ((size, first),)
    result: Stages = ()
    for number in range(min(count, allowed - first + 1)):
        last = number == min(count, allowed - first + 1) - 1
        spend = risk * (1 if last else 1 - (1 - FIRST_SHARE) * 0.5**number) * (1 - TIE)  # rounding is then safe
        low = max((size for size, _ in result), default=first)
        high = items
        while high - low > 1:
            middle = (low + high) // 2
            fits = missed(items, allowed + 1, (*result, (middle, first + number))) <= spend
            low, high = (low, middle) if fits else (middle, high)
        result = (*result, (high, first + number))
        if high == items:
            break
    return result


@lru_cache(maxsize=256)
def martingale(items: int, allowed: int, risk: float) -> Stages:
    """Return an audit that may stop after any label: the stages where a sequential test tolerates 0, 1, 2, ... errors.

    There are at most LOOKS stages, and no stage checks more than half of the items.

    The first t drawn labels, x of them wrong, are exchangeable. If w of the items are wrong, the probability of these
    labels is L(w) = (w)_x (items - w)_{t-x} / (items)_t, with falling factorials. The mixture sum_w prior(w) L(w) /
    L(allowed + 1), w = 0 .. allowed, is a nonnegative martingale if allowed + 1 labels are wrong. By Ville's
    inequality, the probability that it ever reaches 1 / risk is at most `risk`: Waudby-Smith and Ramdas, "Confidence
    sequences for sampling without replacement" (2020). The mixture grows with t and falls with x, so each x has one
    stage.
    """
    if allowed >= items // 2:
        return stages(items, allowed, risk, 0, 1)
    w = np.arange(allowed + 1)
    prior = np.exp(-PRIOR * w / (allowed + 1))
    log_prior = np.log(prior / prior.sum())
    result: Stages = ()
    ratio = np.zeros(allowed + 1)  # from the x wrong draws: log (w)_x - log (allowed + 1)_x
    for errors in range(min(LOOKS, allowed + 1)):
        if errors:
            with np.errstate(divide="ignore"):
                ratio = ratio + np.log(np.maximum(w - errors + 1, 0)) - np.log(allowed + 2 - errors)
        low = max((size for size, _ in result), default=0)
        high = items // 2 + 1
        while high - low > 1:
            middle = (low + high) // 2
            right = middle - errors
            # log (items - w)_right - log (items - allowed - 1)_right: the sum over i = w .. allowed of
            # -log(1 - right / (items - i))
            gain = np.concatenate([[0.0], -np.cumsum(np.log1p(-right / (items - np.arange(allowed, -1, -1))))])[1:][
                ::-1
            ]
            evidence = float(np.logaddexp.reduce(log_prior + ratio + gain))
            low, high = (low, middle) if evidence >= -np.log(risk) + TIE else (middle, high)
        if high > items // 2:
            break
        result = (*result, (high, errors))
    return result or stages(items, allowed, risk, 0, 1)


def sound(items: int, allowed: int, risk: float, stages: Stages) -> bool:
    """Return whether an audit of these stages accepts more than `allowed` wrong labels with probability <= `risk`."""
    sizes = [size for size, _ in stages]
    errors = [tolerated for _, tolerated in stages]
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
    """Return how many items are accepted: in the order of trust, all before the (tolerated + 1)-th sampled error.

    Args:
        items: The number of items.
        tolerated: The number of errors that are tolerated; -1 accepts nothing.
        error_places: int64, the places of the sampled errors in the order of trust, from 0.
        whole: Whether to accept either all items or none.
    """
    if tolerated < 0:
        return 0
    if len(error_places) <= tolerated:
        return items
    return 0 if whole else int(np.sort(error_places)[tolerated])


def floor(items: int, allowed: int, risk: float) -> int:
    """Return the size of the smallest audit that can prove anything: about ln(1 / risk) / target labels."""
    size = audit_size(items, allowed, risk, 0)
    assert size is not None
    return size


def _at_most(items: int, wrong: int, audited: int, errors: int, risk: float) -> bool:
    """Return whether P[Hypergeometric(items, wrong, audited) <= errors] <= risk, decided exactly."""
    probability = tail(items, wrong, audited, errors)
    if abs(probability - risk) > TIE * risk:
        return probability <= risk
    least = max(0, audited - (items - wrong))
    ways = sum(comb(wrong, i) * comb(items - wrong, audited - i) for i in range(least, errors + 1))
    limit = Fraction(Decimal(repr(risk)))
    return ways * limit.denominator <= limit.numerator * comb(items, audited)


def _pmf(items: int, wrong: int, audited: int, most: int) -> Array:
    """Return P[Hypergeometric(items, wrong, audited) = e] for e = 0 .. most, float64 [most + 1].

    The probability of the smallest possible e is a product of at most min(wrong, audited) ratios. Each further e has a
    simple ratio to the one before. Unlike differences of log-factorials, this keeps its digits for millions of items.
    """
    result = np.zeros(most + 1)
    least = max(0, audited - (items - wrong))
    top = min(wrong, audited, most)
    if least > top:
        return result
    if least == 0:
        fewer, more = sorted((wrong, audited))
        first = np.log1p(-more / (items - np.arange(fewer))).sum() if more < items or not fewer else 0.0
    else:  # even with the fewest errors, all correct labels are sampled
        first = np.log1p(-(items - audited) / (items - np.arange(items - wrong))).sum()
    e = np.arange(least, top)
    ratio = (wrong - e) / (e + 1) * ((audited - e) / (items - wrong - audited + e + 1))
    result[least : top + 1] = np.exp(first + np.concatenate([[0.0], np.cumsum(np.log(ratio))]))
    return result
