"""Compare estimates with the numbers that generated the data, and costs with complete simulated audits."""

import numpy as np
import pytest

from alearn.audit import bounds, plan, rules
from alearn.audit.plan import Costs, Known
from alearn.audit.rules import Group, Terms


def promise(total: int, target: float, scope: str = "total", classes: int = 1):
    return Terms(target, 0.05, scope).promise(total, classes)


def test_without_answers_confidences_are_taken_at_their_word():
    doubt = np.log(np.array([1e-9, 0.01, 0.5]))
    mean = np.exp(doubt).mean()
    np.testing.assert_allclose(plan.error_profile(doubt), 0.97 * np.exp(doubt) + 0.03 * mean, rtol=1e-6)
    assert np.isfinite(plan.error_profile(np.array([-np.inf, 0.0, np.nan]))).all()
    assert plan.error_profile(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(("shift", "slope"), [(-0.7, 1.3), (0.5, 1.1)])
def test_answers_that_the_model_did_not_know_teach_how_often_it_is_wrong(shift, slope):
    """20,000 answers are drawn with a known shift and slope, and the profile recovers them."""
    random = np.random.default_rng(0)
    odds = random.uniform(-6, 1, 20_000)
    doubt = -np.logaddexp(0, -odds)
    wrong = random.random(20_000) < 1 / (1 + np.exp(-(shift + slope * odds)))
    at = np.linspace(-6, 1, 20)
    expected = 1 / (1 + np.exp(-(shift + slope * at)))
    profile = plan.error_profile(-np.logaddexp(0, -at), Known(doubt, wrong, np.ones(20_000)))
    np.testing.assert_allclose(profile, 0.97 * expected + 0.03 * expected.mean(), rtol=0.15)


def test_what_counts_less_teaches_less():
    doubt, wrong = np.log(np.full(200, 0.5)), np.arange(200) < 150
    often = plan.error_profile(doubt[:1], Known(doubt, wrong, np.ones(200)))[0]
    hardly = plan.error_profile(doubt[:1], Known(doubt, wrong, np.full(200, 1e-4)))[0]
    assert often == pytest.approx(0.75, abs=0.02)
    assert hardly == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_the_cost_is_that_of_audits_that_are_carried_out(whole):
    """Compare with audits of real draws that end by the same rule."""
    items, stages = 2000, ((150, 0), (260, 1), (380, 2))
    likely = np.r_[np.full(1900, 2e-4), np.full(100, 0.05)]
    wrong = np.array([700, 1900, 1950, 1990, 1995, 1999])
    group, costs = Group("", np.arange(items), stages, 40, whole), Costs(likely, stages, whole)
    spent = []
    for seed in range(600):
        order = rules.draw("frozen", str(seed), items)
        for stage, (size, _) in enumerate(stages):
            drawn, bad = order[:size], np.isin(order[:size], wrong)
            result = rules.outcome(group, drawn, bad)
            if costs.enough(stage, drawn[bad]):
                break
        spent.append(result.audited + np.setdiff1d(np.arange(result.cut, items), order[: result.audited]).size)
    simulated = costs.simulate([wrong] * 600)
    assert np.mean(simulated) == pytest.approx(np.mean(spent), rel=0.15)
    assert np.median(simulated) == np.median(spent)
    assert np.percentile(simulated, 90) == pytest.approx(np.percentile(spent, 90), rel=0.3)


def test_an_audit_ends_where_going_on_would_cost_more():
    likely, stages = np.full(1000, 1e-6), ((100, 0), (150, 1))
    costs = Costs(likely, stages)
    assert costs.enough(0, np.array([], int)), "everything is accepted"
    assert costs.enough(0, np.array([960])), "36 beyond the cut, on the average, or 50 more to check"
    assert not costs.enough(0, np.array([900])), "90"
    assert costs.enough(1, np.array([3, 900])), "there is no other stage"
    bad = Costs(np.r_[np.full(990, 0.03), np.full(10, 1e-6)], stages)
    assert bad.enough(0, np.array([900])), "another error is to be expected, before the cut: nothing would be won"


@pytest.mark.parametrize("seed", range(3))
def test_looking_ahead_costs_no_more_than_always_taking_the_first_end(seed):
    random = np.random.default_rng(seed)
    likely = 10 ** random.uniform(-5, -1, 5000)
    likely.sort()
    stages = bounds.stages(5000, 50, 0.05, 0, 5)
    wrong = [np.flatnonzero(random.random(5000) < likely) for _ in range(200)]
    staged, single = (Costs(likely, some).simulate(wrong).mean() for some in (stages, stages[:1]))
    assert staged < single


def test_simulated_labels_are_wrong_as_often_as_they_should_be():
    likely = np.r_[np.full(50_000, 1e-4), np.linspace(0, 0.5, 200)]
    drawn = plan.simulated(likely)
    assert np.mean([len(places) for places in drawn]) == pytest.approx(likely.sum(), rel=0.05)
    assert np.mean([(places >= 50_000).sum() for places in drawn]) == pytest.approx(50, rel=0.05)
    assert all((np.diff(places) > 0).all() for places in drawn)


def test_the_cheapest_plan_grows_more_tolerant_with_the_errors_that_are_expected():
    good = promise(60_000, 0.0041)
    clean = plan.plans(good, np.full(58_000, 1e-6))[0]
    assert (clean.stages[0][1], clean.allowed) == (0, 246)
    assert clean.mean < 1000
    profile = np.full(58_000, 1e-3)
    worse = plan.plans(good, profile, "single")[0]
    assert worse.stages[0][1] > 0
    assert len(worse.stages) == 1
    assert clean.mean < plan.plans(good, profile)[0].mean <= worse.mean
    assert plan.plans(promise(10, 0.99999999), np.full(9, 0.5))[0].mean == 0, "everything may be wrong"


def test_a_sequential_audit_costs_hardly_more_than_a_staged_one():
    """About 60 labels are wrong, most of them among the 1,000 that the model is least sure of."""
    profile = np.r_[np.full(57_000, 2e-4), np.full(1000, 0.05)]
    good = promise(60_000, 0.0041)
    sequential, staged = (plan.plans(good, profile, kind)[0] for kind in ("sequential", "staged"))
    assert len(sequential.stages) > 20
    assert sequential.mean < 1.1 * staged.mean


@pytest.mark.parametrize("kind", ["single", "staged", "sequential"])
@pytest.mark.parametrize("scope", ["total", "auto", "class"])
def test_every_plan_keeps_what_is_promised(scope, kind):
    asked = promise(3000, 0.02, scope)
    for one in plan.plans(asked, np.linspace(0, 0.03, 2500), kind):
        assert bounds.sound(2500, one.allowed, asked.risk, one.stages)
        assert one.allowed <= asked.allowed(2500, one.stages[-1][0])
        assert one.mean <= 2500


def test_of_the_model_s_own_labels_few_enough_are_wrong_even_if_all_stages_are_checked():
    asked = promise(3000, 0.02, "auto")
    one = plan.plans(asked, np.full(2500, 1e-6), "single")[0]
    assert one.allowed / (2500 - one.stages[-1][0]) <= 0.02 < (one.allowed + 5) / (2500 - one.stages[-1][0])


def test_the_trend_is_the_power_by_which_wrong_labels_fall():
    hand = np.array([100.0, 1000, 10_000])
    assert plan.decay(hand, 1e6 * hand**-0.5) == pytest.approx(0.5, abs=0.05), "well seen over two decades"
    assert plan.decay(hand[:1], hand[:1]) == plan.DECAY, "nothing seen yet"
    close = np.array([1000.0, 1010])
    assert plan.decay(close, np.array([50.0, 80])) == pytest.approx(plan.DECAY, abs=0.1), "noise"


def test_more_hand_labels_take_the_end_of_the_order_and_leave_fewer_wrong_before_it():
    likely = np.linspace(0.01, 0.2, 1000)
    then = plan.after_more(likely, 400, 100, 2.0)
    assert len(then) == 900
    assert then.sum() == pytest.approx(likely.sum() * 0.64)
    np.testing.assert_allclose(then / then[0], likely[:900] / likely[0])
    assert len(plan.after_more(likely, 400, 2000, 2.0)) == 0
