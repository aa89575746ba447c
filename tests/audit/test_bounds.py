"""Compare the statistics with enumeration, SciPy and simulated audits."""

from fractions import Fraction
from itertools import combinations, permutations
from math import comb, exp, log, log1p, prod

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from alearn.audit import bounds as c
from alearn.audit import designs
from alearn.audit.bounds import Claim, Stage


def exact(items: int, wrong: int, audited: int, errors: int) -> Fraction:
    """Return P[Hypergeometric <= errors], computed by counting samples."""
    ways = sum(comb(wrong, i) * comb(items - wrong, audited - i) for i in range(min(errors, audited) + 1))
    return Fraction(ways, comb(items, audited))


@pytest.mark.parametrize(
    ("total", "target", "wrong"),
    [
        (60_000, 0.0041, 246),
        (60_000, 0.002, 120),
        (10, 0.3, 3),
        (1000, 0.0009999, 0),
        (7, 1.0, 7),
        (70_000, 0.0013, 91),
    ],
)
def test_the_allowed_errors_are_those_of_the_number_as_written(total, target, wrong):
    assert c.allowed(total, target) == wrong


def test_the_tail_is_scipys():
    for items, wrong, audited in (
        (59_000, 247, 1489),
        (1_000_000, 1001, 30_000),
        (50, 50, 20),
        (50, 0, 20),
        (50, 40, 30),
    ):
        for errors in (0, 1, 2, 5, 19, 20, 30):
            assert c.tail(items, wrong, audited, errors) == pytest.approx(
                hypergeom(items, wrong, audited).cdf(errors), rel=1e-6, abs=1e-12
            )


@pytest.mark.parametrize("risk", [0.05, 0.1, 0.25, 0.5, 1 / 3])
def test_every_size_and_bound_of_small_data_sets_against_enumeration(risk):
    """Ties, such as exactly 1/20, count as proven."""
    limit = Fraction(repr(risk))
    for items in (1, 2, 5, 12, 20):
        for allowed in range(items):
            most = range(items - allowed)  # errors that can be tolerated at all
            for audited in range(items + 1):
                for k in most:
                    right = exact(items, allowed + 1 + k, audited, k) <= limit
                    assert c.at_most(items, allowed + 1 + k, audited, k, risk) == right
            for errors in range(4):
                size = designs.audit_size(Claim(items, allowed), risk, errors)
                if errors not in most:
                    assert size is None
                    continue
                sizes = [m for m in range(items + 1) if exact(items, allowed + 1 + errors, m, errors) <= limit]
                assert size == min(sizes)


def test_edges():
    assert designs.audit_size(Claim(100, 100), 0.05) == 0, "everything may be wrong"
    assert designs.audit_size(Claim(100, 0), 0.05) == 95, "no error at all: 95 % of the items for 95 %"
    assert designs.audit_size(Claim(100, 3), 0.05, 97) is None, "not so many can be wrong"
    assert designs.audit_size(Claim(0, 0), 0.05) == 0
    assert c.cut(100, -1, np.array([5])) == 0
    assert c.cut(100, 0, np.array([70, 5])) == 5
    assert c.cut(100, 1, np.array([70, 5])) == 70
    assert c.cut(100, 2, np.array([70, 5])) == 100
    assert c.cut(100, 0, np.array([70]), whole=True) == 0


def test_sizes_against_scipy():
    """59,000 labels, 246 of them may be wrong (0.41 % of 60,000). The first size is as if corrections did not count."""
    sizes = [designs.audit_size(Claim(59_000, 246), 0.05, errors) for errors in range(5)]
    assert sizes[0] == 710
    for errors, size in enumerate(sizes):
        assert (
            hypergeom(59_000, 247 + errors, size).cdf(errors)
            <= 0.05
            < hypergeom(59_000, 247 + errors, size - 1).cdf(errors)
        )
        assert hypergeom(59_000, 247, size).cdf(errors) > 0.05 or not errors, "corrections are worth something"


def delivered(wrong: list[int], found: set[int], tolerated: int, items: int, whole: bool = False) -> int:
    """Return how many accepted labels are wrong after the sampled errors are corrected."""
    end = c.cut(items, tolerated, np.array(sorted(found), int), whole)
    return sum(place < end and place not in found for place in wrong)


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_the_theorem_holds_for_every_sample_of_every_profile_of_a_small_data_set(allowed):
    """8 items, all 256 sets of wrong labels, all samples: the bound is kept, and attained."""
    items = 8
    for audited in (3, 5, 6):
        for tolerated in range(4):
            risk = float(exact(items, allowed + 1 + tolerated, audited, tolerated))
            worst = 0.0
            for profile in range(2**items):
                wrong = [place for place in range(items) if profile >> place & 1]
                samples = [set(sample) & set(wrong) for sample in combinations(range(items), audited)]
                bad = sum(delivered(wrong, found, tolerated, items) > allowed for found in samples)
                worst = max(worst, bad / comb(items, audited))
            assert worst == pytest.approx(risk)


PROFILES = {
    "uniform": lambda n, a, g: np.sort(g.choice(n, 2 * a, replace=False)),
    "at the end": lambda n, a, g: np.arange(n - 3 * a, n),
    "at the boundary": lambda n, a, g: np.arange(n - a - 1, n),
    "confident": lambda n, a, g: np.arange(a + 1),
    "just right": lambda n, a, g: np.arange(a) * 7,
    "none": lambda n, a, g: np.arange(0),
    "all": lambda n, a, g: np.arange(n),
    "mixed": lambda n, a, g: np.unique(np.r_[g.choice(n, a // 2, replace=False), np.arange(n - 4 * a, n)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("errors", [0, 2])
@pytest.mark.parametrize("profile", PROFILES)
def test_simulated_audits_are_violated_no_more_often_than_the_risk(profile, errors):
    """Simulate only which of the wrong items are sampled."""
    items, allowed, risk, repeats = 3000, 12, 0.05, 5_000
    generator = np.random.default_rng([errors, *profile.encode()])
    wrong = PROFILES[profile](items, allowed, generator)
    audited = designs.audit_size(Claim(items, allowed), risk, errors)
    violated = 0
    for _ in range(repeats):
        sampled = generator.choice(items, audited, replace=False, shuffle=False)
        places = sampled[np.isin(sampled, wrong, kind="table")]
        end = c.cut(items, errors, places)
        violated += np.searchsorted(wrong, end) - (places < end).sum() > allowed
    assert violated <= binom(repeats, risk).ppf(0.9999)
    if len(wrong) >= allowed + 1 + errors:  # only the first of them matter, so the bound is attained
        assert violated >= binom(repeats, c.tail(items, allowed + 1 + errors, audited, errors)).ppf(0.0001)
    elif len(wrong) <= allowed:
        assert violated == 0


def test_one_stage_is_the_plain_audit():
    for items, allowed, audited, errors in ((59_000, 246, 1489, 2), (50, 3, 20, 1), (20, 0, 19, 0)):
        expected = hypergeom(items, allowed + 1 + errors, audited).cdf(errors)
        assert c.missed(Claim(items, allowed), (Stage(audited, errors, allowed),)) == pytest.approx(expected, rel=1e-9)
        size = designs.audit_size(Claim(items, allowed), 0.05, errors)
        assert designs.staged(Claim(items, allowed), 0.05, errors, 1) == ((size, errors, allowed),)


STAGED = {  # of 7 items: claim and stages
    "one allowed": (Claim(7, 1), (Stage(2, 0, 1), Stage(4, 1, 1), Stage(6, 2, 1))),
    "none allowed": (Claim(7, 0), (Stage(3, 0, 0), Stage(5, 2, 0))),
    "two allowed": (Claim(7, 2), (Stage(1, 0, 2), Stage(5, 1, 2), Stage(6, 3, 2))),
    "whole, half": (Claim(7, 3, 0.5), (Stage(2, 0, 2), Stage(4, 1, 1), Stage(6, 2, 0))),
    "whole, a third": (Claim(7, 2, 0.34), (Stage(2, 0, 1), Stage(4, 1, 1))),
}


@pytest.mark.parametrize("name", STAGED)
def test_what_is_missed_is_the_worst_case_of_all_wrong_labels_all_draws_and_all_ends(name):
    """The audit stops at the stage that delivers too many wrong labels, if there is one. The bound is attained."""
    claim, stages = STAGED[name]
    items = claim.items
    assert all(stage.allowed <= claim.allowed(stage.checked) for stage in stages)
    worst = 0.0
    for profile in range(2**items):
        wrong = [place for place in range(items) if profile >> place & 1]
        orders = list(permutations(range(items), len(wrong)))
        bad = 0
        for ranks in orders:
            found = [{place for place, rank in zip(wrong, ranks, strict=True) if rank < m} for m, _, _ in stages]
            bad += any(
                delivered(wrong, seen, k, items, claim.whole) > a for seen, (_, k, a) in zip(found, stages, strict=True)
            )
        worst = max(worst, bad / len(orders))
    assert c.missed(claim, stages) == pytest.approx(worst)


def test_the_chain_against_simulated_draws():
    """50,000 draws of 15 wrong labels among 2,000."""
    stages = (Stage(420, 0, 12), Stage(700, 1, 12), Stage(900, 2, 12))
    generator = np.random.default_rng(3)
    ranks = np.stack([generator.choice(2000, 15, replace=False) for _ in range(50_000)])
    hit = np.zeros(len(ranks), bool)
    for m, k, a in stages:
        hit |= (ranks[:, : a + 1 + k] < m).sum(1) <= k
    probability = c.missed(Claim(2000, 12), stages)
    low, high = binom(len(ranks), probability).ppf([0.0001, 0.9999])
    assert low <= hit.sum() <= high


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["staged", "sequential"])
@pytest.mark.parametrize("share", [None, 0.01])
@pytest.mark.parametrize("wrong", [1, 2, 5, 20])
def test_simulated_staged_audits_that_stop_at_their_worst_stage(kind, share, wrong):
    """The first wrong labels are the most trusted ones. `wrong` more of them are wrong than may be."""
    claim = Claim(3000, 30, share)
    stages = designs.staged(claim, 0.05) if kind == "staged" else designs.sequential(claim, 0.05)
    assert len(stages) > 4
    generator = np.random.default_rng(wrong)
    count = claim.most + wrong
    ranks = np.stack([generator.choice(3000, count, replace=False) for _ in range(5_000)])
    bad = np.zeros(len(ranks), bool)
    for m, k, a in stages:
        found = ranks < m
        if claim.whole:
            bad |= (found.sum(1) <= k) & (count - found.sum(1) > a)
        else:
            before = np.cumsum(found, axis=1) - found  # errors found before each place
            bad |= ((before <= k) & ~(found & (before == k)) & ~found & (np.cumsum(found, axis=1) <= k)).sum(1) > a
    assert bad.sum() <= binom(len(ranks), 0.05).ppf(0.9999)


def test_stages_spend_the_risk_and_no_more():
    claim = Claim(58_700, 246)
    stages = designs.staged(claim, 0.05)
    assert [stage.tolerated for stage in stages] == [0, 1, 2, 3, 4]
    spent = [c.missed(claim, stages[: number + 1]) for number in range(5)]
    np.testing.assert_allclose(spent, 0.05 * np.array([0.75, 0.875, 0.9375, 0.96875, 1]), rtol=0.01)
    assert spent[-1] <= 0.05
    assert c.sound(claim, 0.05, stages)
    for place in range(5):  # some labels less at any stage are too few
        less = tuple(stage._replace(checked=stage.checked - 60 * (n == place)) for n, stage in enumerate(stages))
        assert not c.sound(claim, 0.05, less)
    more = tuple(stage._replace(allowed=247) for stage in stages)
    assert not c.sound(claim, 0.05, more)
    assert not c.sound(claim, 0.05, ())
    assert not c.sound(claim, 0.05, stages[::-1])
    assert designs.staged(Claim(5, 5), 0.05) == ((0, 0, 5),)
    with pytest.raises(ValueError, match="99 errors tolerated and 2 allowed"):
        designs.staged(Claim(100, 2), 0.05, first=99)


def test_corrections_make_later_stages_smaller():
    """The stages are those that an independent program found (2,000 labels, 12 may be wrong)."""
    assert [stage[:2] for stage in designs.staged(Claim(2000, 12), 0.05)] == [
        (446, 0), (747, 1), (925, 2), (1068, 3), (1144, 4)
    ]  # fmt: skip


def test_the_allowed_number_of_the_model_s_labels_falls_with_every_label_that_becomes_a_human_s():
    claim = Claim(6000, 60, 0.01)
    stages = designs.staged(claim, 0.05, 0, 8)
    assert [stage.allowed for stage in stages] == [(6000 - stage.checked) // 100 for stage in stages]
    assert c.sound(claim, 0.05, stages)
    assert not c.sound(claim, 0.05, tuple(stage._replace(allowed=stage.allowed + 1) for stage in stages))


def test_a_sequential_audit_that_compares_some_numbers_of_wrong_labels_is_sound_and_as_short(monkeypatch):
    claim = Claim(40_000, 400)
    every = designs.sequential(claim, 0.05)
    monkeypatch.setattr(designs, "EVENLY", 200)
    designs.sequential.cache_clear()
    some = designs.sequential(claim, 0.05)
    designs.sequential.cache_clear()
    assert some != every
    assert c.sound(claim, 0.05, some)
    sizes = [(one.checked, other.checked) for one, other in zip(some, every, strict=True)]
    assert all(abs(one - other) < 0.01 * other for one, other in sizes)


@pytest.mark.parametrize(
    "claim", [Claim(59_000, 246), Claim(400, 20), Claim(6000, 30), Claim(20_000, 200, 0.01)], ids=str
)
def test_a_sequential_audit_spends_all_of_the_risk(claim):
    found = designs.sequential(claim, 0.05)
    assert len(found) > 1
    assert c.sound(claim, 0.05, found)
    assert c.missed(claim, found) > 0.9 * 0.05
    assert found[-1].checked <= claim.items // 2


@pytest.mark.parametrize(("items", "allowed"), [(60, 8), (400, 20), (1000, 9)])
def test_the_boundary_is_the_mixture_martingale_written_with_whole_numbers(items, allowed):
    """Each stage is at the first label where the evidence, computed with exact factorials, reaches the level."""

    def falling(n: int, k: int) -> int:
        return prod(range(n - k + 1, n + 1)) if k <= n else 0

    prior = [exp(-designs.PRIOR * w / (allowed + 1)) for w in range(allowed + 1)]

    def evidence(drawn: int, errors: int) -> float:
        null = falling(allowed + 1, errors) * falling(items - allowed - 1, drawn - errors)
        terms = (
            Fraction(falling(w, errors) * falling(items - w, drawn - errors), null) * Fraction(p)
            for w, p in enumerate(prior)
        )
        return float(sum(terms) / Fraction(sum(prior)))

    found = designs._boundary(Claim(items, allowed), log(10))
    assert len(found) > 1
    for drawn, errors, _ in found[:4]:
        assert evidence(drawn, errors) >= 10 > evidence(drawn - 1, errors)


@pytest.mark.parametrize(
    "stages",
    [
        ((-1, 0), (3, 1)),
        ((711, -1),),
        ((711, 0), (700, 1)),
        ((60_000, 0),),
        ((712, 0), (58_000, 58_999)),
        ((5, 0),),
        (),
    ],
)
def test_stages_that_are_none_prove_nothing(stages):
    assert not c.sound(Claim(59_000, 246), 0.05, tuple(Stage(m, k, 246) for m, k in stages))


def test_probabilities_keep_their_digits_for_millions_of_items():
    for items, wrong, audited in (
        (10_000_000, 2001, 15_000),
        (3_000_000, 3_000, 2_999_000),
        (5_000_000, 4_999_990, 700),
    ):
        law = hypergeom(items, wrong, audited)
        for errors in range(int(law.ppf(0.01)), int(law.ppf(0.01)) + 3):
            assert c.tail(items, wrong, audited, errors) == pytest.approx(law.cdf(errors), rel=1e-5)
    assert c.tail(10**7, 1001, 30_000, 0) == pytest.approx(
        float(exp(sum(log1p(-30_000 / (10**7 - i)) for i in range(1001)))), rel=1e-12
    )
