import signal
import threading

import pytest

from alearn.errors import AlearnError
from alearn.trial import status
from alearn.trial.status import Status
from tests.apart import Apart
from tests.waiting import LIMIT


def hold(folder, kind):
    """Hold a folder until this process is killed."""
    with status.lock(folder, kind):
        print("held")
        signal.pause()


def holder(folder, kind="trial") -> Apart:
    """Return another process, which holds the folder."""
    process = Apart(hold, folder, kind)
    process.until_printed(1)
    return process


@pytest.mark.slow
def test_a_folder_has_one_owner_until_it_is_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "PATIENCE", 0.1)
    assert not status.locked(tmp_path)
    other = holder(tmp_path)
    assert status.of(tmp_path) == (Status.RUNNING, "")
    with pytest.raises(AlearnError, match="another sweep is running in this folder"):
        status.lock(tmp_path, "sweep")
    other.kill()
    assert status.of(tmp_path) == (Status.INTERRUPTED, "")
    with status.lock(tmp_path, "trial"):
        pass
    assert not status.locked(tmp_path)


@pytest.mark.slow
def test_a_killed_owner_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "PATIENCE", LIMIT)
    other = holder(tmp_path)
    later = threading.Timer(0.5, other.signal, [signal.SIGKILL])
    later.start()
    with status.lock(tmp_path, "trial"):
        assert other.wait() < 0
    later.join()


def test_a_trial_that_waits_says_for_what(tmp_path):
    (tmp_path / "config.yaml").touch()
    status.wait(tmp_path, "3 answers are missing")
    assert status.of(tmp_path) == (Status.WAITING, "3 answers are missing")
    assert status.missing(tmp_path) == {".": "3 answers are missing"}
    assert status.failure(tmp_path) is None
    status.fail(tmp_path, "the loss is nan")
    assert status.of(tmp_path) == (Status.FAILED, "the loss is nan")
    status.start(tmp_path)
    assert status.of(tmp_path) == (Status.INTERRUPTED, "")


def test_a_failure_has_a_reason(tmp_path):
    assert status.failure(tmp_path) is None
    status.fail(tmp_path, 'the loss is "nan"')
    assert status.of(tmp_path) == (Status.FAILED, 'the loss is "nan"')
    for content in ("", "[]", "{}"):
        (tmp_path / status.FAILED).write_text(content)
        assert status.of(tmp_path) == (Status.FAILED, "failed.json cannot be read")
    (tmp_path / "row.json").write_text('{"setting": "s"}')
    assert status.of(tmp_path) == (Status.FINISHED, "")
