import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from alearn.report.tensorboard import layout, tags
from alearn.sweep import bands
from tests.report.tensorboard.conftest import read

A = {"trial.name": "t2", "policy.threshold": 0.99, "model.name": "small_cnn", "model.lr": 0.02, "data.root": "/x"}
B = A | {"policy.threshold": 0.999999, "data.root": "/y"}


def rounds(hand: list[int], wrong: list[float | None]) -> list[dict[str, float | None]]:
    return [
        {"round": i, "hand": h, "mislabeled_auto": w, "val_accuracy": None}
        for i, (h, w) in enumerate(zip(hand, wrong, strict=True), start=1)
    ]


def put(folder: Path, seed: int, metrics: list[dict[str, float | None]], setting: str = "s", config=A) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    row = {"setting": setting, "seed": seed, "config": config} | dict.fromkeys(("auto", "hand", "unlabeled"), seed)
    row |= {"mislabeled_auto": metrics[-1]["mislabeled_auto"], "mislabeled_total": 0.25}
    (folder / "row.json").write_text(json.dumps(row))


SEEDS = [
    rounds([100, 200, 300], [0.04, 0.02, 0.01]),
    rounds([120, 200], [0.06, 0.03]),  # this trial ends earlier
    rounds([100, 210, 400, 410], [0.08, 0.03, 0.02, 0.02]),
]


@pytest.fixture
def sweep(tmp_path) -> Path:
    for seed, metrics in enumerate(SEEDS):
        put(tmp_path / str(seed), seed, metrics)
    put(tmp_path / "3", 0, SEEDS[0], "other", B)  # a setting with one seed
    return tmp_path


def test_the_curves_are_mean_and_sd_over_the_seeds(sweep):
    (run,) = bands.write(sweep)
    assert run == sweep / "mean" / "threshold 0.99, 3 seeds"
    events = read(run)
    by_round = np.array(  # the last values are from after the last round, when the remaining images are labeled
        [[0.04, 0.02, 0.01, 0.01, 0.01], [0.06, 0.03, 0.03, 0.03, 0.03], [0.08, 0.03, 0.02, 0.02, 0.02]]
    )
    over_hand = np.array(  # at 120 (the largest first number), 200, 210, 300, 400, 410 hand labels
        [
            [0.04, 0.02, 0.02, 0.01, 0.01, 0.01],
            [0.06, 0.03, 0.03, 0.03, 0.03, 0.03],
            [0.08, 0.08, 0.03, 0.03, 0.02, 0.02],
        ]
    )
    for tag, steps, values in (
        ("auto_labels/mislabeled", [1, 2, 3, 4, 5], by_round),
        ("over_hand_labels/mislabeled", [120, 200, 210, 300, 400, 410], over_hand),
    ):
        mean, sd = values.mean(0), values.std(0, ddof=1)
        value, lower, upper = tags.band(tag)
        for name, expected in {tag: mean, value: mean, lower: mean - sd, upper: mean + sd}.items():
            assert [e.step for e in events.Scalars(name)] == steps
            np.testing.assert_allclose([e.value for e in events.Scalars(name)], expected, rtol=1e-6, atol=1e-9)
    assert [(e.step, e.value) for e in events.Scalars("auto_labels/mislabeled_of_data_set")] == [(4, 0.25), (5, 0.25)]
    assert events.Scalars("labels/hand")[-1].value == 1, "the mean of the rows, which have 0, 1 and 2"
    assert "model/validation_accuracy" not in events.Tags()["scalars"], "no trial knows it"
    (stored,) = events.Tensors("custom_scalars__config__")
    assert stored.tensor_proto.string_val == layout.of_bands().value[0].tensor.string_val


def test_a_value_that_fewer_than_two_know_is_left_out():
    runs = [[None, 0.5], [0.1, 0.3], [None, None]]
    trials = [
        ([{"round": i, "hand": 10 * i, "test_accuracy": value} for i, value in enumerate(run, 1)], {}) for run in runs
    ]
    curves = bands.curves(trials)
    mean, sd = pytest.approx(0.4), pytest.approx(np.std([0.5, 0.3], ddof=1))
    assert curves["model/test_accuracy"] == {2: (mean, sd)}
    assert curves["over_hand_labels/test_accuracy"] == {20: (mean, sd)}
    assert curves["over_hand_labels/wrong_expected"] == {}, "no trial considered an audit"


def test_writing_again_replaces(sweep):
    (run,) = bands.write(sweep)
    (first,) = run.iterdir()
    watching = read(run)
    assert bands.write(sweep) == [run]
    assert list(run.iterdir()) == [first], "nothing has changed"

    put(sweep / "0", 0, rounds([150, 160], [0.5, 0.4]))  # a seed is run again
    assert bands.write(sweep) == [run]
    watching.Reload()
    for events in (watching, read(run)):  # a reader that was open all the time, and a new one
        assert [e.step for e in events.Scalars("auto_labels/mislabeled")] == [1, 2, 3, 4, 5]
        assert events.Scalars("auto_labels/mislabeled")[0].value == pytest.approx((0.5 + 0.06 + 0.08) / 3)
        assert events.Scalars("over_hand_labels/mislabeled")[0].step == 150

    put(sweep / "4", 3, SEEDS[0])
    put(sweep / "5", 1, SEEDS[1], "other", B)
    runs = bands.write(sweep)
    assert [path.name for path in runs] == ["threshold 0.99, 4 seeds", "threshold 0.999999, 2 seeds"]
    assert sorted((sweep / "mean").iterdir()) == runs, "the run of three seeds is gone"


def test_what_is_not_ours_stays(sweep):
    (sweep / "mean" / "mine").mkdir(parents=True)
    (sweep / "mean" / "mine" / "notes.txt").write_text("mine")
    bands.write(sweep)
    bands.write(sweep)
    assert (sweep / "mean" / "mine" / "notes.txt").read_text() == "mine"


def test_half_a_trial_is_left_out(sweep):
    (sweep / "1" / "metrics.jsonl").write_text('{"round": 1, "ha')
    (sweep / "2" / "metrics.jsonl").unlink()
    assert bands.write(sweep) == []
    assert bands.write(sweep / "nowhere") == []
    assert not (sweep / "nowhere").exists()


def test_names_say_what_differs_and_no_more():
    c = A | {"model.name": "source_cnn", "model.lr": 0.001}
    assert bands.names({"1": A, "2": c}) == {"1": "model small_cnn", "2": "model source_cnn"}
    assert bands.names({"1": A, "2": A | {"trial.name": "t/3"}}) == {"1": "t2", "2": "t_3"}
    d = A | {"train.lr": 0.5}
    assert bands.names({"1": d, "2": d | {"train.lr": 1.0}, "3": d | {"model.lr": 0.3}}) == {
        "1": "model.lr 0.02, train.lr 0.5",
        "2": "model.lr 0.02, train.lr 1.0",
        "3": "model.lr 0.3, train.lr 0.5",
    }
    clash = bands.names({"aaaaaaaaaa": A | {"data.name": "a/b"}, "bbbbbbbbbb": A | {"data.name": "a?b"}})
    assert clash == {"aaaaaaaaaa": "data a_b", "bbbbbbbbbb": "data a_b bbbbbbbb"}
    assert all(len(name) < 200 for name in bands.names({"1": A, "2": A | {"data.name": "x" * 400}}).values())


def test_a_sweeps_own_process_stays_light():
    code = "import sys, alearn.sweep.bands; print([m for m in ('torch', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
