"""Trials with train=head, from files to labels: a small network of timm with random weights makes the features."""

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import alearn as api
from alearn.config import Head, load
from alearn.data import row_store
from alearn.data.decode import decoded
from alearn.learn.device import Runtime
from alearn.learn.extract import extraction
from alearn.models.pretrained import Pretrained
from alearn.trial import checkpoint, model_file
from tests.command import alearn

CPU = Runtime(torch.device("cpu"), bf16=False)
NETWORK = "test_efficientnet"
CLASSES = ("across", "blank", "down")
FOLDER = ("data=folder", "data.size=48", "data.channels=3", "data.augment=objects", "precision=fp32", "device=cpu")
MODEL = ("model=pretrained", f"model.name={NETWORK}")
pytestmark = pytest.mark.slow


def pattern(kind: int, random: np.random.Generator) -> np.ndarray:
    """Return stripes across, noise, or stripes down, in any colour, uint8 [48, 48, 3]."""
    rows, columns = np.mgrid[:48, :48]
    wave = np.sin((rows, 0 * rows, columns)[kind] * random.uniform(0.6, 1.2) + random.uniform(0, 6)) * 60
    colour = random.integers(80, 170, 3)
    return (colour + wave[:, :, None] + random.normal(0, 12, (48, 48, 3))).clip(0, 255).astype(np.uint8)


def draw(total: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(3, size=total)
    return np.stack([pattern(kind, random) for kind in truth]), truth


def put(folder: Path, total: int, seed: int) -> None:
    for number, (image, kind) in enumerate(zip(*draw(total, seed), strict=True)):
        path = folder / CLASSES[kind] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


class Trial(NamedTuple):
    folder: Path
    words: tuple[str, ...]
    root: Path
    cache: Path
    labels: dict[str, dict[str, str]]


def labels(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "labels.csv").open() as file:
        return {line["id"]: line for line in csv.DictReader(file)}


@pytest.fixture(scope="module")
def trial(tmp_path_factory) -> Trial:
    """A finished trial of 240 images, with a test set, and TensorBoard's projector."""
    home = tmp_path_factory.mktemp("head")
    put(home / "images" / "train", 240, 0)
    put(home / "images" / "test", 60, 1)
    torch.manual_seed(1)
    torch.save(timm.create_model(NETWORK).state_dict(), home / "w.pth")
    words = (
        *FOLDER,
        *MODEL,
        f"model.weights='{home}/w.pth'",
        "train=head",
        "train.smooth=false",
        "record.projector=50",
    )
    words += (f"data.root='{home}/images'", f"data.cache='{home}/cache'", "policy.hand_budget=60", "oracle=truth")
    code, _, err = alearn(*words, f"hydra.run.dir='{home}/out'")
    assert code == 0, err
    return Trial(home / "out", words, home / "images" / "train", home / "cache", labels(home / "out"))


def test_a_few_answers_label_all_images(trial):
    row = json.loads((trial.folder / "row.json").read_text())
    assert (row["config"]["train.name"], row["config"]["policy.pace"]) == ("head", "seconds")
    assert (row["first"], row["hand"] <= 60, row["hand"] + row["auto"]) == (20, True, 240)
    assert row["mislabeled_total"] < 0.05
    by_hand = {name: line["label"] for name, line in trial.labels.items() if line["source"] == "hand"}
    assert by_hand == {name: Path(name).parent.name for name in by_hand}
    assert load(trial.folder / "config.yaml").train == Head(smooth=False)


def test_the_saved_model_gives_images_the_labels_of_the_trial(trial):
    """The trial has guessed by features in half precision; model.pt computes them from the files."""
    code, out, _ = alearn("predict", trial.folder, trial.root, "--device", "cpu")
    assert code == 0
    found = {str(Path(line["path"]).relative_to(trial.root.parent)): line for line in csv.DictReader(io.StringIO(out))}
    auto = [name for name, line in trial.labels.items() if line["source"] == "auto"]
    assert len(auto) > 100
    ledger = checkpoint.load(trial.folder, load(trial.folder / "config.yaml").digest(), 240).ledger
    guess = dict(zip(trial.labels, ledger.guess.tolist(), strict=True))
    sure = dict(zip(trial.labels, -np.expm1(ledger.doubt), strict=True))
    assert [found[name]["label"] for name in auto] == [trial.labels[name]["label"] for name in auto]
    assert [found[name]["label"] for name in auto] == [CLASSES[guess[name]] for name in auto]
    for name in auto:
        assert float(found[name]["confidence"]) == pytest.approx(sure[name], abs=0.02)


def test_the_accuracy_on_the_test_set_is_that_of_the_saved_model(trial):
    code, out, _ = alearn("predict", trial.folder, trial.root.parent / "test", "--device", "cpu")
    assert code == 0
    right = [Path(line["path"]).parent.name == line["label"] for line in csv.DictReader(io.StringIO(out))]
    last = json.loads((trial.folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert len(right) == 60
    assert last["test_accuracy"] == pytest.approx(np.mean(right), abs=0.02)
    assert last["val_accuracy"] > 0.8


def test_the_projector_shows_what_the_head_gets(trial):
    """Its points are as far apart as the features of their files, and the head gives them the labels of the trial."""
    points = torch.from_numpy(np.loadtxt(trial.folder / "projector" / "tensors.tsv"))
    lines = (trial.folder / "projector" / "metadata.tsv").read_text().splitlines()[1:]
    config = load(trial.folder / "config.yaml")
    files = [trial.root.parent / line.split("\t")[0] for line in lines]
    pixels = np.stack([decoded(str(file), (48, 48), 3) for file in files])
    features = extraction(config.model, config.data, CPU)(torch.from_numpy(pixels)).double()
    torch.testing.assert_close(torch.cdist(points, points), torch.cdist(features, features), rtol=0, atol=0.01)
    weights = checkpoint.load(trial.folder, config.digest(), 240).model
    guess = (points @ weights["head.weight"].double().T + weights["head.bias"]).argmax(1)
    auto = [at for at, line in enumerate(lines) if line.split("\t")[2] == "auto"]
    assert len(auto) > 10
    assert [CLASSES[guess[at]] for at in auto] == [lines[at].split("\t")[1] for at in auto]


@pytest.mark.filterwarnings("ignore")  # the exporter warns
def test_the_onnx_file_computes_the_same(trial, tmp_path):
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    path = tmp_path / "model.onnx"
    assert alearn("predict", trial.folder, "--onnx", path).code == 0
    saved = model_file.load(trial.folder)
    x = torch.rand(3, *saved.shape)
    (logits,) = ReferenceEvaluator(str(path)).run(None, {"pixels": x.numpy()})
    np.testing.assert_allclose(logits, saved.network(x).detach().numpy(), rtol=1e-3, atol=1e-3)


def test_a_trial_that_goes_on_ends_with_the_same_labels_and_computes_no_feature_again(trial, tmp_path, monkeypatch):
    monkeypatch.setattr(row_store, "load", asking := Asking(row_store.load))
    words = (*trial.words, f"hydra.run.dir='{tmp_path}/out'")
    code, _, err = alearn(*words, "policy.max_rounds=1")
    assert (code, "policy.max_rounds=1" in err) == (1, True)
    code, _, err = alearn(*words)
    assert code == 0, err
    assert (tmp_path / "out" / "labels.csv").read_bytes() == (trial.folder / "labels.csv").read_bytes()
    assert asking.calls
    assert asking.done == 0


class Asking:
    """`row_store.load`, and how many features it had to compute."""

    def __init__(self, work: Any) -> None:
        self._work, self.calls, self.done = work, 0, 0

    def __call__(self, cache, source, extractor=None, *rest):
        result = self._work(cache, source, extractor, *rest)
        self.calls += 1
        self.done += extractor.done
        return result


def test_auto_becomes_a_pretrained_network_and_a_head(trial, tmp_path):
    file = trial.folder.parent / "w.pth"
    auto = [f"model.backbone{kind}.{key}" for kind in ("", "_gpu") for key in (f"name={NETWORK}", f"weights='{file}'")]
    words = (*FOLDER, *auto, f"data.root='{trial.root.parent}'", f"data.cache='{trial.cache}'", "policy.hand_budget=60")
    words += ("train.head.smooth=false", "oracle=truth", f"hydra.run.dir='{tmp_path}/out'")
    code, shown, err = alearn(*words)
    assert code == 0, err
    assert f"model=pretrained model.name={NETWORK}: it has learned from photographs" in " ".join(shown.split())
    assert labels(tmp_path / "out") == trial.labels, "the same as with model=pretrained train=head"
    settled = load(tmp_path / "out" / "config.yaml")
    assert (type(settled.model), settled.train) == (Pretrained, Head(smooth=False))
    before = (tmp_path / "out" / "row.json").stat().st_mtime_ns
    assert alearn(*words).code == 0
    assert (tmp_path / "out" / "row.json").stat().st_mtime_ns == before, "a finished trial is not run again"


def test_random_weights_are_the_same_ones_when_a_trial_goes_on(trial, tmp_path):
    words = [word for word in trial.words if not word.startswith(("model.weights", "record"))]
    words += ["policy.hand_budget=40", "model.weights=null", f"hydra.run.dir='{tmp_path}/out'"]
    before = len(list((trial.cache / "features").iterdir()))
    assert alearn(*words, "policy.max_rounds=1").code == 1
    assert alearn(*words).code == 0
    assert len(list((trial.cache / "features").iterdir())) == before + 1


def test_smoothed_features_are_of_the_images_to_label_and_the_model_is_for_new_ones(trial, tmp_path):
    words = [word for word in trial.words if not word.startswith(("train.smooth", "record"))]
    code, _, err = alearn(*words, f"hydra.run.dir='{tmp_path}/out'")
    assert code == 0, err
    mine = labels(tmp_path / "out")
    assert mine != trial.labels
    assert np.mean([line["label"] == Path(name).parent.name for name, line in mine.items()]) > 0.95
    code, out, _ = alearn("predict", tmp_path / "out", trial.root.parent / "test", "--device", "cpu")
    right = [Path(line["path"]).parent.name == line["label"] for line in csv.DictReader(io.StringIO(out))]
    last = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] == pytest.approx(np.mean(right), abs=0.02)
    assert np.mean(right) > 0.9


def test_python_gives_the_labels_of_the_command(trial, tmp_path, monkeypatch):
    """The pixels are in memory here, and the features of each image are as those of its file."""
    monkeypatch.setenv("ALEARN_DATA", str(tmp_path))
    images, truth = draw(240, 0)
    model = api.preset("model", "pretrained", name=NETWORK, weights=str(trial.folder.parent / "w.pth"), size=48)
    policy = api.preset("policy", "own", hand_budget=60)
    names = np.array(CLASSES)[truth]
    settings = {"model": model, "policy": policy, "device": "cpu", "precision": "fp32", "classes": CLASSES}
    done = api.label(images, api.Truth(names), **settings)
    assert done.hand_labels <= 60
    assert len(done.wrong(names)) < 12
    with torch.inference_mode():
        pixels = torch.as_tensor(images).permute(0, 3, 1, 2) / 255
        guess = done.model(pixels).argmax(1).numpy()  # it maps images, not features
    assert np.mean(guess != truth) < 0.1
    assert (tmp_path / "features").is_dir()
    again = api.label(images, api.Truth(names), train="head", **settings)
    assert again.labels.tolist() == done.labels.tolist()
    scratch = {**settings, "model": "small_cnn", "train": "head"}
    with pytest.raises(api.AlearnError, match=r"^train=head: .*, and model=small_cnn model\.width=16 is none"):
        api.label(images, api.Truth(names), **scratch)
