"""One small sweep under every launcher, with a launcher's process and a trial's killed on the way: the same labels."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from alearn.trial import status
from tests.apart import Apart
from tests.command import ROOT, alearn, alearn_apart
from tests.trial.test_status import hold

pytest.importorskip("joblib", reason="needs the extras: pip install 'alearn[joblib,submitit,ray]'")

JOBS = 2
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
OTHERS = {
    "submitit": ["hydra/launcher=submitit_local"],
    "ray": [
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=1",
        "+hydra.launcher.ray.init.include_dashboard=false",
    ],
}
"""Ray lets its workers go last, with a niceness of 15. A test on a busy machine would take minutes, so it sets 0."""
DEADLY = """
import os, signal, sys, time
from pathlib import Path
if "alearn.sweep.worker" in sys.orig_argv and sys.orig_argv[-1] == "1":
    folder = Path(sys.orig_argv[-2])
    if not (folder / "begun").exists():
        (folder / "begun").touch()
        while not (folder.parent / "0" / "row.json").exists():
            time.sleep(0.02)
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""Job 1 kills its launcher's process once job 0 is done, and then itself. Each time it starts again it kills itself."""


def words(quick: tuple[str, ...], folder: Path, jobs: int = JOBS) -> list[str]:
    seeds = ",".join(map(str, range(jobs)))
    return ["-m", *quick, "policy.stop_rounds=2", f"seed={seeds}", f"hydra.sweep.dir={folder}"]


def labels(folder: Path, jobs: int = JOBS) -> list[bytes]:
    return [(folder / str(number) / "labels.csv").read_bytes() for number in range(jobs)]


def deadly(folder: Path) -> str:
    """Return a PYTHONPATH on which the process of job 1 is DEADLY."""
    (folder / "sitecustomize.py").write_text(DEADLY)
    return os.pathsep.join(map(str, (folder, ROOT, ROOT / "alearn" / "plugins")))


@pytest.fixture(scope="module")
def basic(tmp_path_factory, quick) -> Path:
    folder = tmp_path_factory.mktemp("basic")
    code, _, err = alearn(*words(quick, folder))
    assert code == 0, err
    return folder


@pytest.mark.slow
def test_a_killed_pool_is_started_again_and_a_killed_trial_costs_itself_alone(basic, quick, tmp_path):
    """Every launcher starts a trial's process in the same way."""
    folder = tmp_path / "sweep"
    code, out, err = alearn_apart(*words(quick, folder), *JOBLIB, PYTHONPATH=deadly(tmp_path))
    assert code == 1, out + err
    assert "the launcher has lost a worker (TerminatedWorkerError); continuing with the remaining jobs" in err
    assert "job 1 failed: its process was ended by SIGKILL (the system does so when memory runs out)" in out
    assert f"error: 1 of {JOBS} jobs failed; the same command with hydra.sweep.dir={folder} runs them again" in err
    assert [path.parent.name for path in folder.glob("*/row.json")] == ["0"], "the other one finishes"
    assert "SIGKILL" in (folder / "table.md").read_text()
    assert f"sweep: {JOBS - 1} of {JOBS} done, 1 failed" in out

    code, out, err = alearn(*words(quick, folder))
    assert code == 0, out + err
    assert re.findall(r"^job (\d) .* by hand", out, re.MULTILINE) == ["1"], "only the failed job runs again"
    assert labels(folder) == labels(basic)
    rows = [json.loads((folder / str(number) / "row.json").read_text()) for number in range(JOBS)]
    assert {row["config"]["threads"] for row in rows} == {1}
    assert "SIGKILL" not in (folder / "table.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_sweep_under_other_launchers_has_the_same_labels(name, basic, quick, tmp_path):
    code, out, err = alearn_apart(*words(quick, tmp_path, jobs=1), *OTHERS[name], RAY_worker_niceness="0")
    assert code == 0, out + err
    assert "sweep: 1 of 1 done" in out
    assert labels(tmp_path, jobs=1) == labels(basic, jobs=1)


@pytest.mark.slow
def test_a_folder_takes_one_sweep_at_a_time(basic, quick, monkeypatch):
    process = Apart(hold, basic, "sweep")
    process.until_printed(1)
    monkeypatch.setattr(status, "PATIENCE", 0.1)
    code, _, err = alearn(*words(quick, basic))
    assert code == 1
    assert f"error: {basic}: another sweep is running in this folder" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_finished_jobs_command_runs_it_again(basic, tmp_path):
    first, *_ = alearn("table", basic, "--commands", "--where", "seed=1").out.splitlines()
    program, *command = shlex.split(first)
    assert program == "alearn"
    code, out, err = alearn(*command, f"hydra.run.dir={tmp_path / 'trial'}")
    assert code == 0, out + err
    assert (tmp_path / "trial" / "labels.csv").read_bytes() in labels(basic)


def test_an_unknown_launcher_and_a_missing_extra_are_one_message(tmp_path):
    for words, message in (
        ("hydra/launcher=nowhere", "Could not find 'hydra/launcher/nowhere'"),
        ("hydra/launcher=rq_ray", "rq_ray: not installed; pip install 'alearn[ray]' brings it"),
        ("hydra/launcher=slurm", "there is no SLURM here (no sbatch); start it on a login node of the cluster"),
    ):
        code, _, err = alearn("-m", words, f"hydra.sweep.dir={tmp_path / 'new'}", PATH="/nowhere")
        assert code == 1
        assert err.startswith("error: ")
        assert message in err
        assert "Traceback" not in err
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_slurm_is_asked_for_what_the_config_says(quick, tmp_path):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in {"srun": "", "sbatch": f"cp $1 {tmp_path}/script; echo no partition >&2; exit 1"}.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    command = [*words(quick, tmp_path / "sweep"), "hydra/launcher=slurm", "hydra.launcher.partition=gpu"]
    code, _, err = alearn_apart(*command, PATH=f"{bin_}:{os.environ['PATH']}")
    assert code == 1
    assert "no partition" in err
    asked = set(re.findall(r"#SBATCH --(\S+)", (tmp_path / "script").read_text()))
    expected = {
        "requeue",
        "time=240",
        "gpus-per-node=1",
        "cpus-per-task=2",
        "mem=8GB",
        "partition=gpu",
        "signal=USR2@60",
    }
    assert expected <= asked
    assert f"array=0-{JOBS - 1}%{JOBS}" in asked
