"""Run `alearn features` with random weights on a few files."""

import re
import signal

import numpy as np
import pytest
from PIL import Image

from alearn.data import decode, row_store, sources
from tests.command import alearn

NETWORK = ("model=pretrained", "model.name=test_efficientnet", "model.weights=null", "model.views=1")


@pytest.fixture
def words(tmp_path):
    for number in range(12):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(path)
    (tmp_path / "images" / "a" / "bad.png").write_text("no image")
    folder = (
        f"data.root='{tmp_path}/images'",
        f"data.cache='{tmp_path}/cache'",
        "data.size=48",
        "data.layout=classes",
        "data.channels=3",
        "data.augment=none",
    )
    return (*folder, *NETWORK, "device=cpu", "precision=fp32")


def test_it_says_what_it_computed_and_finds_it_again(words, tmp_path):
    code, out, _ = alearn("features", *words)
    assert code == 0
    (folder,) = (tmp_path / "cache" / "features").iterdir()
    lines = out.splitlines()
    assert lines[0] == "12 images: 12 computed, the others were there already; 1 file skipped"
    assert re.fullmatch(r"[\d.]+ s on .*, fp32, [\d,]+ images a second", lines[1])
    assert re.fullmatch(rf"{re.escape(str(folder))}: 1,136 features an image, [\d.]+ MB", lines[2])
    assert (folder / "features.f16").stat().st_size == 12 * 1136 * 2
    code, out, _ = alearn("features", "data=folder", *words)
    assert out.splitlines()[0] == "12 images: 0 computed, the others were there already; 1 file skipped"


def test_a_mistake_is_one_message(words, tmp_path):
    for args, code, message in (
        ((), 2, "the following arguments are required: KEY=VALUE"),
        (("data.rot=x",), 1, "data.rot: there is no such key; did you mean data.root?"),
        ((f"data.root={tmp_path}/none",), 1, f"data.root={tmp_path}/none: there is no such folder"),
        ((*words, "model=small_cnn"), 1, ""),
        (("data=mnist", "model=small_cnn"), 1, "model=small_cnn: has no pretrained features; give model=pretrained"),
    ):
        found, out, err = alearn("features", *args)
        assert (found, out) == (code, "")
        assert err.startswith(f"error: {message}")


def test_an_interruption_says_how_to_go_on(words, monkeypatch):
    def stop(*args):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(sources, "load", stop)
    code, _, err = alearn("features", *words)
    assert code == 143
    assert "interrupted; to go on: alearn features " in err
    assert "data.size=48" in err


def rows(folder) -> dict[str, bytes]:
    """Return the features of each file, from the store of a trial."""
    kept = row_store.kept(folder)
    content = (folder / row_store.FEATURES).read_bytes()
    width = 1136 * 2
    return {
        name: content[entry.row * width : entry.row * width + width]
        for name, entry in kept.items()
        if entry.row is not None
    }


def test_parts_make_what_one_process_makes(words, tmp_path):
    """A copy of an image lies in another part, one part is started twice, and job arrays name the others."""
    (tmp_path / "images" / "b" / "copy.png").write_bytes((tmp_path / "images" / "a" / "0.png").read_bytes())
    (tmp_path / "images" / "b" / "empty.png").touch()
    code, out, _ = alearn("features", *words)
    assert (code, out.splitlines()[0].partition(" computed")[0]) == (0, "12 images: 12")
    (whole,) = (tmp_path / "cache" / "features").iterdir()
    expected = rows(whole)
    assert len(expected) == 13

    apart = [*(word for word in words if not word.startswith("data.cache=")), f"data.cache='{tmp_path}/apart'"]
    code, out, err = alearn("features", "--shard", "1/3", *apart)
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [
        "part 1 of 3", "5 images: 5 computed, the others were there already; 0 files skipped"
    ]  # fmt: skip
    code, _, err = alearn("features", "--merge", *apart)
    assert code == 1
    assert "8 of 15 images have no features yet. Parts that are there: 1-of-3. Start those that are missing" in err
    code, out, _ = alearn("features", "--shard", "1/3", *apart)
    assert out.splitlines()[1].startswith("5 images: 0 computed")
    batch = {"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "3"}
    slurm = {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_COUNT": "3",
             "SLURM_ARRAY_TASK_STEP": "2"}  # fmt: skip
    for array in (batch, slurm):
        code, out, err = alearn("features", "--shard", "auto", *apart, **array)
        assert code == 0, err
    code, out, err = alearn("features", "--merge", *apart)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "13 images: 0 computed, the others were there already; 2 files skipped"
    (home,) = (tmp_path / "apart" / "features").iterdir()
    assert rows(home) == expected
    assert not (home / "parts").exists()
    code, out, _ = alearn("features", *apart)
    assert out.splitlines()[0] == "12 images: 0 computed, the others were there already; 3 files skipped"
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(tmp_path / "images" / "a" / "new.png")
    code, out, _ = alearn("features", "--shard", "1/2", *apart)
    assert out.splitlines()[1].startswith("7 images: 1 computed"), "what was merged is there"


def test_a_part_that_was_stopped_goes_on(words, tmp_path, monkeypatch):
    read, calls = decode.content, []

    def interrupted(path):
        calls.append(path)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(row_store, "CHUNK", 2)
    monkeypatch.setattr(decode, "content", interrupted)
    code, _, err = alearn("features", "--shard", "1/1", *words)
    assert code == 130
    assert "to go on: alearn features --shard=1/1 " in err
    monkeypatch.setattr(decode, "content", read)
    code, out, _ = alearn("features", "--shard", "1/1", *words)
    computed = int(out.split(" images: ")[1].split()[0])
    assert 0 < computed < 12
    assert alearn("features", "--merge", *words).code == 0


def test_a_shard_that_there_is_not_is_one_message(words):
    for text, message in (
        ("4/3", "4/3: must be I/N, from 1/N to N/N, or auto"),
        ("0/3", "0/3: must be I/N"),
        ("half", "half: must be I/N"),
        ("auto", "auto: this is no job of an array; SLURM_ARRAY_TASK_ID and AWS_BATCH_JOB_ARRAY_INDEX are not set"),
    ):
        code, _, err = alearn("features", "--shard", text, *words)
        assert (code, message in err) == (2, True)
    code, _, err = alearn("features", "--merge", "data=mnist", "model=pretrained", *words[6:])
    assert (code, "data=mnist: only data=folder is computed in parts" in err) == (1, True)


def test_parts_of_another_cut_and_an_older_file_do_not_hide_newer_ones(words, tmp_path):
    for part in ("1/3", "2/3", "3/3"):
        assert alearn("features", "--shard", part, *words).code == 0
    Image.fromarray(np.full((32, 32, 3), 77, np.uint8)).save(tmp_path / "images" / "a" / "0.png")
    for part in ("1/2", "2/2"):
        assert alearn("features", "--shard", part, *words).code == 0
    code, _, err = alearn("features", "--merge", *words)
    assert (code, err) == (0, "")
