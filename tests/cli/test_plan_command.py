"""Run `alearn plan`: compare its sizes with the tables of the method, and check its error messages."""

import re

import numpy as np
import pytest
from scipy.stats import hypergeom

from alearn.audit import cost_table
from tests.command import alearn


def test_it_prints_floor_sizes_costs_and_the_cheapest():
    words = ("--items", 60000, "--target-error", 0.002, "--risk", 0.05, "--expected-errors", 150)
    _, table, _ = alearn("plan", *words)
    assert "at most 120 (0.002) may be wrong, at a risk of 0.05" in table
    assert "floor: 1,466 labels" in table
    _, single, _ = alearn("plan", *words, "--kind", "single")
    for errors in (0, 1, 2):  # the smallest sizes that the theorem allows, by SciPy
        sizes = np.arange(1000, 4000)
        size = sizes[hypergeom(60_000, 121 + errors, sizes).cdf(errors) <= 0.05][0]
        assert f"{size:,}({errors})" in single
    (best,) = re.findall(r"^\* +\S.*?([\d,]+) +[\d,]+ +[\d,]+  #", table, re.MULTILINE)
    means = [int(mean.replace(",", "")) for mean in re.findall(r" ([\d,]+) +[\d,]+ +[\d,]+  #", table)]
    assert len(means) > 3
    assert int(best.replace(",", "")) == min(means)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--items", 60000, "--target-error", 0.0001, "--budget", 5000), 1, "more than the budget of 5,000"),
        (("--items", 1000, "--target-error", 0.001), 1, "label them all, or allow more errors"),
        (("--items", 0, "--target-error", 0.1), 2, "--items: 0: must be 1 or more"),
        (("--items", 9.5, "--target-error", 0.1), 2, "--items: 9.5: must be a whole number"),
        (("--items", 100, "--target-error", 0.1, "--expected-errors", 99), 2, "must be from 0 to half"),
        (("--items", 100, "--target-error", 0.1, "--classes", 2), 2, "and only with --scope class"),
        (("--items", 100, "--target-error", 0.1, "--classes", 101, "--scope", "class"), 2, "must be from 2 to the 100"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(args, code, message):
    actual, out, err = alearn("plan", *args)
    assert (actual, out) == (code, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("risk", ["0", "1", "x", "nan"])
def test_a_risk_that_is_none_is_refused(risk):
    code, _, err = alearn("plan", "--items", 60000, "--target-error", 0.01, "--risk", risk)
    assert code == 2
    assert f"--risk: {risk}: must be a number between 0 and 1" in err


@pytest.mark.parametrize("errors", [0, 1, 150, 9_000])
def test_the_profile_has_as_many_errors_as_are_expected(errors):
    for profile in cost_table.profiles(20_000, errors):
        assert profile.sum() == pytest.approx(errors, rel=1e-3, abs=1e-6)
        assert (np.diff(profile) >= 0).all()
        assert 0 <= profile.min() <= profile.max() <= 1
