import csv

import pytest

from alearn.sweep import sweep_table


def row(setting="s", seed=0, mislabeled=0.01, published=True, **config):
    return {
        "trial": "t1", "seed": seed, "init_fraction": 0.01, "threshold": 0.999999, "hand_fraction": 0.02,
        "rounds": 5 + seed, "hand": 4200, "auto": 55_800, "images": 60_000, "mislabeled_auto": mislabeled,
        "mislabeled_total": mislabeled / 2, "test_accuracy": None,
        "seconds": {"total": 100.4}, "setting": setting, "digest": f"{setting}{seed}", "overrides": [f"seed={seed}"],
        "job": None,
        "published": {"rounds": 5, "hand": 4200, "auto": 55_800, "mislabeled": 0.0193} if published else None,
        "config": {"seed": seed, "data.root": "/x", "trial.name": "t1", "policy.threshold": 0.999999, **config},
    }  # fmt: skip


def lines_of(rows):
    return list(sweep_table.aggregate(rows).values())


def test_seeds_are_averaged_and_the_published_row_stands_beside():
    rows = [row(seed=seed, mislabeled=rate) for seed, rate in enumerate((0.01, 0.02, 0.06))]
    lines = lines_of([*rows, row("other", published=False, **{"policy.finish": "auto"})])
    assert lines[0]["seeds"] == 3
    assert lines[0]["mislabeled_mean"] == pytest.approx(0.03)
    assert lines[0]["mislabeled_sd"] == pytest.approx(0.0264575131)  # sqrt(0.0014 / 2)
    assert (lines[0]["rounds_mean"], lines[0]["rounds_published"]) == (6, 5)
    assert lines[1]["mislabeled_sd"] is None
    assert [line["policy.finish"] for line in lines] == [None, "auto"], "keys that differ get a column"
    assert "data.root" not in lines[0]
    header, _, first, second = sweep_table.markdown(lines).splitlines()
    cells = dict(zip(header.split(" | "), first.split(" | "), strict=True))
    assert cells["mislabeled (of auto)"] == "0.0300 ± 0.0265"
    assert cells["published mislabeled"] == "0.0193"
    assert cells["rounds"] == "6.0 ± 1.0"
    assert cells["threshold"] == "0.999999"
    assert cells["test accuracy"] == "-"
    assert "0.0193" not in second
    found = list(csv.DictReader(sweep_table.to_csv(lines).splitlines()))
    assert float(found[0]["mislabeled_mean"]) == pytest.approx(0.03)
    assert found[1]["mislabeled_published"] == ""


@pytest.mark.parametrize(("largest", "shown"), [(100, False), (201, True)])
def test_the_worst_class_has_a_column_where_classes_are_unbalanced(largest, shown):
    per_class = {name: {"images": images} for name, images in (("a", 100), ("b", largest), ("none", 0))}
    rows = [row(), *(row("other", seed) | {"per_class": per_class, "worst_class_error": seed / 4} for seed in (0, 1))]
    lines = lines_of(rows)
    header, _, *cells = sweep_table.markdown(lines).splitlines()
    assert ("mislabeled (worst class)" in header) == shown
    if shown:
        assert (lines[1]["worst_class_error_mean"], lines[0]["worst_class_error_mean"]) == (0.125, None)
        assert "0.1250 ± 0.1768" in cells[1]
        assert "worst_class_error_mean" in sweep_table.to_csv(lines)


def test_folders_are_told_apart_and_places_of_a_known_data_set_are_not():
    places = [{"data.name": name, "data.root": root} for name in ("folder", "mnist") for root in ("/a", "/b")]
    assert sweep_table.varied([row(setting=str(i), **place) for i, place in enumerate(places[:2])]) == ["data.root"]
    assert sweep_table.varied([row(setting=str(i), **place) for i, place in enumerate(places[2:])]) == []


def test_what_has_no_row_is_listed_below():
    text = sweep_table.markdown(lines_of([row()]), {"3": "the loss is nan", "4": "interrupted"})
    assert text.endswith("\n\nWithout a row:\n- 3: the loss is nan\n- 4: interrupted\n")
