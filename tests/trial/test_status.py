import os
import subprocess
import sys
import threading

import pytest

from alearn.errors import AlearnError
from alearn.trial import status
from alearn.trial.status import Status

HOLD = "import sys, pathlib; from alearn.trial import status; held = status.lock(pathlib.Path(sys.argv[1]), 'trial')"


def holder(folder) -> subprocess.Popen:
    """Start another process that holds the lock of the folder."""
    code = HOLD + "; print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_has_one_owner_until_it_is_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "PATIENCE", 0.1)
    assert not status.locked(tmp_path)
    with holder(tmp_path) as other:
        assert status.of(tmp_path) == (Status.RUNNING, "")
        with pytest.raises(AlearnError, match="another sweep is running in this folder"):
            status.lock(tmp_path, "sweep")
        other.kill()
    assert status.of(tmp_path) == (Status.INTERRUPTED, "")
    with status.lock(tmp_path, "trial"):
        pass
    assert not status.locked(tmp_path)


def test_a_killed_owner_is_waited_for(tmp_path):
    with holder(tmp_path) as other:
        later = threading.Timer(0.5, other.kill)
        later.start()
        with status.lock(tmp_path, "trial"):
            assert other.wait() < 0
        later.join()


def test_a_failure_has_a_reason(tmp_path):
    assert status.failure(tmp_path) is None
    status.fail(tmp_path, 'the loss is "nan"')
    assert status.of(tmp_path) == (Status.FAILED, 'the loss is "nan"')
    for content in ("", "[]", "{}"):
        (tmp_path / status.FAILED).write_text(content)
        assert status.of(tmp_path) == (Status.FAILED, "failed.json cannot be read")
    (tmp_path / "row.json").write_text('{"setting": "s"}')
    assert status.of(tmp_path) == (Status.FINISHED, "")
