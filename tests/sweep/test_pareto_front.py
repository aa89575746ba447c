import csv

import numpy as np

from alearn.sweep.pareto_front import Point, front, markdown, progress, write
from alearn.trial.metrics import OBJECTIVES


def points(*values: tuple[float, float]) -> list[Point]:
    return [Point(n, {"policy.threshold": "0.9", "seed": str(n)}, value, f"job {n}") for n, value in enumerate(values)]


def test_the_front_is_what_nothing_beats():
    random = np.random.default_rng(0)
    for size in (1, 2, 5, 60):
        for grid in (3, 1000):  # first with many ties, then with hardly any
            some = points(*(tuple(pair) for pair in (random.integers(grid, size=(size, 2)) / grid).tolist()))
            brute = {
                one.number
                for one in some
                if not any(
                    all(a <= b for a, b in zip(two.values, one.values, strict=True)) and two.values != one.values
                    for two in some
                )
            }
            found = front(some)
            assert {one.number for one in found} == brute
            assert [one.values for one in found] == sorted(one.values for one in found)


def test_the_same_choices_are_listed_once():
    first, again = Point(3, {"a": "1"}, (0.5, 0.5), "3"), Point(8, {"a": "1"}, (0.5, 0.5), "3")
    other = Point(5, {"a": "2"}, (0.5, 0.5), "5")
    assert front([again, other, first]) == [first, other]


def test_files_hold_the_front_alone(tmp_path):
    write(tmp_path, [])
    assert not list(tmp_path.iterdir())
    some = points((0.25, 0.01), (0.1, 0.125), (0.3, 0.2))
    write(tmp_path, some)
    header, *lines = csv.reader((tmp_path / "pareto.csv").read_text().splitlines())
    assert header == ["number", "policy.threshold", "seed", *OBJECTIVES, "folder"]
    assert lines == [["1", "0.9", "1", "0.1", "0.125", "job 1"], ["0", "0.9", "0", "0.25", "0.01", "job 0"]]
    table = (tmp_path / "pareto.md").read_text().splitlines()
    assert table[0].startswith("| number | policy.threshold | seed | hand labeled (of all) | mislabeled (of all) |")
    assert table[2:] == ["| 1 | 0.9 | 1 | 10.00% | 12.500% | job 1 |", "| 0 | 0.9 | 0 | 25.00% | 1.000% | job 0 |"]
    assert len(list(tmp_path.iterdir())) == 2


def test_long_numbers_are_cut_and_nines_are_not():
    words = {"a": "0.012345678901234", "b": "0.99999912345", "c": "digits_augmented"}
    assert "| 0.01234568 | 0.9999991 | digits_augmented |" in markdown([Point(0, words, (0.5, 0.5), "0")])


def test_progress_says_how_many_and_how_good():
    assert progress([], 4, 2) == "search: 0 of 4 trials finished, 2 failed"
    assert progress(points((0.1, 0.5)), 4, 0) == (
        "search: 1 of 4 trials finished; front of 1: 10.00% by hand, 50.000% mislabeled"
    )
    line = progress(points((0.1, 0.5), (0.2, 0.1), (0.9, 0.9)), 4, 0)
    assert line.endswith("front of 2: 10.00% by hand, 50.000% mislabeled ... 20.00% by hand, 10.000% mislabeled")
