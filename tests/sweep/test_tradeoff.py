import numpy as np
import pytest

from alearn.sweep import tradeoff
from alearn.trial.metrics import objectives
from tests.sweep.test_sweep_table import row


def test_the_front_is_what_nobody_beats():
    points = [tuple(point) for point in np.random.default_rng(0).integers(0, 12, (60, 2)) / 12]

    def beaten(one):
        return any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in points)

    assert sorted(tradeoff.front(points)) == [i for i, one in enumerate(points) if not beaten(one)]
    assert [points[i] for i in tradeoff.front(points)] == sorted(points[i] for i in tradeoff.front(points))
    assert tradeoff.front([]) == []


def test_points_are_shares_of_all_images():
    one = row()
    assert objectives(one) == (4200 / 60_000, 0.005)
    assert tradeoff.published(one) == (pytest.approx(0.07), pytest.approx(0.0193 * 55_800 / 60_000))
    assert tradeoff.published(row(published=False)) is None


def test_the_picture_shows_trials_means_published_and_front(tmp_path):
    rows = [row("a", seed, rate) for seed, rate in enumerate((0.01, 0.03))] + [row("b", 0, 0.1, **{"train.lr": 1})]
    axes = tradeoff.draw(rows).axes[0]
    (front,) = [line for line in axes.lines if line.get_label() == "Pareto front"]
    np.testing.assert_allclose(front.get_xydata(), [(0.07, 0.01)])
    trials = np.concatenate([group.get_offsets() for group in axes.collections[:1]])
    np.testing.assert_allclose(trials, [(0.07, 0.005), (0.07, 0.015)])
    legend = {text.get_text() for text in axes.get_legend().get_texts()}
    assert legend == {"Pareto front", "published", "train.lr=None", "train.lr=1"}
    assert axes.get_yscale() == "log"
    assert tradeoff.draw([*rows, row("c", 0, 0.0)]).axes[0].get_yscale() == "symlog", "zero wrong labels have a place"
    tradeoff.save(tmp_path, rows)
    assert (tmp_path / "tradeoff.png").read_bytes().startswith(b"\x89PNG")
    first = (tmp_path / "tradeoff.svg").read_bytes()
    tradeoff.save(tmp_path, rows)
    assert (tmp_path / "tradeoff.svg").read_bytes() == first, "the same rows make the same file"


def test_a_learning_curve_is_the_mean_at_the_numbers_of_hand_labels_that_all_trials_had():
    rows = [row("a", seed, 0.01) for seed in range(2)]
    rows[0]["learning_curve"] = [[100, 600], [200, 300], [300, 60]]
    rows[1]["learning_curve"] = [[100, 1200], [250, 300], [300, None]]
    assert tradeoff.learning_curve(rows) == [(100 / 60_000, 900 / 60_000)]
    assert tradeoff.learning_curve([row()]) == [], "rows of an earlier version have none"
    (line, *_) = tradeoff.draw(rows[:1]).axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [(h / 60_000, w / 60_000) for h, w in rows[0]["learning_curve"]])


def test_a_published_point_is_drawn_once_for_all_that_are_compared_with_it():
    rows = [row(name, 0, 0.01, **{"train.lr": i}) | {"trial": name} for i, name in enumerate(("b", "a"))]
    axes = tradeoff.draw(rows).axes[0]
    assert [text.get_text() for text in axes.texts] == ["a, b"]


def test_many_settings_have_no_legend_and_no_truth_has_no_picture(tmp_path):
    rows = [row(f"s{i}", 0, 0.01 + i / 100, **{"train.lr": i}) for i in range(20)]
    legend = [text.get_text() for text in tradeoff.draw(rows).axes[0].get_legend().get_texts()]
    assert legend == ["Pareto front", "published"]
    blind = [row() | {"mislabeled_total": None}]
    tradeoff.save(tmp_path, blind)
    assert not list(tmp_path.iterdir())
    assert tradeoff.svg(blind) == ""
    assert tradeoff.svg(rows).startswith("<svg")
