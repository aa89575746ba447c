"""Run `alearn features --out` and `alearn predict --out DIR/` on a few files: blocks, parts, kills, stores."""

import csv
import io
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from alearn.data import blocks, sources
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.learn.extract import extraction
from alearn.trial import block_tasks
from tests.command import alearn, start
from tests.conftest import compose
from tests.waiting import until

MODEL = ("model=pretrained", "model.name=test_efficientnet", "model.weights=null", "model.views=1")
CPU = Runtime(torch.device("cpu"), bf16=False)


def images(folder: Path, total: int = 21) -> Path:
    random = np.random.default_rng(0)
    for number in range(total):
        path = folder / ("down", "up")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, 200, 32)[:: 1 - 2 * (number % 2)]
        pixels = ramp[:, None, None] + random.integers(0, 55, (32, 32, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    (folder / "up" / "bad.png").write_text("no image")
    (folder / "up" / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def words(tmp_path):
    root = images(tmp_path / "images")
    sizes = ("data.size=48", "data.layout=classes", "data.channels=3", "data.augment=none")
    return (f"data.root='{root}'", f"data.cache='{tmp_path}/cache'", *sizes, *MODEL, "device=cpu", "precision=fp32")


def features(out: Path, *words: object) -> tuple[int, str, str]:
    return alearn("features", "--out", out, "--block", "5", *words)


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def rows(out: Path) -> dict[str, tuple[str, list[float]]]:
    """Return label and features by id."""
    lines = [line for path in sorted(out.glob("*.parquet")) for line in parquet.read_table(path).to_pylist()]
    return {line["id"]: (line["label"], line["features"]) for line in lines}


def test_blocks_hold_the_features_that_a_trial_computes(words, tmp_path):
    code, out, err = features(tmp_path / "out", *words)
    assert code == 0, err
    data = compose("data=folder", *words).data
    pool, _ = sources.load(data, 0, extraction(compose("data=folder", *words).model, data, CPU))
    expected = [pool.classes[kind] for kind in pool.truth]
    found = rows(tmp_path / "out")
    assert list(found) == list(pool.ids)
    assert [label for label, _ in found.values()] == expected
    assert torch.equal(torch.tensor([row for _, row in found.values()]).half(), pool.features)
    assert [name for name in contents(tmp_path / "out") if name.endswith(".parquet")] == [
        f"block-0000{number}-of-00005.parquet" for number in range(1, 6)
    ]
    assert (tmp_path / "out" / "skipped.csv").read_text().splitlines()[0] == "path,reason"
    skipped = list(csv.DictReader(io.StringIO((tmp_path / "out" / "skipped.csv").read_text())))
    assert {line["path"] for line in skipped} == {"up/bad.png", "up/notes.txt"}
    lines = out.splitlines()
    assert lines[0] == "5 blocks: 5 computed, the others were there already"
    assert lines[1].startswith("21 images in ")
    assert lines[1].endswith(" a second; 2 files skipped")
    assert lines[2].startswith(
        f"{tmp_path}/out: 21 images in 5 blocks; 2 files skipped, see {tmp_path}/out/skipped.csv"
    )
    assert lines[3] == f"now: alearn data=features data.root={tmp_path}/out data.images={tmp_path}/images"


def test_parts_together_are_the_whole_and_a_missing_one_is_named(words, tmp_path):
    assert features(tmp_path / "whole", *words)[0] == 0
    code, out, _ = features(tmp_path / "out", "--shard", "2/2", *words)
    assert (code, out.splitlines()[:2]) == (0, ["part 2 of 2", "3 blocks: 3 computed, the others were there already"])
    code, _, err = features(tmp_path / "out", "--merge", *words)
    assert code == 1
    assert "2 of 5 blocks are missing: block-00001-of-00005.parquet, block-00002-of-00005.parquet. Start" in err
    assert features(tmp_path / "out", "--shard", "1/2", *words)[0] == 0
    assert "skipped.csv" not in contents(tmp_path / "out")
    code, out, _ = features(tmp_path / "out", "--merge", *words)
    assert (code, "21 images in 5 blocks" in out) == (0, True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_run_that_is_interrupted_goes_on_with_the_blocks_that_are_missing(words, tmp_path, monkeypatch):
    assert features(tmp_path / "whole", *words)[0] == 0
    real, seen = blocks.compute, []

    def interrupted(block: blocks.Block, *rest: Any) -> blocks.Done:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(block.file)
        return real(block, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(blocks, "compute", interrupted)
        code, _, err = features(tmp_path / "out", *words)
    assert code == 130
    again = shlex.split(err.partition("to go on: alearn ")[2])
    assert again[:2] == ["features", f"--out={tmp_path}/out"]
    assert alearn(*again).out.splitlines()[0] == "5 blocks: 3 computed, the others were there already"
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_whole_blocks_only(words, tmp_path):
    assert features(tmp_path / "whole", *words)[0] == 0
    process = start("features", "--out", tmp_path / "out", "--block", "5", *words)
    until(lambda: (tmp_path / "out" / "block-00001-of-00005.parquet").exists(), "the first block")
    process.kill()
    assert features(tmp_path / "out", *words)[0] == 0
    found = {name: text for name, text in contents(tmp_path / "out").items() if not name.startswith(".")}
    assert found == contents(tmp_path / "whole")


def test_a_folder_of_other_blocks_is_refused(words, tmp_path):
    assert features(tmp_path / "out", *words)[0] == 0
    before = contents(tmp_path / "out")
    code, _, err = alearn("features", "--out", tmp_path / "out", "--block", "6", *words)
    assert (code, "holds blocks of another size of blocks; give another --out" in err) == (1, True)
    code, _, err = features(tmp_path / "out", *words, "model.name=test_resnet")
    assert (code, "holds blocks of another model; give another --out" in err) == (1, True)
    Image.new("RGB", (32, 32)).save(tmp_path / "images" / "up" / "more.png")
    code, _, err = features(tmp_path / "out", *words)
    assert (code, "holds blocks of another images; give another --out" in err) == (1, True)
    assert contents(tmp_path / "out") == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.parquet").write_bytes(b"data")
    code, _, err = features(tmp_path / "other", *words)
    assert (code, "holds Parquet files that are no blocks of alearn's" in err) == (1, True)
    (tmp_path / "file").write_text("")
    code, _, err = features(tmp_path / "file" / "out", *words)
    assert (code, f"--out={tmp_path}/file/out: " in err, "cannot be written" in err) == (1, True, True)


def test_an_image_that_has_changed_and_a_damaged_block_are_noticed(words, tmp_path):
    out = tmp_path / "out"
    assert features(out, *words)[0] == 0
    before = contents(out)
    os.utime(tmp_path / "images" / "up" / "01.png", ns=(0, 10**9))  # the third block has down/20, and then up
    code, _, err = features(out, *words)
    assert code == 1
    message = "have changed since it was computed; delete it to compute it again, or give another --out"
    assert err == f"error: --out={out}: the images of block-00003-of-00005.parquet {message}\n"
    (out / "block-00003-of-00005.parquet").unlink()
    assert features(out, *words)[1].splitlines()[0] == "5 blocks: 1 computed, the others were there already"
    changed = [name for name, text in contents(out).items() if text != before[name]]
    assert changed == ["block-00003-of-00005.parquet"]
    (out / "block-00002-of-00005.parquet").write_bytes(before["block-00002-of-00005.parquet"][:100])
    code, _, err = features(out, *words)
    assert (code, "block-00002-of-00005.parquet is damaged, or is no block of alearn's; delete it" in err) == (1, True)
    (out / "alearn.json").write_text("{}")
    code, _, err = features(out, *words)
    assert (code, "alearn.json is damaged; give another --out" in err) == (1, True)


def test_a_machine_that_does_not_see_the_images_or_the_blocks_computes_nothing(words, tmp_path):
    """It would call all images missing, or keep its blocks to itself."""
    config = compose("data=folder", *words)
    at = {"root": str(tmp_path / "elsewhere"), "cache": str(tmp_path / "cache")}
    task = block_tasks.FeatureTask(config.data, config.model, "cpu", "fp32", "auto", str(tmp_path / "out"))
    with pytest.raises(AlearnError, match=r"elsewhere: .* has no such folder; give one that all machines share"):
        block_tasks.worker(replace(task, data=config.data.model_copy(update=at)))
    with pytest.raises(AlearnError, match=r"alearn.json cannot be read .*: give a folder that all share, or a URL"):
        block_tasks.worker(task)
    assert features(tmp_path / "out", *words)[0] == 0
    block_tasks.worker(task)
    with pytest.raises(AlearnError, match=r"is for the model .*fp32, and .* computes .*bf16"):
        block_tasks.worker(replace(task, precision="bf16"))


def test_a_test_set_has_blocks_of_its_own(words, tmp_path):
    root = tmp_path / "images"
    (root / "train").mkdir()
    for name in ("up", "down"):
        (root / name).rename(root / "train" / name)
    (root / "test" / "up").mkdir(parents=True)
    (root / "train" / "up" / "01.png").rename(root / "test" / "up" / "01.png")
    (root / "test" / "up" / "bad.png").write_text("no image")
    assert features(tmp_path / "out", *words)[0] == 0
    assert [name for name in contents(tmp_path / "out") if "/" in name] == [
        "test/block-00001-of-00001.parquet", *(f"train/block-0000{number}-of-00005.parquet" for number in range(1, 6))
    ]  # fmt: skip
    data = compose("data=features", f"data.root='{tmp_path}/out'", f"data.cache='{tmp_path}/cache'").data
    pool, test = sources.load(data, 0)
    assert (len(pool), list(test.ids)) == (20, ["test/up/01.png"])
    skipped = csv.DictReader(io.StringIO((tmp_path / "out" / "skipped.csv").read_text()))
    assert sorted(line["path"] for line in skipped) == ["test/up/bad.png", "train/up/bad.png", "train/up/notes.txt"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--ray", "data.size=48"), "--ray: data.size=48: is no address of a cluster; put --ray at the end"),
        (("--ray", "--merge"), "--merge: computes nothing; leave out --ray"),
        (("--ray", "--gpus-per-worker", "1.5"), "--gpus-per-worker=1.5: must be at most 1, or a whole number"),
        (("--workers", "2"), "--workers=2: is for a Ray cluster; give --ray, too"),
        (("--ray", "--shard", "1/2"), "--shard: a Ray cluster takes all blocks; give either --shard or --ray"),
        (("--block", "0"), "--block: 0: must be 1 or more"),
        (("--gpus-per-worker", "-1"), "--gpus-per-worker: -1: must be a number, 0 or more"),
    ],
)
def test_options_that_do_nothing_are_refused(args, message):
    code, out, err = alearn("features", "--out", "out", *args, "data.root=images")
    assert (code, out, message in err) == (2, "", True), err


def test_workers_of_ray_get_gpus_only_if_they_are_asked_for(words, tmp_path):
    code, _, err = alearn("features", "--out", tmp_path / "out", *words, "device=cuda", "--ray")
    assert (code, err) == (
        1, "error: device=cuda: Ray gives its workers no GPUs by itself; give --gpus-per-worker, too\n"
    )  # fmt: skip


def test_blocks_are_for_a_folder_of_files(words):
    code, _, err = alearn("features", "--block", "5", *words)
    assert (code, "--block=5: is for blocks; give --out OUT, too" in err) == (2, True)
    code, _, err = alearn("features", "--out", "out", "data=mnist", "model=pretrained")
    assert (code, "--out=out: is for data=folder; leave it out for data=mnist" in err) == (1, True)


@pytest.mark.slow
def test_blocks_are_the_pool_of_a_trial_whose_model_labels_no_images(words, tmp_path):
    assert features(tmp_path / "out", *words)[0] == 0
    pool = ("data=features", f"data.root='{tmp_path}/out'", f"data.images='{tmp_path}/images'", "oracle=truth")
    budget = ("policy.init_count=6", "policy.hand_budget=12", f"data.cache='{tmp_path}/cache'")
    code, _, err = alearn(*pool, *budget, f"hydra.run.dir='{tmp_path}/t'")
    assert code == 0, err
    lines = csv.DictReader(io.StringIO((tmp_path / "t" / "labels.csv").read_text()))
    assert sorted(line["id"] for line in lines) == sorted(rows(tmp_path / "out"))
    code, out, err = alearn("predict", tmp_path / "t", tmp_path / "images")
    assert (code, out) == (1, "")
    assert err == f"error: {tmp_path}/t: its model labels features (data=features), and no images\n"


def trial(tmp_path: Path, words: tuple[str, ...]) -> Path:
    policy = ("policy=own", "policy.init_count=6", "policy.hand_budget=12")
    code, _, err = alearn("data=folder", *words, "train=head", "oracle=truth", *policy, f"hydra.run.dir='{tmp_path}/t'")
    assert code == 0, err
    return tmp_path / "t"


@pytest.mark.slow
def test_labels_in_blocks_are_those_in_one_file(words, tmp_path):
    folder = trial(tmp_path, words)
    root = tmp_path / "images"
    code, one, _ = alearn("predict", folder, root, "--device", "cpu")
    assert code == 1, "two files are no images"
    for part in ("1/2", "2/2"):
        args = ("predict", folder, root, "--device", "cpu", "--block", "5", "--out", f"{tmp_path}/out/")
        assert alearn(*args, "--shard", part).code == 0
    code, out, _ = alearn(*args, "--merge")
    assert (code, "2 files skipped" in out) == (1, True)
    lines = [
        line for path in sorted((tmp_path / "out").glob("*.parquet")) for line in parquet.read_table(path).to_pylist()
    ]
    expected = list(csv.DictReader(io.StringIO(one)))
    assert [f"{root}/{line['path']}" for line in lines] == [line["path"] for line in expected]
    assert [line["label"] for line in lines] == [line["label"] for line in expected]
    sure = [float(line["confidence"]) for line in expected]
    np.testing.assert_allclose([line["confidence"] for line in lines], sure, rtol=1e-4)
    code, _, err = alearn("predict", folder, root, root, "--out", f"{tmp_path}/out/")
    assert (code, "takes the images of one folder or URL, and 2 were given" in err) == (2, True)


def test_nothing_to_compute_is_one_message(tmp_path):
    (tmp_path / "empty").mkdir()
    task = block_tasks.LabelTask(tmp_path, str(tmp_path / "empty"), "cpu", str(tmp_path / "out"))
    with pytest.raises(AlearnError, match=r"data.root=.*empty: holds no images"):
        block_tasks.plan(task, 5)
