"""Features on disk: what is computed again, what a kill or a full disk leaves, and memory."""

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.data import features, pixels, row_store, sources, standard
from alearn.data.imageset import ImageSet
from alearn.data.on_demand import OnDemand
from alearn.data.pixels import Mapped, Mapping
from alearn.data.row_source import Files
from alearn.errors import AlearnError
from tests.apart import Apart
from tests.conftest import compose, shapes

CPU = torch.device("cpu")


class Value:
    """An extractor whose three features are the value of an image, its side, and the version. It counts."""

    width, size, channels = 3, 16, 3

    def __init__(self, key: str = "a", chunk: int = 8) -> None:
        self.key = key
        self.chunk = chunk
        self.calls: list[int] = []

    def __call__(self, pixels_bchw: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(pixels_bchw))
        value = pixels_bchw.float().mean((1, 2, 3))
        rest = torch.tensor([float(pixels_bchw.shape[-1]), float(ord(self.key))])
        return torch.cat([value[:, None], rest.expand(len(value), 2)], 1).half()

    @property
    def computed(self) -> int:
        return sum(self.calls)


def put(root: Path, **values: int) -> None:
    for name, value in values.items():
        path = root / "ab"[value % 2] / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)


def load(tmp_path: Path, extractor: Value, *words: str) -> tuple[ImageSet, ImageSet]:
    data = compose("data=folder", f"data.root='{tmp_path}/images'", f"data.cache='{tmp_path}/cache'", *words).data
    return sources.load(data, 0, extractor)


def values(pool: ImageSet) -> dict[str, int]:
    """Return the first feature of each image, by the name of its file."""
    index = torch.arange(len(pool))
    return {Path(name).stem: int(row[0]) for name, row in zip(pool.ids, pool.features[index], strict=True)}


def folders(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "features").iterdir())


def test_features_of_a_folder_are_computed_once_and_extended(tmp_path):
    there = {f"x{value:02}": value for value in range(20)}
    put(tmp_path / "images", **there, copy=4)
    (tmp_path / "images" / "a" / "bad.png").write_text("no image")
    extractor = Value()
    pool, test = load(tmp_path, extractor)
    assert values(pool) == {name: value for name, value in there.items() if name != "x04"} | {"copy": 4}
    assert dict(pool.skipped) == {
        "a/bad.png": "is none of JPEG, PNG, WebP, TIFF, BMP, GIF by its content",
        "a/x04.png": "is the same image as a/copy.png",
    }
    assert (len(test), test.features.shape[1], pool.inputs is pool.features) == (0, 3, True)
    assert pool.features[torch.tensor([0])].tolist()[0][1:] == [16, 97], "decoded at the size of the extractor"
    assert extractor.computed == 20
    assert max(extractor.calls) <= 8
    put(tmp_path / "images", new=30, x06=36)
    again = Value()
    assert values(load(tmp_path, again)[0]) == values(pool) | {"new": 30, "x06": 36}
    assert again.computed == 2, "one is new, one has changed"
    assert len(list(folders(tmp_path))) == 1
    assert not (tmp_path / "cache" / "decoded").exists(), "pixels are not kept"


def test_another_key_has_another_folder(tmp_path):
    put(tmp_path / "images", x=2, y=3)
    load(tmp_path, Value("a"))
    other = Value("b")
    assert load(tmp_path, other)[0].features[torch.tensor([0])].tolist() == [[2, 16, 98]]
    assert other.computed == 2
    assert len(folders(tmp_path)) == 2


def test_pixels_are_decoded_on_demand(tmp_path):
    put(tmp_path / "images", x=2, y=3, z=4)
    pool, _ = load(tmp_path, Value())
    assert isinstance(pool.images, OnDemand)
    assert (pool.images.dtype, tuple(pool.images.shape), pool.images.device) == (torch.uint8, (3, 3, 16, 16), CPU)
    part = pool.subset(np.array([2, 0]))
    assert [Path(name).stem for name in part.ids] == ["y", "x"]
    assert part.images[torch.tensor([1, 0, 1])][:, 0, 0, 0].tolist() == [2, 3, 2]
    assert values(part) == {"y": 3, "x": 2}
    assert part.images[torch.tensor([], dtype=torch.int64)].shape == (0, 3, 16, 16)
    assert part.to(CPU).images is part.images
    (tmp_path / "images" / part.ids[0]).unlink()
    assert part.images[torch.tensor([0])].unique().tolist() == [255], "a file that went is white"


def test_sets_in_memory_share_features_by_content(tmp_path):
    extractor = Value()
    whole = shapes(40)
    first = features.added(whole.subset(np.arange(30)), extractor, tmp_path / "cache", "data.root")
    assert extractor.computed == 30
    both = features.added(whole.subset(np.array([35, 3, 3])), extractor, tmp_path / "cache", "data.root")
    assert extractor.computed == 31, "one is new"
    index = torch.tensor([1, 2])
    assert torch.equal(both.features[index], first.features[torch.tensor([3, 3])])
    expected = whole.images[torch.tensor([35])].float().mean()
    assert both.features[torch.tensor([0])][0, 0] == expected.half()
    assert both.images is not both.features
    assert both.ids == ("img/35.png", "img/3.png", "img/3.png")
    assert len(folders(tmp_path)) == 1


def test_a_known_data_set_has_features_after_limit_and_imbalance_and_so_has_its_test_set(tmp_path, monkeypatch):
    pool, test = shapes(200), shapes(50, seed=1)
    monkeypatch.setattr(standard, "load", lambda name, root: (pool, test))
    config = compose(f"data.root='{tmp_path}/cache'", "data.imbalance.shape=step", "data.imbalance.factor=4")
    data = config.data.model_copy(update={"limit": 60})
    extractor = Value()
    found, tested = sources.load(data, 0, extractor)
    plain, _ = sources.load(data, 0)
    assert (len(found), found.ids, plain.features) == (60, plain.ids, None)
    assert extractor.computed == 110, "only what is used"
    for images in (found, tested):
        means = images.images.float().mean((1, 2, 3)).half()
        assert torch.equal(images.features[torch.arange(len(images))][:, 0], means)
    assert sources.features_folder(data, extractor, found) == folders(tmp_path)[0]
    part = found.sample(20, np.random.default_rng(0))
    assert torch.equal(part.features[:, 0], part.images.float().mean((1, 2, 3)).half())


def test_features_must_fit_their_images():
    images = shapes(5)
    for wrong in (torch.zeros(4, 3).half(), torch.zeros(5, 3), torch.zeros(5, 3, 1).half()):
        with pytest.raises(ValueError, match="features"):
            replace(images, features=wrong)


@pytest.mark.parametrize(("call", "key"), [("pwrite", "data.cache"), ("fsync", "data.cache"), ("pwrite", "data.root")])
def test_a_disk_that_fills_up_is_one_message_and_what_is_there_stays(tmp_path, monkeypatch, call, key):
    put(tmp_path / "images", **{f"x{value:02}": value for value in range(40)})
    work, count = getattr(os, call), iter(range(1000))
    last = 20 if call == "pwrite" else 2

    def fills(*args):
        if next(count) >= last:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return work(*args)

    extractor, again = Value(), Value()
    images = shapes(40)

    def loaded(extractor: Value) -> ImageSet:
        if key == "data.root":
            return features.added(images, extractor, tmp_path / "cache", key)
        return load(tmp_path, extractor)[0]

    with monkeypatch.context() as disk:
        disk.setattr(os, call, fills)
        with pytest.raises(
            AlearnError, match=rf"{key}=.*features cannot be kept there \(No space left on device\); make"
        ):
            loaded(extractor)
    pool = loaded(again)
    assert again.computed == 24, "two chunks of 8 were there"
    if key == "data.cache":
        assert values(pool) == {f"x{value:02}": value for value in range(40)}


def compute_slowly(root, cache, last):
    """Compute features, and print a line for each chunk; wait at the one with that number to be killed."""

    class Slow(Value):
        def __call__(self, pixels_bchw):
            print("chunk", len(pixels_bchw))
            while len(self.calls) == last:
                threading.Event().wait()
            return super().__call__(pixels_bchw)

    row_store.load(cache, Files(root, sorted(path.name for path in root.iterdir()), 16, 3), Slow())


@pytest.mark.slow
def test_killed_while_it_computes_it_goes_on_with_what_was_committed(tmp_path):
    root, cache = tmp_path / "images", tmp_path / "cache"
    put(tmp_path / "made", **{f"x{value:02}": value for value in range(80)})
    root.mkdir()
    for path in (tmp_path / "made").rglob("*.png"):
        path.rename(root / path.name)
    names = sorted(path.name for path in root.iterdir())
    for last in (3, 2):
        process = Apart(compute_slowly, root, cache, last)
        process.until_printed(last + 1)
        process.kill()
    extractor = Value()
    rows = row_store.load(cache, Files(root, names, 16, 3), extractor)
    assert extractor.computed == 80 - 5 * 8
    whole = rows.mapping.array[rows.rows]
    np.testing.assert_array_equal(whole[:, 0], np.arange(80))
    undisturbed = row_store.load(tmp_path / "other", Files(root, names, 16, 3), Value())
    assert undisturbed.mapping.array[undisturbed.rows].tobytes() == whole.tobytes()


def test_threads_read_one_chunk_ahead_and_no_more(tmp_path, monkeypatch):
    put(tmp_path / "images", **{f"x{value:02}": value for value in range(40)})
    read = []
    reading = Files.read
    monkeypatch.setattr(Files, "read", lambda self, name, known: (read.append(name), reading(self, name, known))[1])
    ahead = []

    class Looking(Value):
        def __call__(self, pixels_bchw):
            ahead.append(len(read) - sum(self.calls))
            return super().__call__(pixels_bchw)

    load(tmp_path, Looking())
    assert len(read) == 40
    assert max(ahead) <= 16


def test_features_that_are_too_many_for_memory_stay_on_disk(tmp_path, monkeypatch):
    there = np.random.default_rng(0).standard_normal((60_000, 384), np.float32).astype(np.float16)
    (tmp_path / "f").write_bytes(there.tobytes())
    monkeypatch.setattr(pixels, "KEPT", 1 << 20)
    mapped = Mapped(Mapping(tmp_path / "f", (384,), np.float16), np.arange(60_000)[::-1].copy())
    assert (mapped.dtype, tuple(mapped.shape), mapped.nbytes) == (torch.float16, (60_000, 384), there.nbytes)
    expected = there.astype(np.float64).sum()
    first = there[-3:][::-1].copy()
    del there
    before = most = resident()
    total = 0.0
    for index in torch.split(torch.arange(60_000), 512):
        total += float(mapped[index].double().sum())
        most = max(most, resident())
    assert total == pytest.approx(expected)
    np.testing.assert_array_equal(mapped[torch.arange(3)].numpy(), first)
    for _ in range(100):
        assert len(mapped[torch.randint(60_000, (256,))]) == 256
        most = max(most, resident())
    assert most - before < 24, "of 44 MiB, in order and at random"


def resident() -> int:
    """Return how many MiB of mapped files are in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("RssFile"))


def test_a_gpu_gets_the_features_and_the_pixels_stay(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(np.zeros((5, 3), np.float16).tobytes())
    mapped = Mapped(Mapping(tmp_path / "f", (3,), np.float16), np.arange(5))
    pool = replace(shapes(5), features=mapped)
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (mapped.nbytes, mapped.nbytes))
    moved = pool.to(cuda)
    assert (moved.features.device, moved.images.device) == (cuda, CPU)
    monkeypatch.setattr(Mapped, "tensor", lambda self, device: self.take(np.arange(5)).to(CPU))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * mapped.nbytes, 2 * mapped.nbytes))
    assert pool.to(cuda).features.device == CPU, "there is room for a copy"
