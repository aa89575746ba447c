"""Run `alearn features` with random weights on a few files."""

import re
import signal

import numpy as np
import pytest
from PIL import Image

from alearn.data import sources
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
