"""The draw against its own definition, written anew; outcomes by hand; plans against simulation with the truth."""

from hashlib import sha256

import numpy as np
import pytest

from alearn.decide import audit


def test_the_draw_can_be_repeated_with_nothing_but_sha256():
    frozen, seed = audit.digest(["a", "b"], ["0", "1"]), "public"
    keys = {place: sha256(f"{frozen}:{seed}:{place}".encode()).hexdigest() for place in range(500)}
    drawn = audit.draw(frozen, seed, 500)
    assert drawn.tolist() == sorted(keys, key=keys.__getitem__)
    assert drawn.tolist() != audit.draw(frozen, "other", 500).tolist()
    assert drawn.tolist() != audit.draw(audit.digest(["a", "b"], ["0", "0"]), seed, 500).tolist()


def test_the_draw_is_uniform():
    """Each of 10 places comes first in a tenth of 3,000 draws: chi-squared, 9 degrees of freedom, below its 99.9 %."""
    first = [int(audit.draw("frozen", str(seed), 10)[0]) for seed in range(3000)]
    counts = np.bincount(first, minlength=10)
    assert ((counts - 300) ** 2 / 300).sum() < 27.9


def test_what_is_frozen_cannot_be_read_in_two_ways():
    assert audit.frozen_text(["1", 'a,"b'], ["x", "y"]) == 'item,label\n1,x\n"a,""b",y\n'
    assert audit.digest(["1,2"], ["3"]) != audit.digest(["1"], ["2,3"])
    assert audit.digest(["1", "2"], ["3", "3"]) != audit.digest(["2", "1"], ["3", "3"])


def test_an_outcome_accepts_up_to_the_first_error_too_many():
    stages = ((3, 0), (5, 1))
    places, wrong = np.array([7, 2, 9, 4, 0]), np.array([True, False, False, True, False])
    assert audit.outcome(10, stages, places[:3], wrong[:3]) == audit.Outcome(0, 3, 1, 0, 7)
    assert audit.outcome(10, stages, places, wrong) == audit.Outcome(1, 5, 2, 1, 7)
    assert audit.outcome(10, stages, places, np.zeros(5, bool)) == audit.Outcome(1, 5, 0, 0, 10)
    with pytest.raises(ValueError, match="4 answers"):
        audit.outcome(10, stages, places[:4], wrong[:4])


def test_it_stops_when_the_rest_is_cheaper_than_another_stage():
    stages = ((100, 0), (150, 1))
    assert audit.enough(1000, stages, audit.Outcome(0, 100, 0, 0, 1000))
    assert audit.enough(1000, stages, audit.Outcome(0, 100, 1, 0, 945)), "49.5 on the average"
    assert not audit.enough(1000, stages, audit.Outcome(0, 100, 1, 0, 940)), "54"
    assert audit.enough(1000, stages, audit.Outcome(1, 150, 9, 1, 2)), "there is no other"


def test_an_error_profile_follows_the_doubts_and_leaves_room_for_surprises():
    doubt = np.log(np.array([1e-9, 0.01, 0.5]))
    expected = np.array([1e-18, 0.01**2 / (0.01**2 + 0.99**2), 0.5])
    np.testing.assert_allclose(audit.error_profile(doubt), 0.9 * expected + 0.1 * expected.mean(), rtol=1e-6)
    assert np.isfinite(audit.error_profile(np.array([-np.inf, 0.0, np.nan]))).all()


def test_the_cost_is_that_of_audits_that_are_carried_out():
    """Against audits of real draws, answers and all."""
    items, stages = 2000, ((150, 0), (260, 1))
    wrong = np.array([700, 1500, 1990, 1995, 1999])
    spent = []
    for seed in range(600):
        drawn = audit.draw("frozen", str(seed), items)
        for size, _ in stages:
            result = audit.outcome(items, stages, drawn[:size], np.isin(drawn[:size], wrong))
            if audit.enough(items, stages, result):
                break
        spent.append(result.audited + np.setdiff1d(np.arange(result.cut, items), drawn[: result.audited]).size)
    mean, median, high = audit.cost(items, stages, [wrong] * 600)
    assert mean == pytest.approx(np.mean(spent), rel=0.15)
    assert median == np.median(spent) == 150
    assert high == pytest.approx(np.percentile(spent, 90), rel=0.3)


def test_the_cheapest_plan_grows_more_tolerant_with_the_errors_that_are_expected():
    clean = audit.plans(246, 0.05, np.full(58_000, 1e-6))[0]
    assert clean.stages[0][1] == 0
    assert clean.mean < 1000
    profile = np.zeros(58_000)
    profile[-600:] = 0.4
    profile = 0.9 * profile + 0.1 * profile.mean()
    worse = audit.plans(246, 0.05, profile, staged=False)[0]
    assert worse.stages[0][1] > 0
    assert worse.stages[1:] == ()
    assert clean.mean < audit.plans(246, 0.05, profile)[0].mean <= worse.mean
    assert audit.plans(10, 0.05, np.full(10, 0.5)) == [audit.Plan(((0, 0),), 0.0, 0.0, 0.0)]
