"""Replace the auto values for images whose answer is known: handwriting, and stand-ins for photographs."""

import numpy as np
import pytest
from PIL import Image

from alearn.config.model_config import Auto
from alearn.data import choose, decode, standard
from alearn.errors import AlearnError

WORDS = ("data=folder", "policy=frugal")


def written(digits: np.ndarray, random, ink: tuple[int, int, int] = (30, 40, 140)) -> list[np.ndarray]:
    """Return digits [n, 28, 28] as if they were written on paper and photographed: n arrays, uint8 [56, 56, 3]."""
    share = np.kron(digits, np.ones((1, 2, 2)))[..., None] / 255
    paper = np.array([245, 238, 220]) + random.normal(0, 8, (len(digits), 1, 1, 3))
    light = 1 + 0.25 * random.uniform(-1, 1, (len(digits), 1, 1, 1)) * np.linspace(0, 1, 56)[:, None]
    noise = random.normal(0, 4, (len(digits), 56, 56, 1))
    return list(((paper * (1 - share) + np.array(ink) * share) * light + noise).clip(0, 255).astype(np.uint8))


def things(random, count: int) -> np.ndarray:
    """Return images of discs anywhere, lit from above, uint8 [count, 48, 64, 3]. Their mirror images are as likely."""
    rows, columns = np.mgrid[:48, :64]
    found = np.empty((count, 48, 64, 3), np.uint8)
    for at in range(count):
        image = np.full((48, 64, 3), random.integers(60, 200, 3)) - rows[:, :, None]
        for _ in range(4):
            y, x, radius = random.integers(48), random.integers(64), random.integers(4, 14)
            image[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = random.integers(0, 256, 3)
        found[at] = (image + random.normal(0, 6, image.shape)).clip(0, 255)
    return found


def put(root, images, suffix: str = "png") -> None:
    root.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(root / f"{number:04}.{suffix}")


def of(config, cuda: bool = True) -> choose.Settled:
    return choose.settle(config.data, config.train, config.model, cuda)


def settled(config, root, *words, cuda: bool = True) -> choose.Settled:
    return of(config(*WORDS, f"data.root='{root}'", *words), cuda)


def test_stand_ins_for_photographs(config, tmp_path):
    put(tmp_path, things(np.random.default_rng(0), 200), "jpg")
    found = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment, found.train.augment) == (
        64,
        3,
        "objects",
        "objects",
    )
    assert found.model == config(*WORDS).model.large
    assert found.notes[:3] == [
        "data.layout=unlabeled: images lie in the folder itself, so no folder is taken as a class",
        "data.size=64: the images are 64 x 48 in the median",
        "data.channels=3: 200 of 200 sampled images have colour",
    ]
    assert found.notes[3] == (
        "data.augment=objects: most images are photographs in colour; mirror images are made. "
        "If mirroring changes the class of an image, as it does with text, set data.augment=numbers"
    )
    assert found.notes[4] == "model=small_cnn model.width=32: the images are more than 40 pixels a side"
    assert settled(config, tmp_path) == found, "the same files give the same values"
    slow = settled(config, tmp_path, cuda=False)
    assert (slow.data.size, slow.model) == (48, config(*WORDS).model.small)
    assert slow.notes[1] == "data.size=48: the images are 64 x 48 in the median, and there is no GPU"
    assert slow.notes[4] == "model=small_cnn model.width=16: there is no GPU"


@pytest.fixture
def digits(mnist_root) -> np.ndarray:
    pool, _ = standard.mnist(mnist_root)
    return pool.images[:300, 0].numpy()


def test_handwriting_is_line_drawn(config, tmp_path, digits):
    put(tmp_path, [np.stack([image] * 3, 2) for image in digits], "jpg")  # grey pixels in files with three channels
    found = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment) == (28, 1, "digits")
    assert found.model == config(*WORDS).model.small
    assert found.notes[3:] == [
        "data.augment=digits: the images are line-drawn, like handwriting; no mirror images are made",
        "model=small_cnn model.width=16: the images are small and grey",
    ]


def test_handwriting_in_blue_ink_is_not_mirrored_for_its_colour(config, tmp_path, digits):
    put(tmp_path, written(digits, np.random.default_rng(0)), "jpg")
    found = settled(config, tmp_path)
    assert (found.data.channels, found.data.augment) == (3, "digits")


def test_grey_photographs_are_not_mirrored(config, tmp_path):
    grey = things(np.random.default_rng(0), 60)[:, :, :, 0]
    put(tmp_path, grey)
    found = settled(config, tmp_path)
    assert (found.data.channels, found.data.augment) == (1, "numbers")
    assert (
        "data.augment=numbers: most images are grey; no mirror images are made (data.augment=objects " in found.notes[3]
    )
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    found = settled(config, tmp_path)
    assert (found.data.channels, found.data.augment) == (3, "numbers"), "one image in colour makes no photographs"


def test_few_photographs_are_mirrored(config, tmp_path):
    put(tmp_path, things(np.random.default_rng(0), 12))
    assert settled(config, tmp_path).data.augment == "objects"


@pytest.mark.parametrize("side", ["left", "right"])
def test_light_from_one_side_does_not_forbid_mirroring(config, tmp_path, side):
    """In a series of photographs, the light often comes from one side, which says nothing about the classes."""
    light = np.linspace(60, -60, 64)[None, None, :, None]
    images = things(np.random.default_rng(0), 120) + (light if side == "left" else -light)
    put(tmp_path, images.clip(0, 255).astype(np.uint8))
    assert settled(config, tmp_path).data.augment == "objects"


def test_one_image_in_colour_is_enough_and_small_sizes_are_kept(config, tmp_path):
    grey = np.random.default_rng(0).integers(256, size=(20, 17, 30), dtype=np.uint8)
    put(tmp_path, grey)
    found = settled(config, tmp_path)
    assert (found.data.size, found.data.channels) == (32, 1), "the longer side, up to a multiple of 4"
    assert "data.channels=1: no sampled image has colour" in found.notes
    colour = np.stack([grey[0]] * 3, 2)
    colour[:6, :6] = (255, 0, 0)
    put(tmp_path, [colour])
    found = settled(config, tmp_path)
    assert found.data.channels == 3
    assert "data.channels=3: 1 of 20 sampled images has colour" in found.notes


def test_tiny_images_get_the_least_size_that_there_is(config, tmp_path):
    put(tmp_path, [np.zeros((3, 2), np.uint8)] * 3)
    assert settled(config, tmp_path).data.size == 8


def test_what_is_given_is_left_alone_and_unread(config, tmp_path, monkeypatch):
    def never(*args):
        raise AssertionError("a file was read")

    put(tmp_path / "a", things(np.random.default_rng(0), 4))
    monkeypatch.setattr(decode, "header", never)
    monkeypatch.setattr(decode, "decoded", never)
    words = ("data.size=48", "data.channels=3", "data.augment=clothes")
    given = config(*WORDS, f"data.root='{tmp_path}'", *words, "data.layout=classes", "model=small_cnn")
    settled_train = given.train.model_copy(update={"augment": "clothes"})
    assert of(given) == choose.Settled(given.data, settled_train, given.model, [])
    found = settled(config, tmp_path, *words)
    assert not isinstance(found.model, Auto)
    assert found.train.augment == "clothes"
    assert found.notes[0].startswith("data.layout=classes: 1 folder is taken as a class: a; if")
    given = config()
    assert of(given) == choose.Settled(given.data, given.train, given.model, [])
    known = of(config("model=auto", "data=cifar10"))
    assert known.model == config("model=auto").model.large
    assert known.notes == ["model=small_cnn model.width=32: the images are in colour"]
    assert of(config("model=auto")).model == config("model=auto").model.small


def test_auto_is_for_folders(config):
    with pytest.raises(AlearnError, match=r"data\.augment=auto: is for data=folder; leave it out for data=mnist"):
        of(config("data.augment=auto"))


def test_what_is_no_image_is_left_out_of_the_sample(config, tmp_path):
    put(tmp_path, things(np.random.default_rng(0), 3))
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("no image")
    assert "data.channels=3: 3 of 3 sampled images have colour" in settled(config, tmp_path).notes
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        AlearnError, match=rf"data\.root={tmp_path}: holds no images .*; 13 files were skipped: 0\.txt is"
    ):
        settled(config, tmp_path)


def test_a_sample_is_spread_over_all_files(monkeypatch):
    assert choose._evenly(range(10), 4) == [0, 3, 6, 9]
    assert choose._evenly("abc", 4) == ["a", "b", "c"]
