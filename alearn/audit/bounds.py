"""Compute what is certain after an audit: how many labels may be wrong, and where to cut.

A labeling is frozen: N items that no human labeled have one label each. They are in one total order, from most to
least trusted. m of them are drawn uniformly without replacement, and a human labels these blind. Sampled errors are
corrected.

    Theorem. Let A be the number of wrong labels that may be delivered, and k such that
    P[Hypergeometric(N, A + 1 + k, m) <= k] <= risk. Accept the labels before the (k + 1)-th sampled error in the order,
    or all labels if there are fewer sampled errors. The probability that more than A delivered labels are wrong is at
    most `risk`.

    Proof. Which labels are wrong is fixed before the draw. Let B be the first A + 1 + k wrong labels in the order.
    Suppose that more than A labels are wrong among those that are accepted and not corrected.
    - If there is a cut, exactly k sampled errors lie before it. So at least A + 1 + k wrong labels do, B is among them,
      and at most k of B were sampled.
    - If there is none, x <= k wrong labels were sampled in all, and at least A + 1 + x labels are wrong. If B exists,
      at most x of it were sampled. If not, at most k - x right labels complete it. Of these A + 1 + k labels, at most
      x + (k - x) = k were sampled.
    So at most k of the A + 1 + k labels of a fixed set were sampled. Their number is Hypergeometric(N, A + 1 + k, m).
    No union bound over places is needed, because the number of wrong labels up to a place only grows with the place.

Cutting at a place is the scheme of Candes, Ilyas and Zrnic, "Probably Approximately Correct Labels" (2025). Their
bounds are replaced by the exact distribution, and labels that the audit corrects do not count as delivered errors. The
theorem assumes nothing about the model, its calibration, or the origin of the items.

An audit can also proceed in stages: it checks the first m_1 labels in the order of the draw, then up to m_2, and so on.
Each stage s offers the labels before the (k_s + 1)-th error found so far, and the audit may stop at any stage, for any
reason. By the same proof, too many labels are wrong only if at some stage at most k_s of the first A + 1 + k_s wrong
labels were found. `missed` is the exact probability of that, in the worst case. It need not be small stage by stage.
A claim about the model's own labels accepts all or none of them: see `Claim`.

Probabilities are computed in logarithms. If that of a single stage is within TIE of the risk, it is computed again in
whole numbers, so rounding never decides. `alearn.audit.designs` keeps those of several stages TIE below the risk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import NamedTuple

import numpy as np

from alearn.values import Array

TIE = 1e-7
"""Relative distance from the risk below which a comparison in floating point is not trusted."""

NONE = 1e-30
"""Probabilities below this are not followed any further."""


class Stage(NamedTuple):
    """A size at which an audit may stop.

    checked: the number of labels checked so far.
    tolerated: the number of errors among them with which everything is still accepted.
    allowed: the most delivered labels that may be wrong if the audit stops here.
    """

    checked: int
    tolerated: int
    allowed: int


Stages = tuple[Stage, ...]
"""The stages of an audit. Checked and tolerated numbers ascend."""


@dataclass(frozen=True)
class Claim:
    """What shall be proven about N frozen labels.

    Attributes:
        items: N.
        most: The most delivered labels that may be wrong.
        share: None, or the share of the labels that stay the model's that may be wrong. Then all labels are accepted or
            none. A cut would make the accepted part smaller, and its share of wrong labels can rise and fall from place
            to place, but the theorem needs a number that only grows.
    """

    items: int
    most: int
    share: float | None = None

    @property
    def whole(self) -> bool:
        """Whether the labels are accepted as a whole or not at all."""
        return self.share is not None

    def allowed(self, checked: int) -> int:
        """Return how many delivered labels may be wrong once `checked` labels are a human's."""
        return self.most if self.share is None else allowed(self.items - checked, self.share)


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


def crossing(items: int, drawn: Sequence[int], wrong: Array, tolerated: Array) -> Array:
    """Return the exact probability that an audit accepts at some of S looks, in each of W cases, float64 [W].

    Look s accepts if at most `tolerated` of the first `wrong` wrong labels are among the first `drawn` ones.

    The count is a Markov chain. From one look to the next it grows by Hypergeometric(items - drawn, wrong - count,
    new). A wrong label that joins the counted ones is at each of the items - wrong other places of the draw with the
    same probability, whatever the counts before. So it is among those drawn with probability
    (drawn - count) / (items - wrong).

    Args:
        items: The number of labels.
        drawn: int [S], ascending.
        wrong: int64 [W, S], ascending along S, by the same steps in all cases.
        tolerated: int64 [W, S]; below 0, a look accepts nothing.
    """
    count = np.arange(max(0, tolerated.max(initial=0)) + 2)
    chance = np.zeros((len(wrong), len(count)))  # by the count, if no look has accepted yet
    chance[:, 0] = 1.0  # the last column stands for higher counts than any look accepts
    crossed = np.zeros(len(wrong))
    before = 0
    counted = wrong[:, 0]
    for look, now in enumerate(drawn):
        chance = _grow(chance, items - before, counted, now - before)
        for _ in range(int(wrong[0, look] - counted[0])):
            joins = chance[:, :-1] * np.clip((now - count[:-1]) / (items - counted[:, None]), 0, 1)
            chance[:, :-1] -= joins
            chance[:, 1:] += joins
            counted = counted + 1
        accepts = (count <= tolerated[:, look, None]) & (count < count[-1])
        crossed += np.where(accepts, chance, 0).sum(1)
        chance[accepts] = 0
        before = now
    return crossed


def missed(claim: Claim, stages: Stages) -> float:
    """Return the exact probability that an audit delivers too many wrong labels, whichever labels are wrong.

    The audit stops at the stage that is worst. With a cut, the theorem names the worst case: as many labels are wrong
    as the last stage counts. If labels are accepted as a whole, W of them are wrong, and stage s delivers too
    many if at most min(k_s, W - A_s - 1) were found. Every W is tried that is not plainly better than another one.
    """
    drawn, tolerated, most = (np.array(numbers, np.int64) for numbers in zip(*stages, strict=True))
    if not claim.whole:
        return float(crossing(claim.items, drawn.tolist(), (most + 1 + tolerated)[None], tolerated[None])[0])
    worst = min(claim.items, int((most + 1 + tolerated).max()))  # with more wrong labels, errors are found more often
    wrong = np.arange(most.min() + 1, worst + 1)[:, None] + 0 * drawn
    return float(crossing(claim.items, drawn.tolist(), wrong, np.minimum(tolerated, wrong - most - 1)).max())


def sound(claim: Claim, risk: float, stages: Stages) -> bool:
    """Return whether an audit of these stages delivers too many wrong labels with a probability of at most `risk`."""
    if not stages or stages[0].checked < 0 or stages[-1].checked > claim.items or stages[0].tolerated < 0:
        return False
    for before, after in pairwise(stages):
        if before.checked >= after.checked or before.tolerated >= after.tolerated:
            return False
        if before.allowed != after.allowed and not claim.whole:
            return False
    if any(not 0 <= stage.allowed <= claim.allowed(stage.checked) for stage in stages):
        return False
    if stages[-1].allowed >= claim.items:
        return True
    if any(stage.allowed + 1 + stage.tolerated > claim.items for stage in stages):
        return False
    if len(stages) == 1:
        audited, errors, most = stages[0]
        return at_most(claim.items, most + 1 + errors, audited, errors, risk)
    return missed(claim, stages) <= risk


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


def at_most(items: int, wrong: int, audited: int, errors: int, risk: float) -> bool:
    """Return whether P[Hypergeometric(items, wrong, audited) <= errors] <= risk, decided exactly."""
    probability = tail(items, wrong, audited, errors)
    if abs(probability - risk) > TIE * risk:
        return probability <= risk
    least = max(0, audited - (items - wrong))
    ways = sum(comb(wrong, i) * comb(items - wrong, audited - i) for i in range(least, errors + 1))
    limit = Fraction(Decimal(repr(risk)))
    return ways * limit.denominator <= limit.numerator * comb(items, audited)


def _grow(chance: Array, items: int, wrong: Array, new: int) -> Array:
    """Return the distributions of the count after `new` more labels are drawn, float64 [W, K].

    chance: float64 [W, K], by the count so far; the last column stands for all higher counts. items: the labels that
    were not drawn before. wrong: int64 [W], the labels that count, drawn or not.
    """
    most = chance.shape[1] - 2
    result = np.zeros_like(chance)
    counts = np.flatnonzero((chance[:, :-1] > NONE).any(0)).tolist()
    if counts:
        least = max(0, int(wrong.min()) - counts[-1])
        arrives = _pmfs(items, np.arange(least, wrong.max() - counts[0] + 1), new, most)
        for count in counts:
            grown = arrives[np.maximum(wrong - count - least, 0), : most + 1 - count]
            result[:, count : most + 1] += chance[:, count, None] * grown
    result[:, -1] = np.maximum(0, chance.sum(1) - result[:, :-1].sum(1))
    return result


def _pmfs(items: int, wrong: Array, audited: int, most: int) -> Array:
    """Return P[Hypergeometric(items, w, audited) = e] for consecutive w and e = 0 .. most, float64 [W, most + 1].

    wrong: int64 [W], ascending by 1.
    """
    if audited > items - wrong[-1]:
        return np.stack([_pmf(items, w, audited, most) for w in wrong.tolist()])
    # to find no error is more probable by a simple ratio if one label less is wrong
    ratio = np.log1p(audited / (items - wrong[:0:-1] + 1 - audited))
    none = _log_none(items, int(wrong[-1]), audited) + np.concatenate([[0.0], np.cumsum(ratio)])[::-1]
    e = np.arange(most)
    rest = items - wrong[:, None] - audited + e + 1
    with np.errstate(divide="ignore"):
        more = np.log(np.maximum((wrong[:, None] - e) * ((audited - e) / rest), 0) / (e + 1))
    result: Array = np.exp(none[:, None] + np.concatenate([np.zeros((len(wrong), 1)), np.cumsum(more, axis=1)], axis=1))
    return result


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
        first = _log_none(items, wrong, audited)
    else:  # even with the fewest errors, all correct labels are sampled
        first = np.log1p(-(items - audited) / (items - np.arange(items - wrong))).sum()
    e = np.arange(least, top)
    ratio = (wrong - e) / (e + 1) * ((audited - e) / (items - wrong - audited + e + 1))
    result[least : top + 1] = np.exp(first + np.concatenate([[0.0], np.cumsum(np.log(ratio))]))
    return result


def _log_none(items: int, wrong: int, audited: int) -> float:
    """Return log P[Hypergeometric(items, wrong, audited) = 0], which must not be 0."""
    fewer, more = sorted((wrong, audited))
    return float(np.log1p(-more / (items - np.arange(fewer))).sum()) if fewer else 0.0
