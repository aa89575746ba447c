"""Design audits: the sizes at which they may stop, and the errors that they tolerate there.

Any stages are valid for which `alearn.audit.bounds.missed` is at most the risk. So the rules of this module decide what
an audit costs, and never whether it is right.
"""

from functools import lru_cache

import numpy as np

from alearn.audit.bounds import TIE, Claim, Stage, Stages, at_most, missed
from alearn.values import Array

FIRST_SHARE = 0.75
"""Share of the risk that is spent on the first stage, because most audits of a good model end there."""
PRIOR = 8
"""The boundary of a sequential audit suits labels of which about 1 / PRIOR of the allowed number are wrong."""
LOOKS, WHOLE_LOOKS = 40, 20
"""The most stages of a sequential audit; and of one that accepts all or nothing, whose worst case is found by trial."""
STRICTER = 4.0
"""The highest level of evidence that is tried: this much above log(1 / risk)."""
EVENLY = 1 << 12
"""The most numbers of wrong labels that the evidence compares. If more are allowed, these are spread evenly."""
HALVINGS = 9
"""Steps of the search for the boundary that spends all of the risk."""


@lru_cache(maxsize=4096)
def audit_size(claim: Claim, risk: float, errors: int = 0) -> int | None:
    """Return the size of the smallest audit that tolerates `errors` sampled errors; None if there is none."""
    if claim.most >= claim.items:
        return 0
    if claim.allowed(0) + 1 + errors > claim.items:
        return None
    low, high = errors, claim.items  # low is too small, high is large enough: the tail falls as the sample grows
    while high - low > 1:
        middle = (low + high) // 2
        fits = at_most(claim.items, claim.allowed(middle) + 1 + errors, middle, errors, risk)
        low, high = (low, middle) if fits else (middle, high)
    return high


def floor(claim: Claim, risk: float) -> int:
    """Return the size of the smallest audit that can prove anything: about ln(1 / risk) / target labels.

    No cleverer way of drawing changes that. Let a design accept everything if it finds no error, and put A + 1 errors
    at random places. The probability to find none is a convex function of the size of the sample. So by Jensen's
    inequality, a sample whose size is random, or that prefers some places, has a mean size of at least this one.
    """
    size = audit_size(claim, risk, 0)
    assert size is not None
    return size


@lru_cache(maxsize=256)
def staged(claim: Claim, risk: float, first: int = 0, count: int = 5) -> Stages:
    """Return an audit that may stop early: the sizes at which it tolerates first, first + 1, ... errors.

    The first stage spends FIRST_SHARE of the risk. Each further stage spends half of what is left, and the last stage
    spends all of it. There are `count` stages, or fewer if not so many labels can be wrong. If nothing can be wrong,
    there is one stage of size 0. Raise ValueError if `first` errors cannot be tolerated.
    """
    items = claim.items
    if claim.most >= items:
        return (Stage(0, 0, claim.most),)
    size = audit_size(claim, risk, first)
    if size is None:
        raise ValueError(f"{first} errors tolerated and {claim.most} allowed, of {items} labels")
    if count == 1:
        return (Stage(size, first, claim.allowed(size)),)
    result: Stages = ()
    count = min(count, items - claim.most - first)
    for number in range(count):
        spend = risk * (1 if number == count - 1 else 1 - (1 - FIRST_SHARE) * 0.5**number)
        low = max((stage.checked for stage in result), default=first)
        high = items
        while high - low > 1:
            middle = (low + high) // 2
            fits = missed(claim, (*result, _stage(claim, middle, first + number))) <= spend * (1 - TIE)
            low, high = (low, middle) if fits else (middle, high)
        result = (*result, _stage(claim, high, first + number))
        if high == items:
            break
    return result


@lru_cache(maxsize=256)
def sequential(claim: Claim, risk: float) -> Stages:
    """Return an audit that may stop after any label: the stages where it tolerates 0, 1, 2, ... errors.

    There are at most LOOKS stages, and no stage checks more than half of the items.

    The stages are where the evidence of `_boundary` reaches a level. The level is as low as the risk allows, by the
    exact probability of all stages together. Ville's inequality would ask for the level 1 / risk.
    """
    if claim.most >= claim.items // 2:
        return staged(claim, risk, 0, 1)
    best: Stages = ()
    low, high = 0.0, STRICTER - float(np.log(risk))  # levels: low proves too little, high is sure to be enough
    for _ in range(HALVINGS):
        level = (low + high) / 2
        found = _boundary(claim, level)
        if found and missed(claim, found) > risk * (1 - TIE):
            low = level
        else:
            best, high = found, level
    return best or staged(claim, risk, 0, 1)


def _stage(claim: Claim, checked: int, tolerated: int) -> Stage:
    return Stage(checked, tolerated, claim.allowed(checked))


def _boundary(claim: Claim, level: float) -> Stages:
    """Return for each number of errors the smallest size at which the evidence reaches a level, given as a logarithm.

    The first t drawn labels, x of them wrong, are exchangeable. If w of the items are wrong, the probability of these
    labels is L(w) = (w)_x (items - w)_{t-x} / (items)_t, with falling factorials. The evidence is the mixture
    sum_w prior(w) L(w) / L(A + 1), w = 0 .. A. It grows with t and falls with x, so each x has one size. It is the
    martingale of Waudby-Smith and Ramdas, "Confidence sequences for sampling without replacement" (2020).
    """
    items = claim.items
    most = claim.most
    w = np.unique(np.linspace(0, most, min(most + 1, EVENLY)).round().astype(np.int64))
    width = np.diff(w, append=most + 1)
    prior = np.exp(-PRIOR * w / (most + 1)) * width
    log_prior = np.log(prior / prior.sum())
    ratio = np.zeros(len(w))  # from the x wrong draws: log (w)_x - log (A + 1)_x
    result: Stages = ()
    for errors in range(min(WHOLE_LOOKS if claim.whole else LOOKS, most + 1)):
        if errors:
            with np.errstate(divide="ignore"):
                ratio = ratio + np.log(np.maximum(w - errors + 1, 0)) - np.log(most + 2 - errors)
        low = max((stage.checked for stage in result), default=0)
        high = items // 2 + 1
        while high - low > 1:
            middle = (low + high) // 2
            evidence = np.logaddexp.reduce(log_prior + ratio + _gain(items, w, width, middle - errors))
            low, high = (low, middle) if evidence >= level else (middle, high)
        if high > items // 2:
            break
        result = (*result, _stage(claim, high, errors))
    return result


def _gain(items: int, w: Array, width: Array, right: int) -> Array:
    """Return log (items - w)_right - log (items - A - 1)_right, float64 [n].

    It is a sum of logarithms over w .. A, of which there are `width` up to the next w. They are taken to be as large as
    the one in their middle.
    """
    gain: Array = -np.cumsum((width * np.log1p(-right / (items - w - (width - 1) / 2)))[::-1])[::-1]
    return gain
