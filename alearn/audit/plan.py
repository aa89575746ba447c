"""What an audit is expected to cost: which one to choose, when to end it, and whether another round comes before it.

All of it rests on estimates of how probably each label is wrong. They decide what a certificate costs and never whether
it is right: `alearn.audit.bounds` holds for any audit that ends at any of its stages, for whatever reason.

Cost is counted in hand labels: those that are checked, and those beyond the cut.

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
"""Audits that are simulated to estimate what one costs."""
STAGES, WHOLE_STAGES = 5, 8
"""Of a staged audit; of one that accepts all or nothing, for then the end of the stages is dear."""
PATIENCE = 2
"""Plans tolerate ever more errors at their first stage, until so many in a row were no cheaper."""
AHEAD = 1, 2, 3, 4, 6, 9, 14, 21
"""Stages ahead at which an audit that goes on is taken to end."""
GRID = 150
"""Intervals, ever finer towards the end, where most wrong labels are."""

SLOPE, SLOPE_SD, SHIFT_SD = 1.1, 0.1, 1.0
"""Before anything is known: log-odds of being wrong, by log-odds of the model. Averages over rounds and views are too
cautious, hence a slope over 1."""
UNKNOWN = 0.005
"""Probability that a label is wrong of whose confidence nothing is known."""
ANYWHERE = 0.03
"""Share of the wrong labels that is expected anywhere in the order, however sure the model is."""
DECAY, DECAY_SD, NOISE = 2.0, 0.5, 0.3
"""Wrong labels fall as a power of the hand labels. Before anything is known, that power; how far the logarithm of an
estimate of them is off."""
TREND = 3
"""Rounds from which the power is estimated."""
PRIOR_ERRORS = 4.0
"""The estimate of all wrong labels counts as much as so many errors found by the audit itself."""


@dataclass(frozen=True)
class Known:
    """Labels that a model gave before a human did, so without having learned from them. doubt: log(1 - p), float [n].
    wrong: bool [n]. weight: float [n], what each counts.
    """

    doubt: Array
    wrong: Array
    weight: Array


def error_profile(doubt: Array, known: Known | None = None) -> Array:
    """float64 [N]: an estimate of the probability that each label is wrong, from its doubt, log(1 - p).

    Platt scaling (1999): logit P(wrong) = shift + slope logit(1 - p), the most probable pair under a normal prior.
    Without known labels confidences are taken at their word.
    """
    if not len(doubt):
        return np.zeros(0)
    shift, slope = (0.0, 1.0) if known is None else _platt(_log_odds(known.doubt), known.wrong, known.weight)
    likely = 1 / (1 + np.exp(-np.clip(shift + slope * _log_odds(doubt), -500, 500)))
    result: Array = (1 - ANYWHERE) * likely + ANYWHERE * likely.mean()
    return result


def _log_odds(doubt: Array) -> Array:
    """log((1 - p) / p)."""
    doubt = np.clip(np.nan_to_num(doubt.astype(np.float64), nan=np.log(UNKNOWN)), -100, -1e-9)
    odds: Array = doubt - np.log1p(-np.exp(doubt))
    return odds


def _platt(odds: Array, wrong: Array, weight: Array) -> tuple[float, float]:
    """Shift and slope, by Newton's method: the objective is strictly convex."""
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
    """What stopping an audit costs at each of its stages, and what going on is expected to.

    probability: float64 [N], that each label is wrong, from the most trusted on. whole: whether all of the labels are
    accepted or none.
    """

    def __init__(self, probability: Array, stages: Stages, whole: bool = False) -> None:
        self._items, self._stages, self._whole = len(probability), stages, whole
        ends = self._items - np.geomspace(1, max(1, self._items), GRID).astype(np.int64)
        edges = np.unique(np.concatenate([[0], ends, [self._items]]))
        if whole:
            edges = np.array([0, self._items])
        self._ends_g, self._width_g = edges[1:], np.diff(edges)
        self._wrong_g = np.concatenate([[0.0], np.cumsum(probability)])[self._ends_g]
        """Wrong labels that are expected up to the end of each interval."""

    def now(self, stage: int, places: Array) -> float:
        """Of ending at this stage: what is checked, and what of the rest lies beyond the cut. places: int64, of the
        errors found so far.
        """
        size, tolerated = self._stages[stage]
        cut = bounds.cut(self._items, tolerated, places, self._whole)
        return size + (self._items - cut) * (1 - size / max(1, self._items))

    def enough(self, stage: int, places: Array) -> bool:
        """Whether to stop at this stage: no later one is expected to be cheaper."""
        return bool(self.now(stage, places) <= self.later(stage, [places])[0])

    def later(self, stage: int, found: Sequence[Array]) -> Array:
        """float64 [R]: the expected cost of ending at the best later stage, for each list of errors found so far;
        infinite where there is none.

        Where the wrong labels among those not yet drawn are is a Poisson process, whose rate is scaled by how many were
        found (a gamma prior of shape PRIOR_ERRORS).
        """
        best, (size, _) = np.full(len(found), np.inf), self._stages[stage]
        if stage + 1 == len(self._stages) or not len(found):
            return best
        before_rg = np.stack([np.searchsorted(np.sort(places), self._ends_g) for places in found])
        count_r = np.array([len(places) for places in found])
        scale_r = (PRIOR_ERRORS + count_r) / (PRIOR_ERRORS + self._wrong_g[-1] * size / self._items)
        for later, tolerated in (self._stages[stage + n] for n in AHEAD if stage + n < len(self._stages)):
            share = (later - size) / (self._items - size)
            accepted_rg = _poisson_cdf(tolerated - before_rg, share * scale_r[:, None] * self._wrong_g)
            beyond_r = ((1 - accepted_rg) * self._width_g).sum(1)
            best = np.minimum(best, later + beyond_r * (1 - later / self._items))
        return best

    def simulate(self, wrong: Sequence[Array]) -> Array:
        """float64 [R]: what audits cost that are carried out. wrong: int64, the places of the wrong labels in each. The
        same arguments give the same cost.
        """
        generator = rng.generator(0, 0, "plan")
        rank = [generator.choice(self._items, len(p), replace=False) for p in wrong]  # when each is drawn
        spent, open_r = np.zeros(len(wrong)), np.arange(len(wrong))
        for stage, (size, _) in enumerate(self._stages):
            found = [np.sort(wrong[r][rank[r] < size]) for r in open_r.tolist()]
            now = np.array([self.now(stage, places) for places in found])
            stop = now <= self.later(stage, found)
            spent[open_r[stop]] = now[stop]
            open_r = open_r[~stop]
            if not len(open_r):
                break
        return spent


def _poisson_cdf(count: Array, rate: Array) -> Array:
    """P[Poisson(rate) <= count], elementwise; 0 for a count below 0."""
    term = np.exp(-rate)
    total = np.where(count >= 0, term, 0.0)
    for k in range(1, int(count.max(initial=0)) + 1):
        term = term * rate / k
        total = total + np.where(count >= k, term, 0.0)
    return total


def simulated(probability: Array) -> list[Array]:
    """Places of the wrong labels, SIMULATED times: each label is wrong by itself with its probability, float64 [N], in
    the order of trust.
    """
    generator = rng.generator(0, 0, "profile")
    likely = np.flatnonzero(probability > 1e-3)  # one number each; of the many others it is drawn how many are wrong
    others = np.flatnonzero(probability <= 1e-3)
    cumulative = np.cumsum(probability[others])
    found = []
    for _ in range(SIMULATED):
        sure = likely[generator.random(len(likely)) < probability[likely]]
        few = generator.poisson(cumulative[-1]) if len(others) else 0
        at = np.searchsorted(cumulative, generator.random(few) * cumulative[-1]) if few else np.zeros(0, np.int64)
        found.append(np.unique(np.concatenate([sure, others[at]])))
    return found


@dataclass(frozen=True)
class Plan:
    """The audit of a group of labels, and what it is expected to cost: labels to check and beyond the cut, by hand."""

    stages: Stages
    allowed: int
    mean: float
    median: float
    high: float
    """90th percentile."""


def plans(promise: Promise, probability: Array, kind: Kind = "staged") -> list[Plan]:
    """The sensible audits of a group, the cheapest in the mean first; at least one. probability: float64 [N], that each
    label is wrong, from the most trusted on.
    """
    wrong, found, means = simulated(probability), list[Plan](), list[float]()
    for first in range(promise.allowed(len(probability)) + 1):
        chosen = [
            _plan(promise, probability, wrong, *design) for design in _designs(promise, len(probability), first, kind)
        ]
        if not chosen:
            break
        found += chosen
        means.append(min(plan.mean for plan in chosen))
        if kind == "sequential" or means.index(min(means)) + PATIENCE < len(means):
            break
    return sorted(found, key=lambda plan: plan.mean)


def reachable(promise: Promise, items: Sequence[int], budget: int | None = None) -> int:
    """Return the size of the smallest audit that proves anything, in all groups together.

    Args:
        promise: What holds for each group.
        items: Labels of each group.
        budget: Labels that the audit may check.

    Raises:
        AlearnError: It takes more than the budget, or more than half of the labels.
    """
    floor = sum(bounds.floor(n, promise.allowed(n), promise.risk) for n in items)
    allowed, total = sum(promise.allowed(n) for n in items), sum(items)
    what = f"to prove that at most {allowed:,} of {total:,} labels are wrong takes at least {floor:,} checked ones"
    at = f"at a risk of {promise.risk:.4g}{' a class' if len(items) > 1 else ''}, whatever the model"
    if budget is not None and floor > budget:
        raise AlearnError(f"{what} {at}: more than the budget of {budget:,}")
    if floor > total / 2:
        raise AlearnError(f"{what} {at}: label them all, or allow more errors")
    return floor


def _plan(promise: Promise, probability: Array, wrong: list[Array], allowed: int, stages: Stages) -> Plan:
    spent = Costs(probability, stages, promise.whole).simulate(wrong)
    return Plan(stages, allowed, *(float(x) for x in (spent.mean(), np.median(spent), np.percentile(spent, 90))))


def _designs(promise: Promise, items: int, first: int, kind: Kind) -> Iterator[tuple[int, Stages]]:
    """(allowed, stages) of audits whose first stage tolerates `first` errors. Where more checked labels leave fewer
    that may be wrong, fewer are allowed until it fits.
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
    """float64 [N - asks]: what `error_profile` is expected to be after hand labels for the `asks` last of the order,
    and a model that has learned from them beside the `hand` that there are.
    """
    left = probability[: max(0, len(probability) - asks)]
    wrong = probability.sum() * (hand / (hand + asks)) ** decay
    return np.minimum(1, left * (wrong / left.sum())) if left.sum() else left


def decay(hand: Array, wrong: Array) -> float:
    """The power of the hand labels by which wrong ones fall: the slope of log(wrong) on log(hand) over the last TREND
    rounds, most probable under a normal prior. float64 [rounds] both; wrong: estimates.
    """
    x, y = np.log(hand[-TREND:]), np.log(np.maximum(wrong[-TREND:], 1e-9))
    x, y = x - x.mean(), y - y.mean()
    weight = DECAY_SD**-2
    return float((weight * DECAY - x @ y / NOISE**2) / (weight + x @ x / NOISE**2))
