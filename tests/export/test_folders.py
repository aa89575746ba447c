"""torchvision's ImageFolder reads the exported folders, and an export never touches files of others."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from alearn.export import class_folders, folders
from alearn.files.labels_csv import to_csv
from alearn.ledger import Ledger, Source
from tests.conftest import compose
from tests.export.written import CLASSES, IDS, expected, export, refused, trial


@pytest.fixture
def folder(tmp_path):
    return trial(tmp_path / "trial", tmp_path / "photos")


def read(out: Path) -> dict[str, str]:
    """Return the label of each id as torchvision reads it, with the class names of classes.csv."""
    with (out / "classes.csv").open(newline="") as file:
        names = {line["folder"]: line["class"] for line in csv.DictReader(file)}
    there = ImageFolder(str(out))
    assert sorted(there.classes) == sorted(names)
    labels = {}
    for path, number in there.samples:
        name = Path(path).relative_to(out / there.classes[number]).as_posix()
        labels[name] = names[there.classes[number]]
        pixels = Image.open(path).convert("RGB").getpixel((0, 0))
        assert pixels == (9 * IDS.index(name),) * 3, "the image itself"
    assert len(labels) == len(there.samples)
    return labels


def listed(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [line["path"] for line in csv.DictReader(file)]


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("how", [(), ("--link",), ("--symlink",), ("--copy",)])
def test_torchvision_reads_exactly_the_labeled_images(folder, tmp_path, how):
    before, out = snapshot(tmp_path / "photos"), tmp_path / "new" / "sorted"
    for _ in range(2):  # the second export replaces the first
        output = export(folder, "--format", "folders", "--out", out, *how)
        assert read(out) == {name: label for name, label in expected().items() if label is not None}
    assert (listed(out / "cannot_tell.csv"), listed(out / "unlabeled.csv")) == (["6.png"], ["7.png"])
    for path, name in [(p, p.name) for p in out.glob("*/**/*.png")]:
        original = next(p for p in (tmp_path / "photos").rglob(name))
        assert path.is_symlink() == (how == ("--symlink",))
        assert path.samefile(original) == (how != ("--copy",))
    assert snapshot(tmp_path / "photos") == before
    assert sorted(p.name for p in out.parent.iterdir()) == ["sorted"], "nothing is left beside it"
    assert f"folders: {out}" in output


def test_by_default_it_goes_into_the_trials_folder(folder):
    export(folder, "--format", "folders")
    assert len(read(folder / "export")) == 7


def test_where_no_hard_links_can_be_the_files_are_copied_and_it_is_said(monkeypatch, folder, tmp_path):
    def other_device(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", other_device)
    output = export(folder, "--format", "folders", "--out", tmp_path / "out")
    assert len(read(tmp_path / "out")) == 7
    assert os.stat(tmp_path / "photos" / "5.png").st_nlink == 1
    assert folders.COPIED in output


def test_a_label_that_changed_moves_and_a_class_that_is_gone_has_no_folder(folder, tmp_path):
    out = tmp_path / "out"
    export(folder, "--format", "folders", "--out", out)
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("../up", '"cat, small"'))
    (folder / "answers.db").unlink()
    export(folder, "--format", "folders", "--out", out)
    labels = read(out)
    assert labels["b, 1.png"] == "cat, small"
    assert "../up" not in labels.values()


def test_a_folder_with_anything_of_others_is_not_touched(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert "neither empty nor an export of alearn" in refused(folder, "--format", "folders", "--out", out)
    (out / "mine.txt").unlink()
    export(folder, "--format", "folders", "--out", out)  # an empty folder is allowed
    mine = next(out.glob("*/")) / "mine.txt"
    mine.write_text("mine")
    message = refused(folder, "--format", "folders", "--out", out)
    assert f"contains {mine.relative_to(out)}, which no export wrote" in message
    assert mine.read_text() == "mine"
    mine.unlink()
    (out / "linked").symlink_to(tmp_path / "photos")
    assert "contains linked" in refused(folder, "--format", "folders", "--out", out)
    (out / "linked").unlink()
    (out / folders.MARK).write_text("{}")
    assert "neither empty nor an export of alearn" in refused(folder, "--format", "folders", "--out", out)
    (tmp_path / "file").write_text("mine")
    assert "is a file or a link" in refused(folder, "--format", "folders", "--out", tmp_path / "file")


def test_originals_inside_of_an_export_are_never_replaced_by_the_next(folder, tmp_path):
    """An export has become the data set of a trial, and the next export shall not replace it."""
    photos = tmp_path / "photos"
    (photos / folders.MARK).write_text(f'{{"files": {list(IDS)!r}}}'.replace("'", '"'))
    before = snapshot(photos)
    for out in (photos, photos / "deep", tmp_path):
        message = refused(folder, "--format", "folders", "--out", out)
        assert "must neither be in" in message
    assert snapshot(photos) == before


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png", "C:\\x.png"])
def test_an_id_that_leads_out_is_refused(tmp_path, name):
    message = _with_ids(tmp_path, name)
    assert name in message
    assert "must be files below" in message
    assert not (tmp_path / "out").exists()


def test_a_link_in_the_data_set_that_leads_out_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path)
    (tmp_path / "photos" / "1.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "secret.png").write_bytes(b"secret")
    for name in ("link/secret.png", "1.png"):
        assert f"{name}: must be files below" in _with_ids(tmp_path, name)
    assert not (tmp_path / "out").exists()


def _with_ids(tmp_path, *ids: str) -> str:
    """Return the message of an export of a trial with these images."""
    folder, ledger = tmp_path / "trial", Ledger.empty(len(ids))
    folder.mkdir(exist_ok=True)
    (tmp_path / "photos").mkdir(exist_ok=True)
    ledger.write(np.arange(len(ids)), np.zeros(len(ids), np.int64), Source.FIRST, 0)
    (folder / "labels.csv").write_text(to_csv(ledger, ids, ("a",)))
    (folder / "config.yaml").write_text(compose("data=folder", f"data.root='{tmp_path / 'photos'}'").yaml())
    return refused(folder, "--format", "folders", "--out", tmp_path / "out")


def test_missing_images_are_named_and_may_lie_elsewhere(folder, tmp_path):
    out, photos = tmp_path / "out", tmp_path / "photos"
    (photos / "5.png").rename(photos / "moved.png")
    message = refused(folder, "--format", "folders", "--out", out)
    assert "1 of 7 images are missing: 5.png; bring them back" in message
    assert not out.exists()
    (photos / "moved.png").rename(photos / "5.png")
    (photos / "7.png").unlink()  # has no label
    photos.rename(tmp_path / "elsewhere")
    assert "there is no such folder; give the folder" in refused(folder, "--format", "folders", "--out", out)
    export(folder, "--format", "folders", "--out", out, "--root", tmp_path / "elsewhere")
    assert len(read(out)) == 7


def test_images_that_are_no_files_are_no_folders(folder):
    (folder / "config.yaml").write_text(compose("data=mnist").yaml())
    assert "data=mnist: its images are not files" in refused(folder, "--format", "folders")


def test_a_failure_leaves_the_old_export_whole(monkeypatch, folder, tmp_path):
    out = tmp_path / "out"
    export(folder, "--format", "folders", "--out", out)
    before = snapshot(out)

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "_place", full)
    assert "No space left" in refused(folder, "--format", "folders", "--out", out)
    monkeypatch.undo()
    rename = Path.rename

    def stuck(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stuck)
    assert "busy" in refused(folder, "--format", "folders", "--out", out)
    assert snapshot(out) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "photos", "trial"]


def test_a_class_has_the_folder_that_names_says(folder, tmp_path):
    export(folder, "--format", "folders", "--out", tmp_path / "out")
    there = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert there == set(class_folders.folders(CLASSES).values()) == {"cat, small", "dog _x_", "Überraschung", "_.._up"}
