"""Write images of a known data set as files. A data set of 40 images stands in for the known ones."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alearn.data import standard
from alearn.data.example_files import truth_file, write
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from tests.conftest import shapes

TOTAL = 40


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Make fashion_mnist a small set with a class whose name cannot be the name of a folder."""
    pool = shapes(TOTAL)
    pool = ImageSet(pool.images, pool.ids, ("T-shirt/top", "b", "c"), pool.truth)
    monkeypatch.setattr(standard, "load", lambda name, root: (pool, pool))
    monkeypatch.setitem(standard.SIZES, "fashion_mnist", TOTAL)
    return pool


def pixels(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): Image.open(path).tobytes() for path in folder.rglob("*.png")}


def test_unlabeled_files_have_a_table_of_their_labels_beside_the_folder(tmp_path, known):
    folder = tmp_path / "photos"
    assert write(folder, "fashion_mnist", tmp_path, images=TOTAL) == ("T-shirt/top", "b", "c")
    with truth_file(folder).open(newline="") as file:
        rows = list(csv.reader(file))
    names = [f"IMG_{number:04}.png" for number in range(1, TOTAL + 1)]
    assert rows == [["path", "label"], *([n, known.classes[k]] for n, k in zip(names, known.truth, strict=True))]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert pixels(folder) == dict(zip(names, (image.numpy().tobytes() for image in known.images), strict=True))


def test_a_folder_of_each_class(tmp_path, known):
    write(tmp_path / "photos", "fashion_mnist", tmp_path, images=TOTAL, layout="classes")
    folders = {path.name: len(list(path.iterdir())) for path in (tmp_path / "photos").iterdir()}
    assert folders == dict(zip(("T-shirt-top", "b", "c"), np.bincount(known.truth).tolist(), strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"], "the folders are the labels"


def test_the_seed_says_which_images(tmp_path):
    for name, seed in (("a", 0), ("again", 0), ("other", 1)):
        write(tmp_path / name, "fashion_mnist", tmp_path, images=12, seed=seed)
    assert pixels(tmp_path / "a") == pixels(tmp_path / "again")
    assert truth_file(tmp_path / "a").read_bytes() == truth_file(tmp_path / "again").read_bytes()
    assert set(pixels(tmp_path / "a").values()) != set(pixels(tmp_path / "other").values())


def test_colour_stays(tmp_path, monkeypatch, known):
    colour = known.images.repeat(1, 3, 1, 1)
    colour[:, 0] = 200
    pool = ImageSet(colour, known.ids, known.classes, known.truth)
    monkeypatch.setattr(standard, "load", lambda name, root: (pool, pool))
    write(tmp_path / "photos", "fashion_mnist", tmp_path, images=3)
    with Image.open(tmp_path / "photos" / "IMG_0001.png") as image:
        assert image.mode == "RGB"
        assert np.asarray(image)[0, 0, 0] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": 0}, "--images 0: must be from 1 to 40, which is all of fashion_mnist"),
        ({"images": TOTAL + 1}, "--images 41: must be from 1 to 40"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
    ],
)
def test_bad_numbers_are_one_message(tmp_path, arguments, message):
    with pytest.raises(AlearnError, match=message):
        write(tmp_path / "photos", "fashion_mnist", tmp_path, **{"images": 10, **arguments})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for there in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(AlearnError, match="exists and is not empty"):
            write(there, "fashion_mnist", tmp_path, images=10)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "fashion_mnist", tmp_path, images=10)
