"""Run `alearn example` with the real MNIST."""

import csv
from typing import get_args

from alearn.cli.example_command import DATA, LAYOUTS
from alearn.data import example_files, standard
from tests.command import alearn


def test_it_writes_the_images_and_says_what_to_do_next(mnist_root, tmp_path):
    folder = tmp_path / "my photos"
    code, text, _ = alearn("example", folder, "--images", 20, "--root", mnist_root)
    assert code == 0
    assert "20 images of mnist, in 10 classes: 0, 1, 2" in text
    assert f"next: alearn data=folder data.root='{folder}' oracle=web" in text
    assert f"true labels, to compare with: {folder}.truth.csv" in text
    with (tmp_path / "my photos.truth.csv").open(newline="") as file:
        labels = {row["path"]: row["label"] for row in csv.DictReader(file)}
    assert set(labels) == {path.name for path in folder.iterdir()}
    assert set(labels.values()) <= set("0123456789")


def test_folders_of_classes_are_labels_enough(mnist_root, tmp_path):
    _, text, _ = alearn("example", tmp_path / "a", "--images", 9, "--layout", "classes", "--root", mnist_root)
    assert text.splitlines()[1:] == [f"next: alearn data=folder data.root={tmp_path / 'a'}"]


def test_a_mistake_is_one_message(tmp_path):
    code, _, err = alearn("example", tmp_path / "a", "--images", 60_001)
    assert (code, err) == (1, "error: --images 60001: must be from 1 to 60000, which is all of mnist\n")
    code, _, err = alearn("example", tmp_path / "a", "--images", -3)
    assert code == 2
    assert err.startswith("error: --images: -3: must be 1 or more")


def test_the_choices_are_all_that_there_are():
    assert set(DATA) == set(standard.SIZES)
    assert get_args(example_files.Layout) == LAYOUTS
