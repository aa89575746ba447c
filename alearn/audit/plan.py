"""Estimate what audits cost: to choose one, to decide when to end it, and whether another round should come first.

Everything rests on estimates of the probability that each label is wrong (`alearn.audit.profiles`). These decide what a
certificate costs, never whether it is right: `alearn.audit.bounds` holds for any audit that ends at any of its stages,
for any reason.

Cost is counted in hand labels: the labels that are checked, and the labels beyond the cut.

Shape letters: N frozen labels, R simulated audits, G intervals of the order, P profiles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from alearn import rng
from alearn.audit import bounds, designs
from alearn.audit.bounds import Claim, Stages
from alearn.audit.profiles import Profiles
from alearn.errors import AlearnError
from alearn.values import Array

Kind = Literal["auto", "single", "staged", "sequential"]
"""When an audit may stop: at a single size, at one of a few sizes, or whenever one more error can be tolerated. auto:
staged or sequential, whichever is expected to be cheaper. A single size is dear where estimates are wrong."""

SIMULATED = 200
"""Audits that are simulated to estimate the cost of an audit."""
LARGE = 1_000_000
"""Of more labels than these, only those that an audit may draw are simulated."""
DRAWS = 100
"""An audit of a large pool draws at most so many times the labels without which nothing can be proven."""
STAGES, WHOLE_STAGES = 5, 8
"""Stages of a staged audit; and of one that accepts all or nothing, where failing at the last stage is costly."""
PATIENCE = 2
"""Plans with more and more tolerated errors are tried, until this many in a row are no cheaper."""
AHEAD = 1, 2, 3, 4, 6, 9, 14, 21
"""If an audit goes on, it is assumed to end one of these numbers of stages later."""
GRID = 150
"""Intervals of the order. They become finer towards the end, where most wrong labels are."""
PRIOR_ERRORS = 4.0
"""The estimate of all wrong labels counts as much as this many errors found by the audit itself."""
WORTH = 0.01
"""An audit goes on only if that is expected to save this share of its cost, because people are asked once more."""


class Wrong(NamedTuple):
    """The wrong labels of a simulated audit: their places in the order of trust, and their positions in the draw."""

    place: Array
    rank: Array


class Costs:
    """The cost of stopping an audit at each of its stages, and the expected cost of going on.

    The errors that an audit finds show which profile is right: see `later`.
    """

    def __init__(self, profiles: Profiles, stages: Stages, whole: bool = False) -> None:
        """profiles: estimates for the labels that are audited. whole: whether all labels are accepted or none."""
        self._items = len(profiles[0])
        self._stages = stages
        self._whole = whole
        ends = self._items - np.geomspace(1, max(1, self._items), GRID).astype(np.int64)
        edges = np.unique(np.concatenate([[0], ends, [self._items]]))
        if whole:
            edges = np.array([0, self._items])
        self._ends_g = edges[1:]
        self._width_g = np.diff(edges)
        self._wrong_pg = np.stack([np.concatenate([[0.0], np.cumsum(one)])[self._ends_g] for one in profiles])
        """Expected number of wrong labels up to the end of each interval."""
        density = np.diff(self._wrong_pg, prepend=0.0) / self._width_g if self._items else np.ones((len(profiles), 1))
        self._log_density_pg = np.log(np.maximum(density, 1e-12))

    def now(self, stage: int, places: Array) -> float:
        """Return the cost of ending at this stage: labels that are checked, and unchecked labels beyond the cut.

        places: int64, the places of the errors found so far.
        """
        size, tolerated, _ = self._stages[stage]
        cut = bounds.cut(self._items, tolerated, places, self._whole)
        return size + (self._items - cut) * (1 - size / max(1, self._items))

    def enough(self, stage: int, places: Array) -> bool:
        """Return whether to stop at this stage, because no later stage is expected to be worth its questions."""
        now = self.now(stage, places)
        return bool(now * (1 - WORTH) <= self.later(stage, [places])[0])

    def later(self, stage: int, errors: Sequence[Array]) -> Array:
        """Return the expected cost of ending at the best later stage, float64 [R]; infinite if there is none.

        The places of wrong labels that are not drawn yet are modelled as a Poisson process. The rate of a profile is
        scaled by the number of errors found so far (a gamma prior of shape PRIOR_ERRORS), and the profiles are weighted
        by the probability of these errors at these places. errors: the places, per audit.
        """
        size, _, _ = self._stages[stage]
        best = np.full(len(errors), np.inf)
        if stage + 1 == len(self._stages) or not len(errors):
            return best
        before_rg = np.stack([np.searchsorted(np.sort(places), self._ends_g) for places in errors])
        count_r = np.array([len(places) for places in errors])
        expected_p = PRIOR_ERRORS + self._wrong_pg[:, -1] * size / self._items
        scale_rp = (PRIOR_ERRORS + count_r)[:, None] / expected_p
        found_rg = np.diff(before_rg, axis=1, prepend=0)
        weight_rp = _shares(found_rg @ self._log_density_pg.T - (PRIOR_ERRORS + count_r)[:, None] * np.log(expected_p))
        for later, tolerated, _ in (self._stages[stage + n] for n in AHEAD if stage + n < len(self._stages)):
            share = (later - size) / (self._items - size)
            beyond_r = np.zeros(len(errors))
            for wrong_g, scale_r, weight_r in zip(self._wrong_pg, scale_rp.T, weight_rp.T, strict=True):
                accepted_rg = _poisson_cdf(tolerated - before_rg, share * scale_r[:, None] * wrong_g)
                beyond_r += weight_r * ((1 - accepted_rg) * self._width_g).sum(1)
            best = np.minimum(best, later + beyond_r * (1 - later / self._items))
        return best

    def simulate(self, wrong: Sequence[Wrong]) -> Array:
        """Return the cost of R simulated audits, float64 [R]. wrong: for each audit, the wrong labels."""
        spent, open_r = np.zeros(len(wrong)), np.arange(len(wrong))
        for stage, (size, _, _) in enumerate(self._stages):
            errors = [np.sort(wrong[r].place[wrong[r].rank < size]) for r in open_r.tolist()]
            now = np.array([self.now(stage, places) for places in errors])
            stop = now * (1 - WORTH) <= self.later(stage, errors)
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


def _shares(log_weight_rp: Array) -> Array:
    """Return weights, given by their logarithms, as shares of 1."""
    weight_rp = np.exp(log_weight_rp - log_weight_rp.max(1, keepdims=True))
    shares: Array = weight_rp / weight_rp.sum(1, keepdims=True)
    return shares


def simulated(profiles: Profiles, drawn: int | None = None) -> list[Wrong]:
    """Draw the wrong labels, SIMULATED times in all. Each label is wrong independently of the others.

    The same arguments give the same labels.

    Args:
        profiles: The probabilities, in the order of trust.
        drawn: How many labels the audits draw at the most, of a large pool; wrong labels beyond these are left out.
            None takes in all wrong labels.
    """
    shares = np.array_split(np.arange(SIMULATED), len(profiles))
    if drawn is not None:
        return [wrong for one, share in zip(profiles, shares, strict=True) for wrong in _drawn(one, drawn, len(share))]
    places = [places for one, share in zip(profiles, shares, strict=True) for places in _places(one, len(share))]
    return ranked(places, len(profiles[0]))


def ranked(places: Sequence[Array], items: int) -> list[Wrong]:
    """Draw the positions in the draw at which labels at these places come, out of so many items."""
    generator = rng.generator(0, 0, "plan")
    return [Wrong(place, generator.choice(items, len(place), replace=False)) for place in places]


def _drawn(probability: Array, drawn: int, repeats: int) -> Iterator[Wrong]:
    """Yield the wrong ones among the first `drawn` labels of a draw. A label that would come twice comes once."""
    generator = rng.generator(0, 0, "profile")
    for _ in range(repeats):
        place, rank = np.unique(generator.integers(len(probability), size=drawn), return_index=True)
        wrong = generator.random(len(place)) < probability[place]
        yield Wrong(place[wrong], rank[wrong])


def _places(probability: Array, repeats: int) -> list[Array]:
    generator = rng.generator(0, 0, "profile")
    likely = np.flatnonzero(probability > 1e-3)  # a random number for each; for the others, draw how many are wrong
    others = np.flatnonzero(probability <= 1e-3)
    cumulative = np.cumsum(probability[others])
    result = []
    for _ in range(repeats):
        sure = likely[generator.random(len(likely)) < probability[likely]]
        few = generator.poisson(cumulative[-1]) if len(others) else 0
        at = np.searchsorted(cumulative, generator.random(few) * cumulative[-1]) if few else np.zeros(0, np.int64)
        result.append(np.unique(np.concatenate([sure, others[at]])))
    return result


@dataclass(frozen=True)
class Plan:
    """The audit of a group of labels, and its expected cost: labels to check and labels beyond the cut.

    Attributes:
        stages: The stages.
        mean: The geometric mean, over the profiles, of the mean cost. A profile under which every audit is dear must
            not decide alone which audit is cheapest.
        median: The median over all simulated audits.
        high: The 90th percentile over all simulated audits.
    """

    stages: Stages
    mean: float
    median: float
    high: float


def plans(claim: Claim, risk: float, profiles: Profiles, kind: Kind = "auto") -> list[Plan]:
    """Return the sensible audits of a group, at least one, cheapest on average over the profiles first."""
    wrong = simulated(profiles, DRAWS * designs.floor(claim, risk) if claim.items > LARGE else None)
    result = [_plan(claim, profiles, wrong, designs.sequential(claim, risk))] if kind in ("auto", "sequential") else []
    if kind == "sequential":
        return result
    stages = 1 if kind == "single" else WHOLE_STAGES if claim.whole else STAGES
    means = list[float]()
    for first in range(claim.items + 1):
        if designs.audit_size(claim, risk, first) is None:
            break
        result.append(_plan(claim, profiles, wrong, designs.staged(claim, risk, first, stages)))
        means.append(result[-1].mean)
        if means.index(min(means)) + PATIENCE < len(means):
            break
    return sorted(result, key=lambda plan: plan.mean)


def reachable(claims: Sequence[Claim], risk: float, budget: int | None = None) -> int:
    """Return the size of the smallest audit that can prove anything, summed over all groups.

    Args:
        claims: What is to be proven of each group.
        risk: The risk of each group.
        budget: The most labels that the audit may check; None has no limit.

    Raises:
        AlearnError: The size is more than the budget, or more than half of the labels.
    """
    floor = sum(designs.floor(claim, risk) for claim in claims)
    allowed, total = sum(claim.allowed(0) for claim in claims), sum(claim.items for claim in claims)
    at = f"at a risk of {risk:.4g}{' per class' if len(claims) > 1 else ''}"
    goal = f"to prove {at} that at most {allowed:,} of {total:,} labels are wrong"
    text = f"{goal}, at least {floor:,} must be checked, whatever the model"
    if budget is not None and floor > budget:
        raise AlearnError(f"{text}: more than the budget of {budget:,}")
    if floor > total / 2:
        raise AlearnError(f"{text}: label them all, or allow more errors")
    return floor


def _plan(claim: Claim, profiles: Profiles, wrong: list[Wrong], stages: Stages) -> Plan:
    spent = Costs(profiles, stages, claim.whole).simulate(wrong)
    means = np.array([max(1e-9, part.mean()) for part in np.array_split(spent, len(profiles))])
    mean = np.exp(np.log(means).mean())
    return Plan(stages, *(float(x) for x in (mean, np.median(spent), np.percentile(spent, 90))))
