import numpy as np
import pytest
from PIL import Image

from alearn.data import sources
from alearn.errors import AlearnError

RANDOM = np.random.default_rng(0)


def put(path, pixels=None, mode="RGB") -> np.ndarray:
    """An image file; its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(256, size=(16, 16, 3), dtype=np.uint8) if pixels is None else pixels
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


def load(config, root, *words):
    return sources.load(config("data=folder", f"data.root='{root}'", "data.size=16", *words))


def test_class_folders_become_pool_and_test_set(config, tmp_path):
    there = {
        name: put(tmp_path / name) for name in ("train/b/2.png", "train/b/10.png", "train/a/x.png", "test/b/1.png")
    }
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "a" / ".hidden").write_text("no image")
    pool, test = load(config, tmp_path)
    assert pool.ids == ("train/a/x.png", "train/b/10.png", "train/b/2.png")
    assert pool.classes == test.classes == ("a", "b")
    assert pool.truth.tolist() == [0, 1, 1]
    assert (test.ids, test.truth.tolist()) == (("test/b/1.png",), [1])
    for name, image in zip(pool.ids, pool.images, strict=True):
        np.testing.assert_array_equal(image.numpy(), there[name].transpose(2, 0, 1))


def test_without_a_test_set_there_is_none(config, tmp_path):
    for name in ("a/1.jpg", "b/1.bmp"):
        put(tmp_path / name)
    pool, test = load(config, tmp_path)
    assert pool.ids == ("a/1.jpg", "b/1.bmp")
    assert (len(test), test.images.shape, test.truth.dtype) == (0, (0, 3, 16, 16), np.int64)
    put(tmp_path / "train" / "a" / "2.png")
    pool, test = load(config, tmp_path)
    assert (pool.ids, len(test)) == (("train/a/2.png",), 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_any_kind_are_made_alike(config, tmp_path, channels):
    image = np.full((40, 64, 3), 0, np.uint8)
    image[:, 32:] = (200, 100, 50)
    for name, mode in (
        ("a/1.jpg", "RGB"),
        ("a/2.png", "P"),
        ("a/3.png", "L"),
        ("a/4.png", "RGBA"),
        ("a/5.jpg", "CMYK"),
    ):
        put(tmp_path / name, image, mode)
    pool, _ = load(config, tmp_path, f"data.channels={channels}")
    assert pool.images.shape == (5, channels, 16, 16)
    grey = Image.fromarray(image).convert("L").getpixel((50, 20))
    for number, found in enumerate(pool.images.numpy().astype(int)):
        colour = [grey] * channels if channels == 1 or number == 2 else [200, 100, 50]
        assert np.abs(found[:, :, 10:].mean((1, 2)) - colour).max() < 12
        assert found[:, :, :6].mean() < 8


def test_a_file_that_is_no_image_is_named(config, tmp_path):
    put(tmp_path / "a" / "1.png")
    for content in (b"text", (tmp_path / "a" / "1.png").read_bytes()[:200]):
        (tmp_path / "a" / "broken.png").write_bytes(content)
        with pytest.raises(AlearnError, match=rf"{tmp_path}/a/broken\.png cannot be read as an image \("):
            load(config, tmp_path)


def test_folders_that_are_no_data_set(config, tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(
        AlearnError, match=rf"data\.root={tmp_path}: holds no images; they must be in {tmp_path}/train/"
    ):
        load(config, tmp_path)
    put(tmp_path / "train" / "a" / "1.png")
    put(tmp_path / "test" / "c" / "1.png")
    with pytest.raises(AlearnError, match=rf"{tmp_path}/test/c: there is no such class in {tmp_path}/train"):
        load(config, tmp_path)
    with pytest.raises(AlearnError, match=r"data\.root=/nowhere: holds no images"):
        load(config, "/nowhere")


def test_another_folder_is_another_data_set(config):
    a, b = (config("data=folder", f"data.root={root}") for root in ("/a", "/b"))
    assert a.digest() != b.digest()
    assert a.setting() != b.setting()
