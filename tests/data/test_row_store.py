"""Decoded images on disk: which files are read and decoded again, and that pixels are right whatever happens."""

import errno
import gc
import io
import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from alearn.data import decode, progress_bar, row_store
from alearn.data.row_source import Files as Source
from alearn.errors import AlearnError
from tests.apart import Apart

RANDOM = np.random.default_rng(0)
COLOUR = re.compile(r"(\d+)\.png$")


def put(path: Path, value: int) -> None:
    """Write a grey image in which every pixel has the same value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)


class Files:
    """A folder of images. Records which of them are read and decoded."""

    def __init__(self, tmp_path: Path, monkeypatch) -> None:
        self.root, self.cache = tmp_path / "images", tmp_path / "cache"
        self.root.mkdir()
        self.read, self.decoded = [], []
        content, pixels = decode.content, decode.pixels

        def reading(path):
            self.read.append(Path(path).name)
            return content(path)

        def decoding(data, path, size, channels):
            self.decoded.append(Path(path).name)
            return pixels(data, path, size, channels)

        monkeypatch.setattr(decode, "content", reading)
        monkeypatch.setattr(decode, "pixels", decoding)

    def put(self, **values: int) -> None:
        for name, value in values.items():
            put(self.root / f"{name}.png", value)

    def load(self, *ids: str, size: int = 8, channels: int = 1):
        """Return the value of each image and the reason of each file without one, by name.

        Record which files are read and decoded for it.
        """
        self.read.clear()
        self.decoded.clear()
        ids = ids or tuple(sorted(path.name for path in self.root.iterdir()))
        found = row_store.load(self.cache, Source(self.root, ids, size, channels))
        self.rows = dict(zip(ids, found.rows.tolist(), strict=True))
        self.held = found
        values = {}
        for name, row in self.rows.items():
            if row >= 0:
                image = found.mapping.array[row]
                assert image.shape == (channels, size, size)
                assert image.min() == image.max()
                values[name.removesuffix(".png")] = int(image[0, 0, 0])
        return values, {ids[at]: reason for at, reason in found.reasons.items()}

    def let_go(self) -> None:
        self.held = None
        gc.collect()


@pytest.fixture
def files(tmp_path, monkeypatch) -> Files:
    return Files(tmp_path, monkeypatch)


def test_a_file_is_decoded_once(files):
    files.put(a=1, b=2, c=3)
    there = {"a": 1, "b": 2, "c": 3}
    assert files.load() == (there, {})
    assert sorted(files.decoded) == ["a.png", "b.png", "c.png"]
    assert files.load() == (there, {})
    assert (files.read, files.decoded) == ([], [])
    assert files.load("c.png", "a.png") == ({"c": 3, "a": 1}, {})
    assert files.load() == (there, {})
    assert files.read == [], "that only some were wanted in between makes no difference"
    assert files.load(size=16)[0] == files.load(channels=3)[0] == there
    assert len(files.decoded) == 3, "another size is another array"
    assert len(list((files.cache / "decoded").iterdir())) == 3


def test_known_content_is_not_decoded_again(files):
    files.put(a=1, b=2)
    files.load()
    (files.root / "a.png").rename(files.root / "renamed.png")
    os.utime(files.root / "b.png", (0, 0))
    (files.root / "copy.png").write_bytes((files.root / "b.png").read_bytes())
    assert files.load()[0] == {"renamed": 1, "b": 2, "copy": 2}
    assert sorted(files.read) == ["b.png", "copy.png", "renamed.png"]
    assert files.decoded == []
    assert files.rows["b.png"] == files.rows["copy.png"]
    (files.root / "b.jpg").write_bytes((files.root / "b.png").read_bytes())
    assert files.load()[1] == {"b.jpg": "is a PNG file by its content, not JPEG; rename it"}, (
        "names are judged all the same"
    )


def test_copies_within_one_chunk_share_a_row(files):
    files.put(a=5, b=5, c=6)
    assert files.load()[0] == {"a": 5, "b": 5, "c": 6}
    assert files.rows["a.png"] == files.rows["b.png"]
    assert files.held.mapping.array.shape == (2, 1, 8, 8)


def test_a_file_that_changed_is_read_again(files):
    files.put(a=1, b=2)
    files.load()
    before = (files.root / "a.png").stat()
    files.put(a=9)
    os.utime(files.root / "a.png", ns=(0, before.st_mtime_ns + 1))
    assert files.load()[0] == {"a": 9, "b": 2}
    assert files.read == ["a.png"]


def test_reasons_are_remembered_with_the_content_they_are_about(files):
    files.put(a=1)
    (files.root / "b.png").write_text("no image")
    (files.root / "c.png").write_bytes(b"")
    wrong = {"b.png": "is none of JPEG, PNG, WebP, TIFF, BMP, GIF by its content", "c.png": "is empty (0 bytes)"}
    assert files.load("a.png", "b.png", "c.png", "d.png") == ({"a": 1}, wrong | {"d.png": "is missing"})
    assert files.load("a.png", "b.png", "c.png", "d.png") == ({"a": 1}, wrong | {"d.png": "is missing"})
    assert sorted(files.read) == ["c.png", "d.png"], "the content of b is known"
    files.put(b=2, c=3, d=4)
    assert files.load() == ({"a": 1, "b": 2, "c": 3, "d": 4}, {})


def test_a_lack_of_memory_is_not_remembered(files, monkeypatch):
    def full(*args):
        raise MemoryError

    files.put(a=1)
    with monkeypatch.context() as without:
        without.setattr("PIL.ImageFile.ImageFile.load", full)
        assert files.load() == ({}, {"a.png": "needs more memory than there is"})
    assert files.load() == ({"a": 1}, {})


def test_rows_of_files_that_went_are_used_again_but_not_while_somebody_reads_them(files):
    files.put(a=1, b=2, c=3)
    files.load()
    reader, row = files.held, files.rows["a.png"]
    (files.root / "a.png").unlink()
    files.load()
    files.put(d=4)
    assert files.load()[0] == {"b": 2, "c": 3, "d": 4}
    assert files.rows["d.png"] == 3
    assert reader.mapping.array[row].max() == 1, "the reader still sees the image that it knows"
    del reader
    files.let_go()
    files.put(e=5)
    assert files.load()[0] == {"b": 2, "c": 3, "d": 4, "e": 5}
    assert files.rows["e.png"] == row


def test_a_damaged_index_or_array_is_made_anew(files):
    files.put(a=1, b=2)
    files.load()
    (folder,) = (files.cache / "decoded").iterdir()
    files.let_go()
    (folder / "index.sqlite").write_bytes(b"no database" * 1000)
    assert files.load()[0] == {"a": 1, "b": 2}
    assert len(files.decoded) == 2
    files.let_go()
    os.truncate(folder / "images.u8", 100)  # a row and a half
    assert files.load()[0] == {"a": 1, "b": 2}
    assert len(files.decoded) == 1


def test_a_cache_that_cannot_be_written(files, monkeypatch):
    files.put(a=1)
    files.cache = Path("/dev/null/x")
    with pytest.raises(
        AlearnError, match=r"data\.cache=/dev/null/x: decoded images cannot be kept there \(Not a directory"
    ):
        files.load()


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_full_disk_is_one_message_and_leaves_what_is_right(files, monkeypatch, call):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.put(a=1)
    files.load()
    files.put(b=2)
    with monkeypatch.context() as disk:
        disk.setattr(os, call, full)
        with pytest.raises(AlearnError, match=r"\(No space left on device\); make room there, or give another folder"):
            files.load()
    assert files.load()[0] == {"a": 1, "b": 2}


def test_what_the_disk_takes_in_parts_is_whole(files, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: pwrite(file, data[:7], offset))
    files.put(a=1, b=2)
    assert files.load()[0] == {"a": 1, "b": 2}


def decode_slowly(cache, root, last):
    """Decode all images, and print the name of each before it; wait at the one with that number to be killed."""
    pixels, row_store.CHUNK = decode.pixels, 8
    names = iter(range(10**6))

    def slow(data, path, size, channels):
        print(path)
        while next(names) == last:
            threading.Event().wait()
        time.sleep(0.01)
        return pixels(data, path, size, channels)

    decode.pixels = slow
    loaded = row_store.load(cache, Source(root, sorted(path.name for path in root.iterdir()), 8, 1))
    print("values", *[int(loaded.mapping.array[row].max()) for row in loaded.rows])


def start(files: Files, last: int | None = None) -> Apart:
    return Apart(decode_slowly, files.cache, files.root, last)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_with_the_right_pixels(files):
    files.put(**{f"x{value:03}": value for value in range(80)})
    for many in (10, 23, 36):
        process = start(files, many - 1)
        process.until_printed(many)
        process.kill()
    assert files.load()[0] == {f"x{value:03}": value for value in range(80)}
    assert len(files.decoded) <= 80 - 8 - 24, "kept is all but the chunk being written and the one being decoded"


@pytest.mark.slow
def test_two_at_once_wait_for_each_other(files):
    files.put(**{f"x{value:03}": value for value in range(50)})
    first = start(files)
    first.until_printed(1)
    second = start(files)
    values = "values " + " ".join(map(str, range(50)))
    assert (first.wait(), second.wait()) == (0, 0)
    assert first.out.splitlines()[-1] == values
    assert second.out == f"{values}\n", "the second decoded nothing"


def test_progress_is_said_now_and_then(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(progress_bar, "QUIET_SECONDS", -1.0)
    with progress_bar.Bar(2000, "decoding", Console(file=out, soft_wrap=True)) as shown:
        shown.advance(500)
        shown.advance(500)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"decoding: 1,000 of 2,000 images, [\d,]+ a second, about [\d,]+ s left", lines[1])
    terminal = io.StringIO()
    with progress_bar.Bar(2000, "decoding", Console(file=terminal, force_terminal=True, width=120)) as shown:
        shown.advance(1000)
    assert "1000/2000" in terminal.getvalue()
    assert "images/s" in terminal.getvalue()
