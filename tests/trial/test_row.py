import json
import subprocess

import pytest
import torch

from alearn.learn.device import Runtime
from alearn.trial import row

FINAL = {
    "hand": 4200, "auto": 55_800, "unlabeled": 0, "first": 600, "query": 3000, "rest": 600, "audit": 0,
    "wrong_auto": 558, "mislabeled_auto": 0.01, "mislabeled_total": 0.0093,
}  # fmt: skip
HISTORY = [
    {"seconds_fit": 2.0, "seconds_score": 1.0, "test_accuracy": 0.5, "hand": 1200, "wrong_if_finished": 900},
    {"seconds_fit": 3.0, "test_accuracy": 0.75, "hand": 3600, "wrong_if_finished": None},
]
CPU = Runtime(torch.device("cpu"), bf16=True)


def test_a_row_sums_up_a_trial_and_says_how_to_run_it_again(config, tmp_path):
    settings = config("trial=t3", "seed=4")
    built = row.build(settings, row.Origin(("trial=t3", "seed=4")), HISTORY, FINAL, CPU)
    row.save(tmp_path, built)
    found = row.load(tmp_path)
    assert found == json.loads((tmp_path / "row.json").read_text()) == built
    assert (found["trial"], found["seed"], found["threshold"], found["rounds"]) == ("t3", 4, 0.999999, 2)
    assert found["seconds"] == {"fit": 5, "score": 1, "decide": 0, "ask": 0, "measure": 0, "total": 6}
    assert (found["test_accuracy"], found["images"], found["mislabeled_auto"]) == (0.75, 60_000, 0.01)
    assert found["learning_curve"] == [[1200, 900], [3600, None]]
    assert found["settings"].startswith("0.01 of the images by hand first (the first), then 0.01 of them a round")
    assert found["published"]["mislabeled"] == 0.0041
    assert found["device"] == "cpu"
    assert "bf16" in found["hardware"]
    assert found["overrides"] == ["trial=t3", "seed=4"]
    assert found["digest"] == settings.digest()
    assert found["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_other_settings_have_no_published_row(config):
    assert row.build(config("policy.threshold=0.9"), row.UNKNOWN, HISTORY, FINAL, CPU)["published"] is None
    assert row.build(config("policy.init_fraction=1"), row.UNKNOWN, [], FINAL, CPU)["test_accuracy"] is None


def test_counts_are_shares_in_the_columns_and_any_policy_has_the_published_best_beside_it(config):
    found = row.build(config("policy=frugal"), row.UNKNOWN, HISTORY, FINAL, CPU)
    assert (found["init_fraction"], found["hand_fraction"]) == (0.000833, 0.000417)
    assert (found["published"]["hand"], found["published"]["mislabeled"]) == (6000, 0.0041)
    words = "50 images by hand first (random), then 25 a round (margin), 400 in all; auto labels > 0.95"
    assert found["settings"] == f"{words}, decided anew every round, and checked by answers"
    assert row.build(config("policy=frugal", "data.limit=500"), row.UNKNOWN, HISTORY, FINAL, CPU)["published"] is None


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"trial": "t1"}'])
def test_half_a_row_is_none(tmp_path, content):
    (tmp_path / "row.json").write_text(content)
    assert row.load(tmp_path) is None
    assert row.load(tmp_path / "nowhere") is None


def test_the_commit_is_gits(monkeypatch):
    row.commit.cache_clear()
    root = row.Path(row.__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    head = subprocess.run(
        ["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert row.commit().rstrip("+") == head
