"""Every experiment of conf/, run in small."""

import json
import shlex

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from alearn.config import hydra_front
from alearn.config.hydra_front import jobs
from alearn.config.presets import CONF
from alearn.data import standard
from alearn.trial.row import command
from alearn.trial.run import prepare, run
from tests.command import alearn

pytestmark = pytest.mark.slow

SMALL = (
    "data.limit=300", "model=small_cnn", "model.width=4", "train.steps=10", "train.batch=32", "device=cpu", "seed=0",
    "policy.init_fraction=0.2", "policy.stop_fraction=0.79", "policy.stop_rounds=2",
)  # fmt: skip
MORE = {"mnist_certified": ["policy.audit.target_error=0.1"]}
TRIALS = "mnist_trials"
FOLDERS = "photographs"  # tests/trial/test_head_trial.py runs trials on folders with features
OTHERS = [path.stem for path in sorted((CONF / "experiment").glob("*.yaml")) if path.stem not in (TRIALS, FOLDERS)]


@pytest.fixture(scope="module")
def digits(mnist_root):
    """Return a small part of MNIST."""
    pool, test = standard.mnist(mnist_root)
    return pool.subset(np.arange(2000)), test.subset(np.arange(100))


@pytest.fixture(autouse=True)
def instead(digits, monkeypatch):
    """Let every known data set be these digits."""
    monkeypatch.setattr(standard, "load", lambda name, root: digits)


def test_the_published_trials_run_and_each_can_go_on_and_be_repeated(tmp_path):
    code, _, err = alearn("-m", f"experiment={TRIALS}", *SMALL, f"hydra.sweep.dir={tmp_path}")
    assert code == 0, err
    assert (tmp_path / "table.md").read_text().count("\n") >= 2 + 4

    labels, row = (tmp_path / "0" / "labels.csv").read_bytes(), json.loads((tmp_path / "0" / "row.json").read_text())
    (tmp_path / "0" / "row.json").unlink()
    code, _, err = alearn(f"resume={tmp_path / '0'}")
    assert code == 0, err
    again = json.loads((tmp_path / "0" / "row.json").read_text())
    assert again["digest"] == row["digest"], "a job of a sweep goes on by itself with a thread, too"
    code, _, err = alearn(*shlex.split(command(row))[1:], f"hydra.run.dir={tmp_path / 'again'}")
    assert code == 0, err
    assert (tmp_path / "again" / "labels.csv").read_bytes() == labels


@pytest.mark.parametrize("name", OTHERS)
def test_the_last_row_of_an_experiment_runs(name, tmp_path):
    """That all rows are valid is tested in tests/config/test_conf.py."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        rows = jobs(compose("config", overrides=[f"experiment={name}"], return_hydra_config=True)) or [[]]
    config = hydra_front.compose(f"experiment={name}", *rows[-1], *SMALL, *MORE.get(name, []))
    row = run(prepare(config, tmp_path))
    assert row["trial"] == config.trial.name
    assert row["hand"] >= 60
