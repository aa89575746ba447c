"""One small sweep with every launcher. The process of a trial is killed, and still the labels are the same."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.command import alearn, alearn_apart, start
from tests.test_end_to_end import QUICK

pytest.importorskip("joblib", reason="needs the extras: pip install 'alearn[joblib,submitit,ray]'")

JOBS = 3
LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local"],
    "ray": [
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
    ],
}


def words(root: Path, folder: Path) -> list[str]:
    seeds = ",".join(map(str, range(JOBS)))
    small = [word for word in QUICK if not word.startswith(("data.limit", "train.steps"))]
    small += ["data.limit=400", "train.steps=30", f"data.root='{root}'"]
    return ["-m", *small, f"seed={seeds}", f"hydra.sweep.dir={folder}"]


def labels(folder: Path) -> list[bytes]:
    return [(folder / str(number) / "labels.csv").read_bytes() for number in range(JOBS)]


def pids(text: str) -> list[int]:
    """Return the processes whose command line contains a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError, UnicodeDecodeError):
            if text in path.read_bytes().replace(b"\0", b" ").decode():
                found.append(int(path.parent.name))
    return found


def parent(pid: int) -> int:
    """Return the parent of a process, 0 if the process is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def kill(text: str, process: subprocess.Popen, child: bool = False) -> None:
    """Wait for a process whose command line contains a text, and kill it.

    Args:
        text: The text.
        process: The command. It must still be running.
        child: Whether the process must be a child of the command.
    """
    while process.poll() is None:
        for pid in pids(text):
            if not child or parent(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
                return
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.fixture(scope="module")
def basic(tmp_path_factory, mnist_root) -> Path:
    folder = tmp_path_factory.mktemp("basic")
    code, _, err = alearn(*words(mnist_root, folder))
    assert code == 0, err
    return folder


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_killed_trial_costs_itself_alone_and_a_rerun_ends_with_the_same_labels(name, basic, mnist_root, tmp_path):
    command = [*words(mnist_root, tmp_path), *LAUNCHERS[name]]
    process = start(*command)
    kill(f"alearn.sweep.worker {tmp_path}/1 ", process)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, out + err
    assert "job 1 failed: its process was ended by SIGKILL (the system does so when memory runs out)" in out
    assert f"error: 1 of {JOBS} jobs failed; the same command with hydra.sweep.dir={tmp_path} runs them again" in err
    assert len(list(tmp_path.glob("*/row.json"))) == JOBS - 1, "the others finish"
    assert "SIGKILL" in (tmp_path / "table.md").read_text()
    assert f"sweep: {JOBS - 1} of {JOBS} done, 1 failed" in out

    code, out, err = alearn_apart(*command)
    assert code == 0, out + err
    assert re.findall(r"^job (\d) .* by hand", out, re.MULTILINE) == ["1"], "only the failed job runs again"
    assert labels(tmp_path) == labels(basic)
    rows = [json.loads((tmp_path / str(number) / "row.json").read_text()) for number in range(JOBS)]
    assert {row["config"]["threads"] for row in rows} == {1}
    assert "SIGKILL" not in (tmp_path / "table.md").read_text()


def test_a_killed_pool_is_started_again(basic, mnist_root, tmp_path):
    process = start(*words(mnist_root, tmp_path), *LAUNCHERS["joblib"])
    while not list(tmp_path.glob("*/row.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    kill("LokyProcess", process, child=True)
    out, err = process.communicate(timeout=300)
    assert "the launcher has lost a worker (TerminatedWorkerError); continuing with the remaining jobs" in err
    assert process.returncode == 0, out + err
    assert labels(tmp_path) == labels(basic)


def test_a_folder_takes_one_sweep_at_a_time(basic, mnist_root):
    code = (
        f"from pathlib import Path; from alearn.trial import status; held = status.lock(Path({str(basic)!r}), 'sweep')"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code + "; print('held', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        status, _, err = alearn(*words(mnist_root, basic))
        holder.kill()
    assert status == 1
    assert f"error: {basic}: another sweep is running in this folder" in err
    assert "Traceback" not in err


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


def test_slurm_is_asked_for_what_the_config_says(mnist_root, tmp_path):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in {"srun": "", "sbatch": f"cp $1 {tmp_path}/script; echo no partition >&2; exit 1"}.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    command = [*words(mnist_root, tmp_path / "sweep"), "hydra/launcher=slurm", "hydra.launcher.partition=gpu"]
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
