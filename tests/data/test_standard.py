"""Load small files in the formats of the original data sets."""

import hashlib
import pickle
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from alearn.data import sources, standard
from alearn.errors import AlearnError

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Let no test download anything."""

    def refused(*args, **kwargs):
        raise urllib.error.URLError("there is no network")

    monkeypatch.setattr("urllib.request.urlopen", refused)


def load(config):
    """Load the pool and the test set of a config."""
    return sources.load(config.data, config.seed)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def idx(root: Path, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Write IDX files of 30 and 20 images. Return their content by split."""
    folder, there = root / name / "raw", {}
    folder.mkdir(parents=True)
    for split, count in (("train", 30), ("t10k", 20)):
        images, labels = (
            RANDOM.integers(256, size=(count, 28, 28), dtype=np.uint8),
            np.arange(count, dtype=np.uint8) % 10,
        )
        head = np.array([0x803, count, 28, 28], ">u4").tobytes()
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(
            np.array([0x801, count], ">u4").tobytes() + labels.tobytes()
        )
        there[split] = images[:, None], labels
    return there


def batches(root: Path, monkeypatch, kind: type, names: tuple[str, ...], key: str, classes: list[str]) -> dict:
    """Write CIFAR's pickles of 20 images each; the last is the test set. Return their content by split."""
    folder = root / kind.base_folder
    folder.mkdir()
    found: dict = {"train": ([], []), "t10k": ([], [])}
    for name in names:
        pixels, labels = RANDOM.integers(256, size=(20, 3072), dtype=np.uint8), RANDOM.integers(len(classes), size=20)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, key: labels.tolist()}, protocol=2))
        images, truth = found["t10k" if name == names[-1] else "train"]
        images.append(pixels.reshape(20, 3, 32, 32))
        truth.append(labels)
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: classes}, protocol=2))
    files = [[name, md5(folder / name)] for name in names]
    monkeypatch.setattr(kind, "train_list", files[:-1])
    monkeypatch.setattr(kind, "test_list", files[-1:])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5(meta)})
    return {split: (np.concatenate(images), np.concatenate(truth)) for split, (images, truth) in found.items()}


def mat(root: Path, monkeypatch) -> dict:
    """Write SVHN's MATLAB files, in which the digit 0 has the label 10. Return their content by split."""
    io = pytest.importorskip("scipy.io")
    there, listed = {}, dict(datasets.SVHN.split_list)
    for split, name, count in (("train", "train", 30), ("t10k", "test", 20)):
        images, labels = RANDOM.integers(256, size=(count, 3, 32, 32), dtype=np.uint8), np.arange(count) % 10
        path = root / f"{name}_32x32.mat"
        content = {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]}
        io.savemat(path, content)
        listed[name] = ["http://nowhere", path.name, md5(path)]
        there[split] = images, labels
    monkeypatch.setattr(datasets.SVHN, "split_list", listed)
    return there


def made(name: str, root: Path, monkeypatch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    match name:
        case "fashion_mnist" | "kmnist":
            return idx(root, standard.KNOWN[name].kind)
        case "cifar10":
            names = ("data_batch_1", "data_batch_2", "test_batch")
            return batches(root, monkeypatch, datasets.CIFAR10, names, "labels", [f"thing {i}" for i in range(10)])
        case "cifar100":
            things = [f"thing {i}" for i in range(100)]
            return batches(root, monkeypatch, datasets.CIFAR100, ("train", "test"), "fine_labels", things)
        case _:
            return mat(root, monkeypatch)


@pytest.mark.parametrize("name", standard.KNOWN)
def test_the_splits_are_pool_and_test_set_in_file_order(name, config, tmp_path, monkeypatch):
    there = made(name, tmp_path, monkeypatch)
    loaded = load(config(f"data={name}", f"data.root='{tmp_path}'"))
    for split, found in zip(("train", "t10k"), loaded, strict=True):
        images, truth = there[split]
        np.testing.assert_array_equal(found.images.numpy(), images)
        np.testing.assert_array_equal(found.truth, truth)
        assert found.truth.dtype == np.int64
        assert found.images.is_contiguous()
        assert found.ids == tuple(map(str, range(len(images))))
    expected = {"fashion_mnist": "Trouser", "kmnist": "ki", "svhn": "1"}
    assert found.classes[1] == expected.get(name, "thing 1")
    assert len(found.classes) == (100 if name == "cifar100" else 10)


@pytest.mark.parametrize("name", standard.KNOWN)
def test_what_is_missing_and_cannot_be_fetched_is_one_message(name, config, tmp_path, capsys):
    if name == "svhn":
        pytest.importorskip("scipy")
    with pytest.raises(AlearnError) as error:
        load(config(f"data={name}", f"data.root='{tmp_path / 'new'}'"))
    text = str(error.value)
    assert text.startswith(f"data={name}: files in data.root={tmp_path}/new are missing or damaged")
    assert "there is no network" in text
    assert "give the folder of torchvision's files as data.root=FOLDER" in text
    assert "\n" not in text
    assert f"data={name}: not in {tmp_path}/new" in capsys.readouterr().err


def test_damaged_files_are_the_same_message(config, tmp_path, monkeypatch):
    for name in ("kmnist", "cifar10"):
        root = tmp_path / name
        root.mkdir()
        made(name, root, monkeypatch)
        path = next(path for path in sorted(root.rglob("*")) if path.is_file() and path.stat().st_size > 1000)
        path.write_bytes(path.read_bytes()[:500])
        with pytest.raises(AlearnError, match=f"data={name}: .*Delete damaged files and run this again"):
            load(config(f"data={name}", f"data.root='{root}'"))


def test_a_folder_that_cannot_be_written_is_that_message_too(config):
    with pytest.raises(AlearnError, match=r"data=kmnist: files in data\.root=/dev/null/x are missing"):
        load(config("data=kmnist", "data.root=/dev/null/x"))


def test_what_is_fetched_is_loaded(config, tmp_path, monkeypatch):
    """Torchvision downloads; here its download writes a file of the test."""
    there = {}

    def download(self):
        if not there:
            there.update(idx(tmp_path, "FashionMNIST"))

    monkeypatch.setattr(datasets.FashionMNIST, "download", download)
    pool, test = load(config("data=fashion_mnist", f"data.root='{tmp_path}'"))
    assert (len(pool), len(test)) == (30, 20)
    np.testing.assert_array_equal(pool.images.numpy(), there["train"][0])


def test_the_sizes_are_those_that_the_data_sets_are_known_for():
    assert standard.SIZES == {
        "mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000, "cifar10": 50_000, "cifar100": 50_000,
        "svhn": 73_257,
    }  # fmt: skip
