import math

import pytest

from alearn.sweep.averages import Run, Spread, average, by_setting, spread


def test_mean_and_deviation_are_of_what_is_known():
    assert spread([0.1, None, 0.3]) == (pytest.approx(0.2), pytest.approx(math.sqrt(0.02)))
    assert spread([None, 0.5]) == Spread(0.5, None)
    assert spread([None]) == spread([]) == Spread(None, None)


def test_settings_keep_the_order_of_their_first_rows():
    rows = [{"setting": name, "seed": seed} for seed, name in enumerate("baba")]
    assert {name: [row["seed"] for row in group] for name, group in by_setting(rows).items()} == {
        "b": [0, 2],
        "a": [1, 3],
    }


def points(*values: float | None) -> list[tuple[int, float | None]]:
    return list(enumerate(values, 1))


def test_what_has_finished_keeps_its_last_value_and_what_has_not_does_not():
    runs = [Run(points(0.1, 0.3)), Run(points(0.3, 0.5, 0.7)), Run(points(0.5), finished=False)]
    found = average(runs)
    assert [mean for mean, _ in found.values()] == pytest.approx([0.3, 0.4, 0.5])
    assert [sd for _, sd in found.values()] == pytest.approx([0.2, math.sqrt(0.02), math.sqrt(0.08)])
    assert average([Run(points(None, 0.5))]) == {1: (None, None), 2: (0.5, None)}
    assert average([Run(points(0.5), finished=False), Run(points(0.7, None))])[2] == (None, None)


def test_steps_differ_and_start_where_all_have_begun():
    found = average([Run([(100, 1.0), (200, 2.0), (200, 3.0)]), Run([(120, 5.0), (300, 7.0)]), Run([])])
    assert {step: mean for step, (mean, _) in found.items()} == {120: 3.0, 200: 4.0, 300: 5.0}
    assert average([]) == average([Run([])]) == {}
