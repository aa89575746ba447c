import csv
import json
import subprocess
import sys

import pytest

from alearn.record import table


def put(folder, setting="s", seed=0, mislabeled=0.01, published=True, **config):
    folder.mkdir(parents=True)
    row = {
        "trial": "t1", "seed": seed, "init_fraction": 0.01, "threshold": 0.999999, "hand_fraction": 0.02,
        "rounds": 5 + seed, "hand": 4200, "auto": 55_800, "mislabeled_auto": mislabeled,
         "mislabeled_total": mislabeled / 2, "test_accuracy": None,
        "seconds": {"total": 100.4}, "setting": setting, "digest": f"{setting}{seed}",
        "published": {"rounds": 5, "hand": 4200, "auto": 55_800, "mislabeled": 0.0193} if published else None,
        "config": {"seed": seed, "data.root": "/x", "trial.name": "t1", "policy.threshold": 0.999999, **config},
    }  # fmt: skip
    (folder / "row.json").write_text(json.dumps(row))


def test_seeds_are_averaged_and_the_published_row_stands_beside(tmp_path):
    for seed, rate in enumerate((0.01, 0.02, 0.06)):
        put(tmp_path / str(seed), seed=seed, mislabeled=rate)
    put(tmp_path / "3", "other", published=False, **{"policy.finish": "auto"})
    lines = table.rebuild(tmp_path)
    assert lines[0]["seeds"] == 3
    assert lines[0]["mislabeled_mean"] == pytest.approx(0.03)
    assert lines[0]["mislabeled_sd"] == pytest.approx(0.0264575131)  # sqrt(0.0014 / 2)
    assert (lines[0]["rounds_mean"], lines[0]["rounds_published"]) == (6, 5)
    assert lines[1]["mislabeled_sd"] is None
    assert [line["policy.finish"] for line in lines] == [None, "auto"], "keys that differ get a column"
    assert "data.root" not in lines[0]
    header, _, first, second = (tmp_path / "table.md").read_text().splitlines()
    cells = dict(zip(header.split(" | "), first.split(" | "), strict=True))
    assert cells["mislabeled (of auto)"] == "0.0300 ± 0.0265"
    assert cells["published mislabeled"] == "0.0193"
    assert cells["rounds"] == "6.0 ± 1.0"
    assert cells["threshold"] == "0.999999"
    assert cells["test accuracy"] == "-"
    assert "0.0193" not in second
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert float(rows[0]["mislabeled_mean"]) == pytest.approx(0.03)
    assert rows[1]["mislabeled_published"] == ""


def test_jobs_keep_their_order_and_folders_are_merged(tmp_path):
    for number in (10, 9, 0):
        put(tmp_path / "a" / str(number), f"s{number}", init=number)
    put(tmp_path / "b" / "0", "s9", seed=1, init=9)
    lines = table.rebuild(tmp_path / "a", tmp_path / "b")
    assert [(line["init"], line["seeds"]) for line in lines] == [(0, 1), (9, 2), (10, 1)]
    assert not (tmp_path / "b" / "table.md").exists()


def test_a_half_written_row_is_reported_and_left_out(tmp_path):
    put(tmp_path / "0")
    for name, content in {"1": '{"trial": "t', "2": "[]", "3": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "row.json").write_text(content)
    assert len(table.rebuild(tmp_path)) == 1
    text = (tmp_path / "table.md").read_text()
    assert all(f"{tmp_path}/{name}/row.json" in text for name in "123")


def command(*words) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "alearn.record.table", *map(str, words)], capture_output=True, text=True, check=False
    )


def test_the_command(tmp_path):
    put(tmp_path / "0")
    done = command(tmp_path)
    assert done.returncode == 0
    assert done.stdout == (tmp_path / "table.md").read_text()
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, message in (([empty], "no finished trial"), ([tmp_path / "none"], "there is no such folder")):
        failed = command(*words)
        assert failed.returncode == 1
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr
