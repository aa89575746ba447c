import sys

import pytest
import torch

from alearn.cli.main import main
from alearn.config import usual_policy


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A machine with a driver of GPUs, on which torch finds a GPU."""
    (tmp_path / "driver").touch()
    monkeypatch.setattr(usual_policy, "DRIVERS", (str(tmp_path / "driver"),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.parametrize("overrides", [[], ["seed=3"], ["-m", "policy.threshold=0.9,0.99"], ["data=kmnist"]])
def test_a_gpu_is_for_few_labels(gpu, overrides):
    assert usual_policy.override(overrides) == ["policy=frugal"]


@pytest.mark.parametrize(
    "words", ["policy=quick", "policy=quick,margin", "trial=t1", "experiment=cifar10", "data=folder", "device=cpu"]
)
def test_whoever_names_a_policy_or_the_cpu_gets_it(gpu, words):
    assert usual_policy.override(["seed=1", words]) == []


def test_without_a_gpu_or_its_driver_the_default_stays(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usual_policy.override([]) == []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(usual_policy, "DRIVERS", ("/nowhere",))
    monkeypatch.setitem(sys.modules, "torch", None)  # an import would fail
    assert usual_policy.override([]) == []


def test_the_command_takes_it(gpu, capsys):
    assert main(["--help"]) == 0
    assert "hand_per_round: 25" in capsys.readouterr().out
    assert main(["device=cpu", "--help"]) == 0
    assert "hand_per_round: 138" in capsys.readouterr().out


def test_a_resumed_trial_keeps_its_policy(gpu, tmp_path, capsys):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- seed=3\n")
    (tmp_path / ".hydra" / "hydra.yaml").write_text("hydra:\n  mode: RUN\n")
    assert main([f"resume={tmp_path}", "--help"]) == 0
    assert "hand_per_round: 138" in capsys.readouterr().out
