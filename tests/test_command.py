"""What runs in the tests' own process leaves no trace in it."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from alearn.sweep import running_sweep
from tests.command import alearn, alearn_apart, raw
from tests.conftest import SMALL

pytestmark = pytest.mark.slow


def process() -> list[object]:
    """Return what a command may change for its whole process."""
    loggers = [logging.getLogger(), logging.getLogger("alearn.oracle")]
    return [
        dict(os.environ),
        Path.cwd(),
        sys.argv[:],
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        threading.excepthook,
        [(logger.level, logger.handlers[:]) for logger in loggers],
        torch.get_num_threads(),
        GlobalHydra.instance().is_initialized(),
        HydraConfig.instance().cfg,
        running_sweep.current(),
        sys.stdout,
        sys.stderr,
    ]


def test_a_trial_a_sweep_and_a_mistake_leave_the_process_as_it_was(mnist_root, tmp_path):
    small = [
        *SMALL,
        "trial=t4",
        "data.limit=40",
        "train.steps=10",
        "policy.init_fraction=0.5",
        "policy.stop_rounds=1",
        f"data.root={mnist_root}",
    ]
    before = process()
    code, out, err = alearn(*small, "threads=2", "hydra.run.dir=trial", cwd=tmp_path, ALEARN_TEST="1")
    assert (code, err) == (0, "")
    assert f"labels: {tmp_path / 'trial'}/labels.csv" in out
    assert (tmp_path / "trial" / "alearn.log").read_text()
    assert process() == before
    code, out, err = alearn("-m", *small, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert (code, err) == (0, "")
    assert "sweep: 1 of 1 done" in out
    assert process() == before
    assert alearn("seed=one", cwd=tmp_path).code == 1
    assert process() == before


def test_it_is_the_same_in_a_process_of_its_own(tmp_path):
    for args in (["seed=one"], ["verify", tmp_path]):
        assert alearn(*args, cwd=tmp_path) == alearn_apart(*args, cwd=tmp_path)


def test_bytes_come_through():
    assert raw("ü\udcff") == "ü".encode() + b"\xff"
