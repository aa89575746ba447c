"""The folder of pictures, as typed: what is in it, that it is the same again, that its kinds can be told apart."""

import csv
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alearn import rng
from alearn.example import command
from alearn.example.fruit import KINDS
from alearn.example.scene import picture

IMAGES = 24


def call(monkeypatch, *words: object) -> object:
    monkeypatch.setattr(sys, "argv", ["alearn-example", *map(str, words)])
    try:
        command.main()
    except SystemExit as left:
        return left.code
    return None


def read(folder: Path) -> dict[str, str]:
    with folder.with_name(f"{folder.name}.truth.csv").open(newline="") as file:
        return {line["path"]: line["label"] for line in csv.DictReader(file)}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("base") / "photos"
    command.make(made, IMAGES)
    return made


def test_there_are_images_of_all_kinds_upright_and_wide(folder):
    truth = read(folder)
    assert len(truth) == IMAGES + 1
    assert set(truth.values()) == set(KINDS)
    sizes, contents = set(), set()
    for name in truth:
        with Image.open(folder / name) as image:
            image.load()
            assert (image.format, image.mode) == ("JPEG", "RGB")
            sizes.add(image.size)
            contents.add(image.tobytes())
    assert sizes == {(160, 120), (120, 160)}
    assert len(contents) == IMAGES, "one is there twice"
    assert sorted(name for name in truth if "copy" not in name)[0] in ("IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg")


def test_it_has_what_real_folders_have(monkeypatch, capsys, tmp_path):
    here = tmp_path / "my photos"
    assert call(monkeypatch, here, "--images", 10) is None
    truth, there, said = read(here), digests(here), capsys.readouterr().out
    others = set(there) - set(truth)
    (empty,) = (name for name in others if not (here / name).stat().st_size)
    (text,) = (name for name in others if name.endswith(".txt"))
    (damaged,) = others - {empty, text}
    with pytest.raises(OSError, match="truncated"), Image.open(here / damaged) as image:
        image.load()
    (copy,) = (name for name in truth if "copy" in name)
    original = copy.replace(" copy", "")
    assert (there[copy], truth[copy]) == (there[original], truth[original])
    assert all(name in said for name in (empty, text, damaged, copy))
    assert f"next: alearn data=folder data.root='{here}' oracle=web" in said
    assert str(here.with_name("my photos.truth.csv")) in said


def test_the_same_seed_draws_the_same(folder, tmp_path):
    command.make(tmp_path / "again", IMAGES)
    assert digests(tmp_path / "again") == digests(folder)
    assert read(tmp_path / "again") == read(folder)
    command.make(tmp_path / "other", IMAGES, seed=1)
    names = ("IMG_0005.jpg", "IMG_0006.jpg", "IMG_0007.jpg", "IMG_0008.jpg")
    assert all(digests(tmp_path / "other").get(name) != digests(folder)[name] for name in names)


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--images", 9), "--images 9: must be at least 10"), (("--seed", -1), "--seed -1: must be 0 or more")],
)
def test_bad_numbers_are_one_message(monkeypatch, tmp_path, words, message):
    assert message in str(call(monkeypatch, tmp_path / "photos", *words))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for there in (tmp_path, tmp_path / "mine.txt"):
        assert "is there already and not empty" in str(call(monkeypatch, there))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "mine.txt").unlink()
    assert call(monkeypatch, tmp_path, "--images", 10) is None, "an empty one will do"


def test_no_picture_of_many_is_blank_or_fails():
    """Any draw at the edge of the frame, under any light."""
    for number in range(40):
        pixels = np.asarray(picture(rng.generator(number, "test"), list(KINDS)[number % 4]))
        assert pixels.std() > 8


def test_a_small_network_learns_them_from_few():
    """Trained on 80, asked about 60 others."""
    import torch

    from alearn.learn.device import Runtime
    from alearn.learn.fit import fit
    from alearn.learn.training_set import TrainingSet
    from alearn.models.classifier import to_float
    from tests.conftest import compose, drain

    truth = np.arange(140) % 4
    images = torch.from_numpy(
        np.stack(
            [
                np.asarray(picture(rng.generator(9, i), list(KINDS)[kind]).resize((48, 48))).transpose(2, 0, 1)
                for i, kind in enumerate(truth)
            ]
        )
    )
    config = compose("model=small_cnn", "model.width=16", "train=fast", "train.steps=100", "precision=fp32")
    known = TrainingSet(np.arange(80), truth[:80], np.ones(80, bool), np.zeros(0, np.int64))
    _, fitted = drain(fit(config, Runtime(torch.device("cpu"), bf16=False), images, known, 4, 1))
    with torch.inference_mode():
        guess = fitted.model.eval()(to_float(images[80:])).argmax(1).numpy()
    assert np.mean(guess == truth[80:]) > 0.8
