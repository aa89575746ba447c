"""alearn-example as typed, with the real MNIST."""

import csv

import pytest

from alearn.cli import example_command


def test_it_writes_the_images_and_says_what_to_do_next(mnist_root, tmp_path, capsys):
    folder = tmp_path / "my photos"
    example_command.main([str(folder), "--images", "20", "--root", str(mnist_root)])
    text = capsys.readouterr().out
    assert "20 images of mnist, in 10 classes: 0, 1, 2" in text
    assert f"next: alearn data=folder data.root='{folder}' oracle=web" in text
    assert f"true labels, to compare with: {folder}.truth.csv" in text
    with (tmp_path / "my photos.truth.csv").open(newline="") as file:
        labels = {row["path"]: row["label"] for row in csv.DictReader(file)}
    assert set(labels) == {path.name for path in folder.iterdir()}
    assert set(labels.values()) <= set("0123456789")


def test_folders_of_classes_are_labels_enough(mnist_root, tmp_path, capsys):
    example_command.main([str(tmp_path / "a"), "--images", "9", "--layout", "classes", "--root", str(mnist_root)])
    assert capsys.readouterr().out.splitlines()[1:] == [f"next: alearn data=folder data.root={tmp_path / 'a'}"]


def test_a_mistake_is_one_message(tmp_path):
    with pytest.raises(SystemExit, match="error: --images -3: must be from 1 to 60000, which is all of mnist"):
        example_command.main([str(tmp_path / "a"), "--images=-3"])
