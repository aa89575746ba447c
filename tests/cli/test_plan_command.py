"""The command as typed: sizes against the tables of the method, what cannot be had in one sentence."""

import re
import sys

import numpy as np
import pytest

from alearn.cli import plan_command


def run(monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["alearn-plan", *words])
    plan_command.main()


def test_it_prints_floor_sizes_costs_and_the_cheapest(monkeypatch, capsys):
    run(monkeypatch, "--items", "60000", "--target-error", "0.002", "--risk", "0.05", "--expected-errors", "150")
    said = capsys.readouterr().out
    assert "at most 120 (0.002) shall be, risk 0.05" in said
    assert "floor: 1,466 labels" in said
    for size in ("2,315(1)", "3,065(2)", "3,768(3)"):  # of 60,000, 121 wrong: the smallest with P <= 0.05, by SciPy
        assert size in said
    (best,) = re.findall(r"^\* +\S.*?([\d,]+) +[\d,]+ +[\d,]+  #", said, re.MULTILINE)
    means = [int(mean.replace(",", "")) for mean in re.findall(r" ([\d,]+) +[\d,]+ +[\d,]+  #", said)]
    assert len(means) == 8
    assert int(best.replace(",", "")) == min(means)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--items", "60000", "--target-error", "0.0001", "--budget", "5000"), "more than the budget of 5,000"),
        (("--items", "1000", "--target-error", "0.001"), "label them all, or allow more errors"),
        (("--items", "0", "--target-error", "0.1"), "--items 0: must be at least 1"),
        (("--items", "100", "--target-error", "0.1", "--expected-errors", "99"), "must be from 0 to half"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_sentence(monkeypatch, capsys, words, message):
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, *words)
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("risk", ["0", "1", "x", "nan"])
def test_a_risk_that_is_none_is_refused(monkeypatch, capsys, risk):
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, "--items", "60000", "--target-error", "0.01", "--risk", risk)
    assert left.value.code == 2
    assert "must be a number between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize("errors", [0, 1, 150, 9_000])
def test_the_profile_has_as_many_errors_as_are_expected(errors):
    profile = plan_command.profile(20_000, errors)
    assert profile.sum() == pytest.approx(errors, rel=1e-3, abs=1e-6)
    assert (np.diff(profile) >= 0).all()
    assert 0 <= profile.min() <= profile.max() <= 1
