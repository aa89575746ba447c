"""What is auto, on images of which the answer is known: handwriting, printed digits, and the likes of photographs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from alearn.config.model_config import Auto
from alearn.data import choose, decode, standard
from alearn.errors import AlearnError

WORDS = ("data=folder", "trial=frugal")
FONTS = [ImageFont.load_default(size=size) for size in (18, 20, 22)]


def numbers(random, count: int) -> np.ndarray:
    """Printed digits on grounds of any colour, a little turned, in any light: uint8 [count, 32, 32, 3]."""
    found = np.empty((count, 32, 32, 3), np.uint8)
    for at in range(count):
        ground, ink = (tuple(map(int, random.integers(0, 256, 3))) for _ in range(2))
        image = Image.new("RGB", (32, 32), ground)
        text, place = str(random.integers(10)), (int(random.integers(6, 14)), int(random.integers(0, 6)))
        ImageDraw.Draw(image).text(place, text, fill=ink, font=FONTS[random.integers(3)])
        noisy = np.asarray(image.rotate(random.uniform(-6, 6))) + random.normal(0, 8, (32, 32, 3))
        found[at] = noisy.clip(0, 255)
    return found


def things(random, count: int) -> np.ndarray:
    """Discs and beams, anywhere, lit from above: as likely as their mirror images; uint8 [count, 48, 64, 3]."""
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


def settled(config, root, *words, cuda: bool = True):
    return choose.settle(config(*WORDS, f"data.root='{root}'", *words), cuda)


def test_photographs_likes(config, tmp_path):
    put(tmp_path, things(np.random.default_rng(0), 200), "jpg")
    found, said = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment, found.train.augment) == (
        64,
        3,
        "objects",
        "objects",
    )
    assert found.model == config(*WORDS).model.large
    assert said[:3] == [
        "data.layout=unlabeled: images lie in the folder itself, so no folder is taken as a class",
        "data.size=64: the images are 64 x 48 in the median",
        "data.channels=3: 200 of 200 sampled images have colour",
    ]
    assert said[3].startswith("data.augment=objects: mirror images look like the others (")
    assert said[4] == "model=small_cnn model.width=32: the images are more than 40 pixels a side"
    assert settled(config, tmp_path) == (found, said), "the same files give the same values"
    slow, said = settled(config, tmp_path, cuda=False)
    assert (slow.data.size, slow.model) == (48, config(*WORDS).model.small)
    assert said[1] == "data.size=48: the images are 64 x 48 in the median, and there is no GPU"
    assert said[4] == "model=small_cnn model.width=16: there is no GPU"


def test_printed_numbers_are_not_mirrored(config, tmp_path):
    put(tmp_path, numbers(np.random.default_rng(0), 200))
    found, said = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment) == (32, 3, "numbers")
    assert "mirror images would be strange here" in said[3]
    assert said[4] == "model=small_cnn model.width=32: the images are in colour"


def test_handwriting_is_line_drawn(config, tmp_path, mnist_root):
    pool, _ = standard.mnist(mnist_root)
    digits = pool.images[:300, 0].numpy()
    put(tmp_path, [np.stack([image] * 3, 2) for image in digits], "jpg")  # grey, though the files say colour
    found, said = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment) == (28, 1, "digits")
    assert found.model == config(*WORDS).model.small
    assert said[-1] == "model=small_cnn model.width=16: the images are small and grey"
    grey = np.stack([np.asarray(Image.fromarray(one).resize((32, 32))) for one in digits]).astype(np.float32) / 255
    assert choose.line_drawn(grey) > 0.95
    assert choose.told_apart(grey) > 0.85
    assert choose.augment(grey, 3)[0] == "numbers", "the other test finds it, too"


@pytest.mark.parametrize("seed", range(4))
def test_a_set_that_has_mirror_images_is_told_from_one_that_has_none(seed):
    random = np.random.default_rng(seed)
    written, seen = (made(random, 200).mean(3, dtype=np.float32) / 255 for made in (numbers, things))
    seen = np.stack([np.asarray(Image.fromarray(one).resize((32, 32))) for one in seen])
    assert choose.told_apart(written) > 0.6
    assert choose.told_apart(seen) < 0.6
    both = np.concatenate([written, written[:, :, ::-1]])[random.permutation(400)]
    assert choose.told_apart(both) < 0.58, "numbers half of which are mirrored are a set that may be"


def test_images_that_are_their_own_mirror_images_say_nothing():
    assert choose.told_apart(np.zeros((120, 32, 32), np.float32)) == 0.5


def test_few_images_are_not_mirrored(config, tmp_path):
    put(tmp_path, things(np.random.default_rng(0), 60))
    found, said = settled(config, tmp_path)
    assert found.data.augment == "numbers"
    assert "60 images are too few to tell" in said[3]


def test_one_image_in_colour_is_enough_and_small_sizes_are_kept(config, tmp_path):
    grey = np.random.default_rng(0).integers(256, size=(20, 17, 30), dtype=np.uint8)
    put(tmp_path, grey)
    found, said = settled(config, tmp_path)
    assert (found.data.size, found.data.channels) == (32, 1), "the longer side, up to a multiple of 4"
    assert "data.channels=1: no sampled image has colour" in said
    colour = np.stack([grey[0]] * 3, 2)
    colour[:6, :6] = (255, 0, 0)
    put(tmp_path, [colour])
    found, said = settled(config, tmp_path)
    assert found.data.channels == 3
    assert "data.channels=3: 1 of 20 sampled images has colour" in said


def test_tiny_images_get_the_least_size_that_there_is(config, tmp_path):
    put(tmp_path, [np.zeros((3, 2), np.uint8)] * 3)
    assert settled(config, tmp_path)[0].data.size == 8


def test_what_is_given_is_left_alone_and_unread(config, tmp_path, monkeypatch):
    def never(*args):
        raise AssertionError("a file was read")

    put(tmp_path / "a", things(np.random.default_rng(0), 4))
    monkeypatch.setattr(decode, "header", never)
    monkeypatch.setattr(decode, "decoded", never)
    words = ("data.size=48", "data.channels=3", "data.augment=clothes")
    found, said = settled(config, tmp_path, *words, "data.layout=classes", "model=small_cnn")
    assert (found, said) == (
        config(*WORDS, f"data.root='{tmp_path}'", *words, "data.layout=classes", "model=small_cnn"),
        [],
    )
    found, said = settled(config, tmp_path, *words)
    assert not isinstance(found.model, Auto)
    assert found.train.augment == "clothes"
    assert said[0].startswith("data.layout=classes: 1 folder is taken as a class: a; if")
    given = config()
    assert choose.settle(given, True) == (given, [])
    known, said = choose.settle(config("model=auto", "data=cifar10"), True)
    assert known.model == config("model=auto").model.large
    assert said == ["model=small_cnn model.width=32: the images are in colour"]
    assert choose.settle(config("model=auto"), True)[0].model == config("model=auto").model.small


def test_auto_is_for_folders(config):
    with pytest.raises(AlearnError, match=r"data\.augment=auto: is for data=folder; leave it out for data=mnist"):
        choose.settle(config("data.augment=auto"), True)


def test_what_is_no_image_is_left_out_of_the_sample(config, tmp_path):
    put(tmp_path, things(np.random.default_rng(0), 3))
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("no image")
    assert "data.channels=3: 3 of 3 sampled images have colour" in settled(config, tmp_path)[1]
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        AlearnError, match=rf"data\.root={tmp_path}: holds no images .*; 13 files were skipped: 0\.txt is"
    ):
        settled(config, tmp_path)


def test_a_sample_is_spread_over_all_files(monkeypatch):
    assert choose._evenly(range(10), 4) == [0, 3, 6, 9]
    assert choose._evenly("abc", 4) == ["a", "b", "c"]
