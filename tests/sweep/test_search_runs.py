"""A search as a user types it, which is killed half way."""

import csv
import json
from pathlib import Path

import pytest

from tests.apart import Apart
from tests.command import REACHED, alearn, environment, run_until


@pytest.mark.slow
def test_a_search_killed_half_way_goes_on_and_leaves_its_front(quick, tmp_path):
    policy = ("policy.threshold=0.5,0.6,0.7", "policy.init_fraction=tag(log,interval(0.1,0.3))", "policy.stop_rounds=2")
    words = ["-m", "hydra/sweeper=optuna", *quick, *policy, f"hydra.sweep.dir={tmp_path}"]
    process = Apart(run_until, tmp_path / "1" / "config.yaml", *words, "hydra.sweeper.n_trials=2", env=environment())
    process.until(lambda: REACHED in process.out)
    process.kill()
    begun = chosen(tmp_path / "1" / "config.yaml")
    assert [path.parent.name for path in tmp_path.glob("*/row.json")] == ["0"]

    code, out, err = alearn(*words, "hydra.sweeper.n_trials=2")
    assert code == 0, err
    assert "finished already" not in out, "finished trials are not started again"
    assert "search: 2 of 2 trials finished; front of" in out
    assert chosen(tmp_path / "1" / "config.yaml") == begun, "the interrupted trial resumes with the same choices"
    check_front(tmp_path, 2)

    code, out, err = alearn(*words, "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2")
    assert code == 0, err
    assert "search: 3 of 3 trials finished; front of" in out
    assert check_front(tmp_path, 3) in out


def chosen(config: Path) -> list[str]:
    return [line for line in config.read_text().splitlines() if "threshold: " in line or "init_fraction: " in line]


def check_front(folder: Path, trials: int) -> str:
    """Compare pareto.csv with the rows of the trials, by brute force; return the text of pareto.md."""
    rows = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/row.json")}
    assert rows.keys() == {str(n) for n in range(trials)}
    found = {name: (row["hand"] / row["images"], row["mislabeled_total"]) for name, row in rows.items()}
    best = [
        name
        for name, (hand, wrong) in found.items()
        if not any(h <= hand and w <= wrong and (h, w) != (hand, wrong) for h, w in found.values())
    ]
    lines = list(csv.DictReader((folder / "pareto.csv").read_text().splitlines()))
    assert sorted(line["folder"] for line in lines) == sorted(best)
    for line in lines:
        row = rows[line["folder"]]
        assert (float(line["hand_share"]), float(line["mislabeled_total"])) == found[line["folder"]]
        for key in ("policy.threshold", "policy.init_fraction"):
            assert float(line[key]) == row["config"][key]
    return (folder / "pareto.md").read_text()
