"""The registry of metrics has every metric that is measured, and no other."""

import json
from typing import Any

import pytest

from alearn.data import sources
from alearn.report import console
from alearn.report.html import page
from alearn.trial.metric import Unit
from alearn.trial.metrics import BY_KEY, METRICS, outcome
from alearn.trial.run import prepare, run
from tests.conftest import SMALL, compose, shapes

ABOUT = {
    "trial", "seed", "settings", "init_fraction", "threshold", "hand_fraction", "published", "device", "hardware",
    "versions", "git_commit", "overrides", "job", "config", "digest", "setting",
}  # fmt: skip
"""Keys of a row that are not metrics: what was run, where, and what it is compared with."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run a real trial, and return the metrics of its rounds and its row."""
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "load", lambda *args: (shapes(300), shapes(60, 1)))
        row = run(prepare(compose(*SMALL, "policy.threshold=0.6", "policy.init_fraction=0.1"), folder))
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()], row


def test_every_number_of_a_round_is_known_and_every_known_one_is_there(measured):
    rounds, _ = measured
    for metrics in rounds:
        assert set(metrics) == {metric.key for metric in METRICS if metric.in_rounds}


def test_every_number_of_a_trial_is_known_and_every_known_one_is_there(measured):
    _, row = measured
    assert set(row) - ABOUT == {metric.key.partition(".")[0] for metric in METRICS if metric.in_row}
    assert BY_KEY["seconds.total"].of(row) == row["seconds"]["total"] > 0


def test_values_are_of_their_units(measured):
    rounds, row = measured
    kinds = {Unit.COUNT: int, Unit.FEW: int, Unit.OBJECT: (list, dict), Unit.TEXT: str}
    for metric in METRICS:
        for values in [row, *rounds]:
            if (value := metric.of(values)) is not None and metric.curve.hand == "hand":  # forecasts are fractional
                assert isinstance(value, kinds.get(metric.unit, float | int)), metric.key
                assert metric.unit not in (Unit.SHARE, Unit.ACCURACY) or 0 <= value <= 1, metric.key


def test_entries_fit_together():
    for name in ("key", "title", "meaning"):
        values = [getattr(metric, name) for metric in METRICS]
        assert len(set(values)) == len(values)
    tags = [tag for metric in METRICS for tag in (metric.curve.tag, metric.curve.over_hand) if tag]
    assert len(set(tags)) == len(tags)
    for metric in METRICS:
        assert metric.meaning.endswith("."), metric.key
        assert metric.in_rounds or metric.in_row
        assert metric.in_rounds or not (metric.column or metric.line or metric.compared or metric.curve.over_hand)
        assert metric.in_row or not (metric.summary or metric.table or metric.curve.final)
        assert metric.table or not metric.published
        assert metric.curve.topic or not metric.curve.band
        assert metric.curve.hand in BY_KEY
        assert metric.stands_in_for in BY_KEY or not metric.stands_in_for
        assert metric.line in page.LIGHT or not metric.line
        assert metric.unit in page.WRITTEN or not (metric.summary or metric.table)
        assert metric.unit in console.FORMS or not (metric.summary or metric.column)


def test_an_outcome_leaves_out_what_says_nothing():
    row = {"hand": 3, "auto": 0, "given": 0, "aside": 2, "mislabeled_auto": 0.5, "estimated_mislabeled_auto": 0.4}
    assert [metric.key for metric in outcome(row)] == ["hand", "aside", "auto", "mislabeled_auto"]
    row |= {"mislabeled_auto": None, "given": 5, "seconds": {"total": 1.0}}
    found = [metric.key for metric in outcome(row)]
    assert found == ["hand", "given", "aside", "auto", "estimated_mislabeled_auto", "seconds.total"]


def test_a_dot_leads_into_an_object_and_what_is_not_there_is_unknown():
    total = BY_KEY["seconds.total"]
    assert (total.of({"seconds": {"total": 2.5}}), total.of({"seconds": 3}), total.of({})) == (2.5, None, None)
