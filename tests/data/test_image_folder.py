"""Turn files into a pool and a test set: pixels, labels, duplicates, and a reason for every skipped file."""

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.data import decode, row_store, sources
from alearn.data.pixels import Mapped
from alearn.errors import AlearnError

RANDOM = np.random.default_rng(0)


def put(path, pixels=None) -> np.ndarray:
    """Write an image file and return its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(256, size=(16, 16, 3), dtype=np.uint8) if pixels is None else pixels
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def load(config, tmp_path):
    """Return a function that loads the pool and the test set of the folder `images`, with a cache for this test."""

    def loaded(*words):
        root, cache = tmp_path / "images", tmp_path / "cache"
        given = ("data.size=16", "data.channels=3", "data.augment=none")
        settings = config("data=folder", f"data.root='{root}'", f"data.cache='{cache}'", *given, *words)
        return sources.load(settings.data, settings.seed)

    (tmp_path / "images").mkdir()
    return loaded


@pytest.fixture
def root(tmp_path):
    return tmp_path / "images"


def test_class_folders_become_pool_and_test_set(load, root):
    names = ("train/b/2.png", "train/b/x/10.png", "train/a/x.png", "test/b/1.png")
    there = {name: put(root / name) for name in names}
    (root / "train" / "a" / ".hidden").write_text("no image")
    pool, test = load()
    assert pool.ids == ("train/a/x.png", "train/b/2.png", "train/b/x/10.png")
    assert pool.classes == test.classes == ("a", "b")
    assert (pool.truth.tolist(), pool.given, pool.truth.dtype) == ([0, 1, 1], None, np.int64)
    assert (test.ids, test.truth.tolist()) == (("test/b/1.png",), [1])
    assert pool.root == root
    for name, image in zip(pool.ids + test.ids, [*pool.images, *test.images], strict=True):
        np.testing.assert_array_equal(image.numpy(), there[name].transpose(2, 0, 1))


def test_without_a_test_set_there_is_none(load, root):
    for name in ("a/1.bmp", "b/1.png"):
        put(root / name)
    pool, test = load()
    assert pool.ids == ("a/1.bmp", "b/1.png")
    assert (len(test), test.images.shape, test.truth.dtype) == (0, (0, 3, 16, 16), np.int64)
    assert test.truth.shape == (0,)


def test_labels_of_which_some_are_given(load, root):
    for name in ("b/1.png", "a/1.png", "unlabeled/1.png", "unlabeled/2.png"):
        put(root / name)
    pool, _ = load()
    assert pool.ids == ("a/1.png", "b/1.png", "unlabeled/1.png", "unlabeled/2.png")
    assert (pool.given.tolist(), pool.truth, pool.classes) == ([0, 1, -1, -1], None, ["a", "b"])
    assert pool.subset(np.array([2, 1])).given.tolist() == [-1, 1]
    pool, _ = load("data.layout=unlabeled")
    assert (pool.given, pool.truth, pool.classes, len(pool)) == (None, None, [], 4)
    pool, _ = load("data.layout=unlabeled", "data.classes=[x,y]")
    assert pool.classes == ("x", "y")


def test_a_table_says_what_there_is(load, root):
    for name in ("1.png", "2.png", "3.png"):
        put(root / name)
    (root / "labels.csv").write_text("path,label\n3.png,cat\n./1.png,\ngone.png,dog\n")
    pool, _ = load("data.labels=labels.csv")
    assert (pool.ids, pool.given.tolist(), pool.classes) == (("3.png", "./1.png"), [0, -1], ["cat", "dog"])
    assert pool.skipped == (("gone.png", "is missing"),)
    (root / "labels.csv").write_text("path,label\n3.png,dog\n1.png,cat\n")
    pool, _ = load("data.labels=labels.csv", "data.classes=[dog,cat]")
    assert (pool.truth.tolist(), pool.classes) == ([0, 1], ("dog", "cat"))


def test_doubles_are_skipped_and_their_labels_are_not_lost(load, root):
    pixels = put(root / "a" / "1.png")
    put(root / "a" / "2.png", pixels)
    put(root / "b" / "1.png", pixels)
    put(root / "unlabeled" / "1.png", pixels)
    mine = put(root / "unlabeled" / "2.png")
    put(root / "z" / "1.png", mine)
    pool, _ = load()
    assert (pool.ids, pool.given.tolist()) == (("a/1.png", "unlabeled/2.png"), [0, 2])
    assert dict(pool.skipped) == {
        "a/2.png": "is the same image as a/1.png",
        "b/1.png": "is the same image as a/1.png, which is labeled a, not b",
        "unlabeled/1.png": "is the same image as a/1.png",
        "z/1.png": "is the same image as unlabeled/2.png, which takes its label, z",
    }
    assert len(pool.images) == 2


def test_whatever_is_left_out_is_named(load, root):
    put(root / "a" / "1.png")
    put(root / "test.png")
    (root / "a" / "broken.png").write_bytes((root / "a" / "1.png").read_bytes()[:300])
    (root / "a" / "empty.png").write_bytes(b"")
    (root / "a" / "notes.txt").write_text("text")
    (root / "a" / "new\nline.png").write_bytes(b"")
    pool, _ = load("data.layout=classes")
    assert pool.ids == ("a/1.png",)
    assert sorted(name for name, _ in pool.skipped) == sorted(
        ["test.png", "a/broken.png", "a/empty.png", "a/notes.txt", r"'a/new\nline.png'"]
    )
    assert dict(pool.skipped)["a/broken.png"].startswith("is damaged or cut off (")


def test_nothing_left_is_an_error_that_says_why(load, root):
    with pytest.raises(
        AlearnError, match=rf"data\.root={root}: holds no images; they must be in it, in CLASS/ below it"
    ):
        load()
    for number in range(5):
        (root / f"{number}.png").write_bytes(b"")
    message = r"that can be read; 5 files were skipped: 0\.png is empty \(0 bytes\); 1\.png .*; 2\.png .*\); \.\.\.$"
    with pytest.raises(AlearnError, match=message):
        load()


def test_a_tail_needs_the_truth(load, root):
    put(root / "1.png")
    message = r"data\.imbalance\.shape=step: needs the true labels of all images; without them it must be none"
    with pytest.raises(AlearnError, match=message):
        load("data.imbalance.shape=step", "data.imbalance.factor=10")


@pytest.mark.parametrize("words", [(), ("data.limit=12",), ("data.imbalance.shape=step", "data.imbalance.factor=5")])
def test_a_large_pool_stays_on_disk_and_gives_the_same_batches(load, root, words, monkeypatch):
    for number in range(20):
        put(root / "ab"[number % 2] / f"{number}.png")
    tensor, _ = load(*words)
    monkeypatch.setattr(row_store, "IN_MEMORY", 0)
    monkeypatch.setattr(decode, "pixels", None)  # every image is decoded already
    mapped, _ = load(*words)
    assert isinstance(tensor.images, torch.Tensor)
    assert isinstance(mapped.images, Mapped)
    assert (mapped.ids, mapped.truth.tolist()) == (tensor.ids, tensor.truth.tolist())
    for index in (torch.arange(len(tensor)), torch.tensor([5, 0, 5])):
        assert torch.equal(mapped.images[index], tensor.images[index])


def test_another_folder_is_another_data_set(config):
    a, b = (config("data=folder", f"data.root={root}") for root in ("/a", "/b"))
    assert a.digest() != b.digest()
    assert a.setting() != b.setting()
