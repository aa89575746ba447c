"""Compare costs with complete simulated audits."""

import numpy as np
import pytest

from alearn.audit import bounds, designs, plan, rules
from alearn.audit.bounds import Claim, Stage
from alearn.audit.plan import Costs
from alearn.audit.profiles import error_profiles
from alearn.audit.rules import Group, Terms


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_the_cost_is_that_of_audits_that_are_carried_out(whole):
    """Compare with audits of real draws that end by the same rule."""
    items = 2000
    stages = (Stage(150, 0, 40), Stage(260, 1, 40), Stage(380, 2, 40))
    likely = np.r_[np.full(1900, 2e-4), np.full(100, 0.05)]
    wrong = np.array([700, 1900, 1950, 1990, 1995, 1999])
    group = Group("", np.arange(items), stages, whole)
    costs = Costs([likely], stages, whole)
    spent = []
    for seed in range(600):
        order = rules.draw("frozen", str(seed), items)
        for stage, (size, _, _) in enumerate(stages):
            drawn, bad = order[:size], np.isin(order[:size], wrong)
            result = rules.outcome(group, drawn, bad)
            if costs.enough(stage, drawn[bad]):
                break
        spent.append(result.audited + np.setdiff1d(np.arange(result.cut, items), order[: result.audited]).size)
    simulated = costs.simulate(plan.ranked([wrong] * 600, items))
    assert np.mean(simulated) == pytest.approx(np.mean(spent), rel=0.15)
    assert np.median(simulated) == np.median(spent)
    assert np.percentile(simulated, 90) == pytest.approx(np.percentile(spent, 90), rel=0.3)


def test_an_audit_ends_where_going_on_would_cost_more():
    stages = (Stage(100, 0, 9), Stage(150, 1, 9))
    costs = Costs([np.full(1000, 1e-6)], stages)
    assert costs.enough(0, np.array([], int)), "everything is accepted"
    assert costs.enough(0, np.array([960])), "36 beyond the cut, on the average, or 50 more to check"
    assert not costs.enough(0, np.array([900])), "90"
    assert costs.enough(1, np.array([3, 900])), "there is no other stage"
    bad = Costs([np.r_[np.full(990, 0.03), np.full(10, 1e-6)]], stages)
    assert bad.enough(0, np.array([900])), "another error is to be expected, before the cut: nothing would be won"


@pytest.mark.parametrize("seed", range(3))
def test_looking_ahead_costs_no_more_than_always_taking_the_first_end(seed):
    random = np.random.default_rng(seed)
    likely = 10 ** random.uniform(-5, -1, 5000)
    likely.sort()
    stages = designs.staged(Claim(5000, 50), 0.05, 0, 5)
    wrong = [np.flatnonzero(random.random(5000) < likely) for _ in range(200)]
    staged, single = (Costs([likely], some).simulate(plan.ranked(wrong, 5000)).mean() for some in (stages, stages[:1]))
    assert staged < single


def test_simulated_labels_are_wrong_as_often_as_they_should_be():
    likely = np.r_[np.full(50_000, 1e-4), np.linspace(0, 0.5, 200)]
    drawn = [wrong.place for wrong in plan.simulated([likely])]
    assert np.mean([len(places) for places in drawn]) == pytest.approx(likely.sum(), rel=0.05)
    assert np.mean([(places >= 50_000).sum() for places in drawn]) == pytest.approx(50, rel=0.05)
    assert all((np.diff(places) > 0).all() for places in drawn)


def test_the_audits_of_a_large_pool_see_as_many_wrong_labels_at_the_same_places():
    likely = np.linspace(0, 0.2, 20_000)
    every = [wrong.place[wrong.rank < 3000] for wrong in plan.simulated([likely])]
    some = [wrong.place[wrong.rank < 3000] for wrong in plan.simulated([likely], 3000)]
    for value in (len, np.mean):
        assert np.mean([value(one) for one in some]) == pytest.approx(np.mean([value(one) for one in every]), rel=0.08)
    assert all(
        len(wrong.place) == len(wrong.rank) and (wrong.rank < 3000).all() for wrong in plan.simulated([likely], 3000)
    )


def test_the_plan_for_a_large_pool_is_that_for_a_smaller_one(monkeypatch):
    claim = Claim(50_000, 500)
    profile = [np.r_[np.full(45_000, 1e-5), np.linspace(0, 0.1, 5000)]]
    exact = plan.plans(claim, 0.05, profile)[0]
    monkeypatch.setattr(plan, "LARGE", 10_000)
    about = plan.plans(claim, 0.05, profile)[0]
    assert about.mean == pytest.approx(exact.mean, rel=0.1)
    assert Costs(profile, about.stages).simulate(plan.simulated(profile)).mean() < 1.05 * exact.mean


def test_the_cheapest_plan_grows_more_tolerant_with_the_errors_that_are_expected():
    good = Claim(58_000, 246)
    clean = plan.plans(good, 0.05, [np.full(58_000, 1e-6)])[0]
    assert (clean.stages[0].tolerated, clean.stages[0].allowed) == (0, 246)
    assert clean.mean < 1000
    profile = [np.full(58_000, 1e-3)]
    worse = plan.plans(good, 0.05, profile, "single")[0]
    assert worse.stages[0].tolerated > 0
    assert len(worse.stages) == 1
    assert clean.mean < plan.plans(good, 0.05, profile)[0].mean < 1.1 * worse.mean
    assert plan.plans(Claim(9, 9), 0.05, [np.full(9, 0.5)], "staged")[0].mean < 1e-6, "everything may be wrong"


def test_a_sequential_audit_costs_hardly_more_than_a_staged_one():
    """About 60 labels are wrong, most of them among the 1,000 that the model is least sure of."""
    profile = [np.r_[np.full(57_000, 2e-4), np.full(1000, 0.05)]]
    kinds = ("sequential", "staged", "auto")
    sequential, staged, cheapest = (plan.plans(Claim(58_000, 246), 0.05, profile, kind)[0] for kind in kinds)
    assert len(sequential.stages) > 20
    assert sequential.mean < 1.1 * staged.mean
    assert cheapest.mean == min(sequential.mean, staged.mean)


@pytest.mark.parametrize("kind", ["single", "staged", "sequential", "auto"])
@pytest.mark.parametrize("scope", ["total", "auto", "class"])
def test_every_plan_keeps_what_is_promised(scope, kind):
    claim = Terms(0.02, 0.05, scope).claim(3000, 2500)
    for one in plan.plans(claim, 0.05, [np.linspace(0, 0.03, 2500)], kind):
        assert bounds.sound(claim, 0.05, one.stages)
        assert one.mean <= 2500


def test_of_the_model_s_own_labels_few_enough_are_wrong_at_every_stage():
    claim = Terms(0.02, 0.05, "auto").claim(3000, 2500)
    one = plan.plans(claim, 0.05, [np.full(2500, 1e-6)], "staged")[0]
    for checked, _, allowed in one.stages:
        assert allowed / (2500 - checked) <= 0.02 < (allowed + 1) / (2500 - checked)


@pytest.mark.slow
@pytest.mark.parametrize("stated", [0.5, 1.0, 2.0], ids=["too low", "right", "too high"])
def test_a_plan_is_hardly_dearer_if_confidences_are_not_what_they_say(stated):
    """97 % of 100 errors are in the last 5 % of 60,000 labels. Log-odds are stated as a multiple of the true ones."""
    claim = Claim(60_000, 246)
    density = np.exp(-np.arange(60_000)[::-1] / (0.0143 * 60_000))
    likely = 0.97 * 100 * density / density.sum() + 0.03 * 100 / 60_000
    generator = np.random.default_rng(5)
    wrong = [np.flatnonzero(generator.random(60_000) < likely) for _ in range(100)]
    doubt = -np.logaddexp(0, -stated * np.log(likely / (1 - likely)))
    means = []
    for profiles in (error_profiles(doubt), [likely]):
        chosen = plan.plans(claim, 0.05, profiles)[0].stages
        means.append(Costs(profiles, chosen).simulate(plan.ranked(wrong, 60_000)).mean())
    assert means[0] < 1.1 * means[1], "planned by the true probabilities, it costs not much less"


def test_an_audit_of_labels_that_are_all_wrong_ends_at_once():
    """More sheets would save nothing."""
    profiles = error_profiles(np.full(2000, np.log(0.01)))
    chosen = plan.plans(Claim(2000, 20), 0.05, profiles)[0].stages
    first = np.sort(np.random.default_rng(0).choice(2000, chosen[0].checked, replace=False))
    assert Costs(profiles, chosen).enough(0, first)
