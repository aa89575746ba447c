import os

import pytest

from alearn.files import atomic


def test_content_is_replaced_whole(tmp_path):
    path = tmp_path / "a.txt"
    for content in ("first and longer", "second"):
        atomic.replace(path, content)
        assert path.read_text() == content
    atomic.replace(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failure_at_any_step_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "a.txt"
    atomic.replace(path, "old")

    def full(*args):
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(type(path), "replace", full)
    with pytest.raises(OSError, match="No space left"):
        atomic.replace(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_copy_is_whole_and_what_a_kill_leaves_can_be_removed(tmp_path, monkeypatch):
    source, path = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text("content")

    def killed(source, partial):
        partial.write_text("cont")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.shutil, "copyfile", killed)
    with pytest.raises(OSError, match="No space left"):
        atomic.copy(source, path)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    atomic.copy(source, path)
    assert path.read_text() == "content"
    (tmp_path / ".b.txt.1.partial").write_text("cont")
    atomic.remove_partial(tmp_path)
    atomic.remove_partial(tmp_path / "nowhere")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.txt", "b.txt"}
