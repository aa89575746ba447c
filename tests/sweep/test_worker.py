"""How the process of a job ends, and what it leaves behind."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from alearn.errors import AlearnError
from alearn.report import reporters
from alearn.sweep import worker
from alearn.trial import status
from alearn.trial.status import Status
from tests.apart import Apart
from tests.conftest import compose
from tests.waiting import until


def pretend(monkeypatch, code: str) -> None:
    """Make the process of a job run this code instead of a trial."""
    started = subprocess.Popen

    def other(words, **options):
        return started([sys.executable, "-c", code, *words[3:]], **options)

    monkeypatch.setattr(worker, "Popen", other)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by SIGSEGV"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "SIGKILL (the system does so when memory runs out)",
        ),
        ("import sys; sys.exit('a traceback')", "its process ended with exit code 1: see "),
    ],
)
def test_a_process_that_dies_leaves_a_reason(monkeypatch, tmp_path, code, reason):
    pretend(monkeypatch, code)
    with pytest.raises(AlearnError) as error:
        worker.run(tmp_path, 3)
    assert reason in str(error.value)
    assert status.of(tmp_path) == (Status.FAILED, str(error.value))


def test_a_living_trial_is_not_said_to_have_failed(monkeypatch, tmp_path):
    status.fail(tmp_path, "long ago")
    pretend(monkeypatch, "import sys; sys.exit('another trial is running in this folder')")
    with status.lock(tmp_path, "trial"), pytest.raises(AlearnError):
        worker.run(tmp_path, 0)
    assert status.failure(tmp_path) == "long ago"
    with pytest.raises(AlearnError, match="exit code 1"):
        worker.run(tmp_path, 0)
    assert "exit code 1" in str(status.failure(tmp_path)), "the old reason is gone"


def test_what_it_says_goes_to_the_log_and_its_own_reason_counts(monkeypatch, tmp_path):
    words = "import sys, pathlib; from alearn.trial import status; print('the end', file=sys.stderr); "
    words += "status.fail(pathlib.Path(sys.argv[1]), f'job {sys.argv[2]}: no labels'); sys.exit(1)"
    pretend(monkeypatch, words)
    with pytest.raises(AlearnError, match=r"^job 3: no labels$"):
        worker.run(tmp_path, 3)
    assert (tmp_path / "alearn.log").read_text() == "the end\n"


def be_a_job(folder, pipe):
    """Be the process of a job whose trial says that it runs, then that it runs still, and never ends."""

    def run_forever(*args):
        print("running")
        until((folder / "signalled").exists)
        print("still running")
        signal.pause()

    os.dup2(pipe.fileno(), 0)
    reporters.run_shown = run_forever
    sys.argv = ["worker", str(folder), "0"]
    worker.main()


@pytest.mark.slow
def test_a_trials_process_ends_with_its_worker_and_with_nothing_else(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(compose().yaml())
    (tmp_path / ".hydra" / "overrides.yaml").write_text("[]")
    theirs, ours = multiprocessing.Pipe(duplex=False)
    with ours:
        process = Apart(be_a_job, tmp_path, theirs)
        theirs.close()
        process.until_printed(1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            process.signal(number)
        (tmp_path / "signalled").touch()
        process.until_printed(2)
    assert process.wait() == 1
