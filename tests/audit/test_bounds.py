"""Compare the statistics with enumeration, SciPy and simulated audits."""

from fractions import Fraction
from itertools import combinations, permutations
from math import comb, exp, log1p, prod

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from alearn.audit import bounds as c


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
        for audited in range(items + 1):
            for allowed in range(items):
                right = [k for k in range(items + 1) if exact(items, allowed + 1, audited, k) <= limit]
                assert c.tolerated(items, allowed, audited, risk) == max(right, default=-1)
        for allowed in range(items):
            for errors in range(4):
                sizes = [m for m in range(items + 1) if exact(items, allowed + 1, m, errors) <= limit]
                assert c.audit_size(items, allowed, risk, errors) == min(sizes, default=None)


def test_edges():
    assert c.audit_size(100, 100, 0.05) == 0, "everything may be wrong"
    assert c.tolerated(100, 100, 0, 0.05) == 0
    assert c.audit_size(100, 0, 0.05) == 95, "no error at all: 95 % of the items for 95 %"
    assert c.audit_size(100, 3, 0.05, 4) is None
    assert c.audit_size(0, 0, 0.05) == 0
    assert c.cut(100, -1, np.array([5])) == 0
    assert c.cut(100, 0, np.array([70, 5])) == 5
    assert c.cut(100, 1, np.array([70, 5])) == 70
    assert c.cut(100, 2, np.array([70, 5])) == 100


def test_the_published_sizes():
    """Sizes for 59,000 labels, 246 of them allowed to be wrong (0.41 % of 60,000), computed with SciPy."""
    for errors, size in enumerate((710, 1123, 1489, 1833, 2162)):
        assert abs(c.audit_size(59_000, 246, 0.05, errors) - size) <= 5
        assert hypergeom(59_000, 247, c.audit_size(59_000, 246, 0.05, errors)).cdf(errors) <= 0.05
        assert hypergeom(59_000, 247, c.audit_size(59_000, 246, 0.05, errors) - 1).cdf(errors) > 0.05


def test_the_theorem_holds_for_every_sample_of_every_profile_of_a_small_data_set():
    """8 items, all 256 sets of wrong labels, all samples: at most the share `risk` of the samples accepts too much."""
    items, allowed = 8, 1
    for audited in (3, 5, 6):
        for risk in (0.1, 0.3, 0.6):
            tolerated = c.tolerated(items, allowed, audited, risk)
            worst = 0.0
            for profile in range(2**items):
                wrong = [bool(profile >> place & 1) for place in range(items)]
                bad = 0
                for sample in combinations(range(items), audited):
                    places = np.array([place for place in sample if wrong[place]], int)
                    accepted = c.cut(items, tolerated, places)
                    bad += sum(wrong[:accepted]) > allowed
                worst = max(worst, bad / comb(items, audited))
            assert worst <= risk
            assert tolerated == -1 or worst > 0, "or it would prove nothing"


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
def test_twenty_thousand_audits_are_violated_no_more_often_than_the_risk(profile, errors):
    """Simulate only which of the wrong items are sampled."""
    items, allowed, risk, repeats = 3000, 12, 0.05, 20_000
    generator = np.random.default_rng([errors, *profile.encode()])
    wrong = PROFILES[profile](items, allowed, generator)
    audited = c.audit_size(items, allowed, risk, errors)
    tolerated = c.tolerated(items, allowed, audited, risk)
    assert tolerated == errors
    violated = 0
    for _ in range(repeats):
        sampled = generator.choice(items, audited, replace=False, shuffle=False)
        places = sampled[np.isin(sampled, wrong, kind="table")]
        violated += np.searchsorted(wrong, c.cut(items, tolerated, places)) > allowed
    assert violated <= binom(repeats, risk).ppf(0.9999)
    if len(wrong) > allowed:  # only the first 13 wrong labels matter, so the bound is attained
        assert violated >= binom(repeats, c.tail(items, allowed + 1, audited, tolerated)).ppf(0.0001)
    else:
        assert violated == 0


def test_one_stage_is_the_plain_audit():
    for items, allowed, audited, errors in ((59_000, 246, 1489, 2), (50, 3, 20, 1), (20, 0, 19, 0)):
        expected = hypergeom(items, allowed + 1, audited).cdf(errors)
        assert c.missed(items, allowed + 1, ((audited, errors),)) == pytest.approx(expected, rel=1e-9)
        size = c.audit_size(items, allowed, 0.05, errors)
        assert c.stages(items, allowed, 0.05, errors, 1) == ((size, errors),)


def test_the_chance_to_pass_a_stage_is_that_of_all_orders_in_which_labels_can_be_drawn():
    """There are 9 items, 3 of them wrong. Try every set of positions in the draw that these 3 can have."""
    stages = ((2, 0), (4, 1), (7, 2))
    passes = [
        any(sum(rank < size for rank in ranks) <= tolerated for size, tolerated in stages)
        for ranks in combinations(range(9), 3)
    ]
    assert c.missed(9, 3, stages) == pytest.approx(np.mean(passes), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("items", "allowed", "risk", "first"), [(8, 2, 0.4, 0), (8, 3, 0.6, 1), (8, 1, 0.3, 0)])
def test_a_staged_audit_holds_for_every_order_of_the_draw_and_the_worst_moment_to_stop(items, allowed, risk, first):
    """Try all sets of wrong labels of a small data set. The audit always stops at the stage that accepts the most."""
    stages = c.stages(items, allowed, risk, first, 3)
    assert len(stages) > 1
    worst = 0.0
    for profile in range(2**items):
        wrong = [place for place in range(items) if profile >> place & 1]
        if len(wrong) <= allowed:
            continue
        bad = orders = 0
        for ranks in permutations(range(items), len(wrong)):
            rank = np.array(ranks)
            cuts = [c.cut(items, k, np.array(wrong)[rank < size]) for size, k in stages]
            bad += sum(place < max(cuts) for place in wrong) > allowed
            orders += 1
        worst = max(worst, bad / orders)
        if len(wrong) > allowed + 1 and profile > 2**7:
            break
    assert worst <= risk
    assert worst > 0, "or it would prove nothing"


def test_stages_spend_the_risk_and_no_more():
    stages = c.stages(58_700, 246, 0.05)
    assert [tolerated for _, tolerated in stages] == [0, 1, 2, 3, 4]
    spent = [c.missed(58_700, 247, stages[: number + 1]) for number in range(5)]
    np.testing.assert_allclose(spent, 0.05 * np.array([0.75, 0.875, 0.9375, 0.96875, 1]), rtol=0.01)
    assert spent[-1] <= 0.05
    assert c.sound(58_700, 246, 0.05, stages)
    for place in range(5):  # one label less at any stage is one too few
        less = tuple((size - 60 * (n == place), k) for n, (size, k) in enumerate(stages))
        assert not c.sound(58_700, 246, 0.05, less)
    assert not c.sound(58_700, 246, 0.05, ())
    assert not c.sound(58_700, 246, 0.05, stages[::-1])
    assert c.stages(5, 5, 0.05) == ((0, 0),)
    with pytest.raises(ValueError, match="3 errors tolerated where 2"):
        c.stages(100, 2, 0.05, first=3)


@pytest.mark.parametrize(("items", "allowed", "risk"), [(60, 8, 0.1), (400, 20, 0.05), (1000, 9, 0.2)])
def test_the_sequential_test_is_the_mixture_martingale_written_with_whole_numbers(items, allowed, risk):
    """Each stage is at the first label where the evidence, computed with exact factorials, reaches 1 / risk."""

    def falling(n: int, k: int) -> int:
        return prod(range(n - k + 1, n + 1)) if k <= n else 0

    prior = [exp(-c.PRIOR * w / (allowed + 1)) for w in range(allowed + 1)]

    def evidence(drawn: int, errors: int) -> float:
        null = falling(allowed + 1, errors) * falling(items - allowed - 1, drawn - errors)
        terms = (
            Fraction(falling(w, errors) * falling(items - w, drawn - errors), null) * Fraction(p)
            for w, p in enumerate(prior)
        )
        return float(sum(terms) / Fraction(sum(prior)))

    found = c.martingale(items, allowed, risk)
    assert len(found) > 1
    for drawn, errors in found[:4]:
        assert evidence(drawn, errors) >= 1 / risk > evidence(drawn - 1, errors)
    assert c.missed(items, allowed + 1, found) <= risk
    assert c.sound(items, allowed, risk, found)


def test_the_evidence_is_a_fair_bet_against_labels_that_are_just_too_bad():
    """If one label too many is wrong, the evidence reaches 1 / risk in at most the risk's share of 20,000 draws."""
    items, allowed, risk = 300, 12, 0.05
    found = c.martingale(items, allowed, risk)
    generator = np.random.default_rng(0)
    ranks = np.sort(np.argsort(generator.random((20_000, items)), axis=1)[:, : allowed + 1], axis=1)
    crossed = np.zeros(20_000, bool)
    for drawn, errors in found:
        crossed |= (ranks < drawn).sum(1) <= errors
    assert 0.5 * risk < crossed.mean() <= binom(20_000, risk).ppf(0.9999) / 20_000


@pytest.mark.parametrize(
    "stages",
    [((-1, 0), (3, 1)), ((710, -1),), ((710, 0), (700, 1)), ((60_000, 0),), ((712, 0), (59_000, 10**9)), ((5, 0),), ()],
)
def test_stages_that_are_none_prove_nothing(stages):
    assert not c.sound(59_000, 246, 0.05, stages)


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
