import csv
import json

import pytest

from alearn.sweep import results
from alearn.trial import status
from tests.command import alearn
from tests.sweep.test_sweep_table import row


def put(folder, *args, **config):
    folder.mkdir(parents=True)
    (folder / "row.json").write_text(json.dumps(row(*args, **config)))


def test_jobs_keep_their_order_and_folders_are_merged(tmp_path):
    for number in (10, 9, 0):
        put(tmp_path / "a" / str(number), f"s{number}", init=number)
    put(tmp_path / "b" / "0", "s9", seed=1, init=9)
    results.table(tmp_path / "a", tmp_path / "b")
    found = json.loads((tmp_path / "a" / "table.json").read_text())
    assert [(line["init"], line["seeds"]) for line in found["settings"]] == [(0, 1), (9, 2), (10, 1)]
    assert [one["config"]["init"] for one in found["trials"]] == [0, 9, 10, 9]
    lines = list(csv.DictReader((tmp_path / "a" / "table.csv").read_text().splitlines()))
    assert [line["init"] for line in lines] == ["0", "9", "10"]
    assert not (tmp_path / "b" / "table.md").exists()


def test_a_half_written_row_is_reported_and_left_out(tmp_path):
    put(tmp_path / "0")
    for name, content in {"1": '{"trial": "t', "2": "[]", "3": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "row.json").write_text(content)
    (tmp_path / "4").mkdir()
    status.fail(tmp_path / "4", "round 1: the loss\nis nan")
    text = results.table(tmp_path)
    assert all(f"- {name}: row.json cannot be read\n" in text for name in "123")
    assert "- 4: round 1: the loss is nan\n" in text
    assert text == (tmp_path / "table.md").read_text()
    assert len(json.loads((tmp_path / "table.json").read_text())["trials"]) == 1


def test_a_row_that_is_written_again_is_read_again(tmp_path):
    put(tmp_path / "0")
    assert status.rows(tmp_path)[0]["seed"] == 0
    (tmp_path / "0" / "row.json").write_text(json.dumps(row(seed=11)))
    assert status.rows(tmp_path)[0]["seed"] == 11


def test_who_chooses_among_certificates_is_told_what_holds(tmp_path):
    for number in range(3):
        put(tmp_path / str(number), seed=number, **{"policy.audit.risk": 0.05})
        path = tmp_path / str(number) / "row.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"certificate": number < 2 and "At most ..."}))
    promise = "\n\n2 trials have a certificate. Each certificate alone"
    assert promise in results.table(tmp_path)
    cheapest = results.where(status.rows(tmp_path), "seed=0")
    assert promise in results.table(tmp_path, rows=cheapest), "to leave some out is to choose"
    assert promise in (tmp_path / "table.md").read_text()


ROWS = [
    row(seed=seed, mislabeled=rate, kind=kind) for seed, rate, kind in ((0, 0.3, "b"), (1, 0.1, None), (2, 0.2, "a"))
]


@pytest.mark.parametrize(
    ("condition", "seeds"),
    [
        ("seed=1", [1]), ("seed!=1", [0, 2]), ("seed>=1", [1, 2]), ("mislabeled_auto<0.25", [1, 2]), ("kind=a", [2]),
        ("kind=null", [1]), ("seconds.total<1000", [0, 1, 2]), ("test_accuracy=null", [0, 1, 2]),
        ("policy.threshold=0.999999", [0, 1, 2]), ("kind>1", []),
    ],
)  # fmt: skip
def test_where(condition, seeds):
    assert [one["seed"] for one in results.where(ROWS, condition)] == seeds


def test_a_key_that_some_rows_have():
    rows = [row(seed=0), row(seed=1, **{"model.width": 8})]
    assert [one["seed"] for one in results.where(rows, "model.width=8")] == [1]
    assert [one["seed"] for one in results.sort(rows, "model.width")] == [1, 0]


def test_sort():
    assert [one["seed"] for one in results.sort(ROWS, "mislabeled_auto")] == [1, 2, 0]
    assert [one["seed"] for one in results.sort(ROWS, "mislabeled_auto", descending=True)] == [0, 2, 1]
    assert [one["seed"] for one in results.sort(ROWS, "kind", descending=True)] == [0, 2, 1], (
        "rows without a value come last"
    )


def test_the_command(tmp_path):
    put(tmp_path / "0")
    put(tmp_path / "1", seed=3)
    code, out, err = alearn("table", tmp_path, "--where", "seed>1")
    assert (code, err) == (0, "")
    assert out == (tmp_path / "table.md").read_text()
    assert [one["seed"] for one in json.loads((tmp_path / "table.json").read_text())["trials"]] == [3]
    assert (tmp_path / "tradeoff.png").read_bytes().startswith(b"\x89PNG")
    _, out, _ = alearn("table", tmp_path, "--commands", "--sort", "seed", "--descending")
    assert out == "alearn seed=3\nalearn seed=0\n"
    empty = tmp_path / "empty"
    empty.mkdir()
    for args, message in (
        ([empty], "there is no trial below"),
        ([tmp_path / "none"], "there is no such folder"),
        ([tmp_path, "--sort", "nothing"], "nothing: no such key in the rows; there are seed, "),
        ([tmp_path, "--where", "seed"], "--where seed: must be KEY=VALUE"),
        ([tmp_path, "--where", "seed<a"], "--where seed<a: < needs a number"),
    ):
        code, out, err = alearn("table", *args)
        assert (code, out) == (1, "")
        assert message in err
        assert err.count("\n") == 1
