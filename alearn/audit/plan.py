"""Estimate what audits cost: to choose one, to decide when to end it, and whether another round should come first.

Everything rests on estimates of the probability that each label is wrong. These decide what a certificate costs, never
whether it is right: `alearn.audit.bounds` holds for any audit that ends at any of its stages, for any reason.

Cost is counted in hand labels: the labels that are checked, and the labels beyond the cut.

Shape letters: N frozen labels, R simulated audits, G intervals of the order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alearn import rng
from alearn.audit import bounds
from alearn.audit.bounds import Stages
from alearn.audit.rules import Kind, Promise
from alearn.errors import AlearnError
from alearn.values import Array

SIMULATED = 200
"""Audits that are simulated to estimate the cost of an audit."""
STAGES, WHOLE_STAGES = 5, 8
"""Stages of a staged audit; and of one that accepts all or nothing, where failing at the last stage is costly."""
PATIENCE = 2
"""Plans with more and more tolerated errors are tried, until this many in a row are no cheaper."""
AHEAD = 1, 2, 3, 4, 6, 9, 14, 21
"""If an audit goes on, it is assumed to end one of these numbers of stages later."""
GRID = 150
"""Intervals of the order. They become finer towards the end, where most wrong labels are."""

SLOPE, SLOPE_SD, SHIFT_SD = 1.1, 0.1, 1.0
"""Prior of the line from the model's log-odds of being wrong to the true log-odds. The slope is above 1, because
averages over rounds and views are too cautious."""
UNKNOWN = 0.005
"""Assumed probability that a label is wrong if its confidence is unknown."""
ANYWHERE = 0.03
"""Share of the wrong labels that is assumed to be anywhere in the order, however sure the model is."""
DECAY, DECAY_SD, NOISE = 2.0, 0.5, 0.3
"""The number of wrong labels falls as a power of the number of hand labels. DECAY and DECAY_SD are the prior of this
power. NOISE is the standard deviation of the logarithm of an estimate of the wrong labels."""
TREND = 3
"""The number of last rounds from which the power is estimated."""
PRIOR_ERRORS = 4.0
"""The estimate of all wrong labels counts as much as this many errors found by the audit itself."""


@dataclass(frozen=True)
class Known:
    """n labels that a model guessed before a human gave them, so it had not learned from them.

    doubt: float [n], log(1 - p). wrong: bool [n], whether the guess was wrong. weight: float [n], how much each counts.
    """

    doubt: Array
    wrong: Array
    weight: Array


def error_profile(doubt: Array, known: Known | None = None) -> Array:
    """Estimate the probability that each label is wrong, float64 [N]. doubt: float [N], log(1 - p) of each label.

    Platt scaling (1999): logit P(wrong) = shift + slope logit(1 - p), the most probable pair under a normal prior.
    Without known labels, confidences are taken at face value.
    """
    if not len(doubt):
        return np.zeros(0)
    shift, slope = (0.0, 1.0) if known is None else _platt(_log_odds(known.doubt), known.wrong, known.weight)
    likely = 1 / (1 + np.exp(-np.clip(shift + slope * _log_odds(doubt), -500, 500)))
    result: Array = (1 - ANYWHERE) * likely + ANYWHERE * likely.mean()
    return result


def _log_odds(doubt: Array) -> Array:
    """Return log((1 - p) / p) for doubts log(1 - p)."""
    doubt = np.clip(np.nan_to_num(doubt.astype(np.float64), nan=np.log(UNKNOWN)), -100, -1e-9)
    odds: Array = doubt - np.log1p(-np.exp(doubt))
    return odds


def _platt(odds: Array, wrong: Array, weight: Array) -> tuple[float, float]:
    """Return shift and slope, by Newton's method. The objective is strictly convex."""
    design = np.stack([np.ones_like(odds), odds], axis=1)
    mean, precision = np.array([0.0, SLOPE]), np.diag([SHIFT_SD**-2, SLOPE_SD**-2])

    def loss(at: Array) -> float:
        x = design @ at
        return float(weight @ (np.logaddexp(0, x) - wrong * x) + (at - mean) @ precision @ (at - mean) / 2)

    at = mean.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ at, -500, 500)))
        slope = design.T @ (weight * (p - wrong)) + precision @ (at - mean)
        step = np.linalg.solve(design.T @ (design * (weight * p * (1 - p))[:, None]) + precision, slope)
        size = 1.0
        while loss(at - size * step) > loss(at) and size > 1e-6:
            size /= 2
        at = at - size * step
        if np.abs(step).max() < 1e-8:
            break
    return float(at[0]), float(at[1])


class Costs:
    """The cost of stopping an audit at each of its stages, and the expected cost of going on.

    probability: float64 [N], the probability that each label is wrong, from most to least trusted. whole: whether
    either all labels are accepted or none.
    """

    def __init__(self, probability: Array, stages: Stages, whole: bool = False) -> None:
        self._items, self._stages, self._whole = len(probability), stages, whole
        ends = self._items - np.geomspace(1, max(1, self._items), GRID).astype(np.int64)
        edges = np.unique(np.concatenate([[0], ends, [self._items]]))
        if whole:
            edges = np.array([0, self._items])
        self._ends_g, self._width_g = edges[1:], np.diff(edges)
        self._wrong_g = np.concatenate([[0.0], np.cumsum(probability)])[self._ends_g]
        """Expected number of wrong labels up to the end of each interval."""

    def now(self, stage: int, places: Array) -> float:
        """Return the cost of ending at this stage: labels that are checked, and unchecked labels beyond the cut.

        places: int64, the places of the errors found so far.
        """
        size, tolerated = self._stages[stage]
        cut = bounds.cut(self._items, tolerated, places, self._whole)
        return size + (self._items - cut) * (1 - size / max(1, self._items))

    def enough(self, stage: int, places: Array) -> bool:
        """Return whether to stop at this stage, because no later stage is expected to be cheaper."""
        return bool(self.now(stage, places) <= self.later(stage, [places])[0])

    def later(self, stage: int, errors: Sequence[Array]) -> Array:
        """Return the expected cost of ending at the best later stage, float64 [R]; infinite if there is none.

        The places of wrong labels that are not drawn yet are modelled as a Poisson process. Its rate is scaled by the
        number of errors found so far (a gamma prior of shape PRIOR_ERRORS). errors: the places of these, per audit.
        """
        best, (size, _) = np.full(len(errors), np.inf), self._stages[stage]
        if stage + 1 == len(self._stages) or not len(errors):
            return best
        before_rg = np.stack([np.searchsorted(np.sort(places), self._ends_g) for places in errors])
        count_r = np.array([len(places) for places in errors])
        scale_r = (PRIOR_ERRORS + count_r) / (PRIOR_ERRORS + self._wrong_g[-1] * size / self._items)
        for later, tolerated in (self._stages[stage + n] for n in AHEAD if stage + n < len(self._stages)):
            share = (later - size) / (self._items - size)
            accepted_rg = _poisson_cdf(tolerated - before_rg, share * scale_r[:, None] * self._wrong_g)
            beyond_r = ((1 - accepted_rg) * self._width_g).sum(1)
            best = np.minimum(best, later + beyond_r * (1 - later / self._items))
        return best

    def simulate(self, wrong: Sequence[Array]) -> Array:
        """Return the cost of R simulated audits, float64 [R]. The same arguments give the same costs.

        wrong: for each audit, int64, the places of the wrong labels.
        """
        generator = rng.generator(0, 0, "plan")
        rank = [generator.choice(self._items, len(p), replace=False) for p in wrong]  # the position in the draw
        spent, open_r = np.zeros(len(wrong)), np.arange(len(wrong))
        for stage, (size, _) in enumerate(self._stages):
            errors = [np.sort(wrong[r][rank[r] < size]) for r in open_r.tolist()]
            now = np.array([self.now(stage, places) for places in errors])
            stop = now <= self.later(stage, errors)
            spent[open_r[stop]] = now[stop]
            open_r = open_r[~stop]
            if not len(open_r):
                break
        return spent


def _poisson_cdf(count: Array, rate: Array) -> Array:
    """Return P[Poisson(rate) <= count] elementwise; 0 if the count is below 0."""
    term = np.exp(-rate)
    total = np.where(count >= 0, term, 0.0)
    for k in range(1, int(count.max(initial=0)) + 1):
        term = term * rate / k
        total = total + np.where(count >= k, term, 0.0)
    return total


def simulated(probability: Array) -> list[Array]:
    """Draw the places of the wrong labels, SIMULATED times. Each label is wrong independently of the others.

    probability: float64 [N], the probability that each label is wrong, in the order of trust.
    """
    generator = rng.generator(0, 0, "profile")
    likely = np.flatnonzero(probability > 1e-3)  # a random number for each; for the others, draw how many are wrong
    others = np.flatnonzero(probability <= 1e-3)
    cumulative = np.cumsum(probability[others])
    result = []
    for _ in range(SIMULATED):
        sure = likely[generator.random(len(likely)) < probability[likely]]
        few = generator.poisson(cumulative[-1]) if len(others) else 0
        at = np.searchsorted(cumulative, generator.random(few) * cumulative[-1]) if few else np.zeros(0, np.int64)
        result.append(np.unique(np.concatenate([sure, others[at]])))
    return result


@dataclass(frozen=True)
class Plan:
    """The audit of a group of labels, and its expected cost: labels to check and labels beyond the cut."""

    stages: Stages
    allowed: int
    mean: float
    median: float
    high: float
    """90th percentile."""


def plans(promise: Promise, probability: Array, kind: Kind = "staged") -> list[Plan]:
    """Return the sensible audits of a group, at least one, cheapest on average first.

    probability: float64 [N], the probability that each label is wrong, from most to least trusted.
    """
    wrong, result, means = simulated(probability), list[Plan](), list[float]()
    for first in range(promise.allowed(len(probability)) + 1):
        designs = _designs(promise, len(probability), first, kind)
        chosen = [_plan(promise, probability, wrong, *design) for design in designs]
        if not chosen:
            break
        result += chosen
        means.append(min(plan.mean for plan in chosen))
        if kind == "sequential" or means.index(min(means)) + PATIENCE < len(means):
            break
    return sorted(result, key=lambda plan: plan.mean)


def reachable(promise: Promise, items: Sequence[int], budget: int | None = None) -> int:
    """Return the size of the smallest audit that can prove anything, summed over all groups.

    Args:
        promise: What holds for each group.
        items: The number of labels of each group.
        budget: The most labels that the audit may check; None has no limit.

    Raises:
        AlearnError: The size is more than the budget, or more than half of the labels.
    """
    floor = sum(bounds.floor(n, promise.allowed(n), promise.risk) for n in items)
    allowed, total = sum(promise.allowed(n) for n in items), sum(items)
    risk = f"at a risk of {promise.risk:.4g}{' per class' if len(items) > 1 else ''}"
    goal = f"to prove {risk} that at most {allowed:,} of {total:,} labels are wrong"
    text = f"{goal}, at least {floor:,} must be checked, whatever the model"
    if budget is not None and floor > budget:
        raise AlearnError(f"{text}: more than the budget of {budget:,}")
    if floor > total / 2:
        raise AlearnError(f"{text}: label them all, or allow more errors")
    return floor


def _plan(promise: Promise, probability: Array, wrong: list[Array], allowed: int, stages: Stages) -> Plan:
    spent = Costs(probability, stages, promise.whole).simulate(wrong)
    return Plan(stages, allowed, *(float(x) for x in (spent.mean(), np.median(spent), np.percentile(spent, 90))))


def _designs(promise: Promise, items: int, first: int, kind: Kind) -> Iterator[tuple[int, Stages]]:
    """Yield (allowed, stages) of audits whose first stage tolerates `first` errors.

    Where checking more labels means that fewer may be wrong, `allowed` is lowered until both fit.
    """
    most = WHOLE_STAGES if promise.whole else STAGES
    for count in {"single": (1,), "staged": (1, most), "sequential": (0,)}[kind]:
        allowed = promise.allowed(items)
        while first <= allowed:
            if kind == "sequential":
                stages = bounds.martingale(items, allowed, promise.risk)
            else:
                stages = bounds.stages(items, allowed, promise.risk, first, count)
            fits = promise.allowed(items, stages[-1][0])
            if fits >= allowed:
                yield allowed, stages
                break
            allowed = fits


def after_more(probability: Array, hand: int, asks: int, decay: float) -> Array:
    """Return the expected `error_profile` after `asks` more hand labels, float64 [N - asks].

    The last labels of the order are replaced, and a new model learns from them and the `hand` labels that exist.
    """
    left = probability[: max(0, len(probability) - asks)]
    wrong = probability.sum() * (hand / (hand + asks)) ** decay
    return np.minimum(1, left * (wrong / left.sum())) if left.sum() else left


def decay(hand: Array, wrong: Array) -> float:
    """Estimate the power of the number of hand labels by which the number of wrong labels falls.

    It is the most probable slope of log(wrong) on log(hand) over the last TREND rounds, under a normal prior. hand:
    float64 [rounds]. wrong: float64 [rounds], estimates.
    """
    x, y = np.log(hand[-TREND:]), np.log(np.maximum(wrong[-TREND:], 1e-9))
    x, y = x - x.mean(), y - y.mean()
    weight = DECAY_SD**-2
    return float((weight * DECAY - x @ y / NOISE**2) / (weight + x @ x / NOISE**2))
