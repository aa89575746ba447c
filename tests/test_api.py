"""Labeling from Python: arrays, folders, networks and oracles of one's own; no Hydra."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import alearn
from alearn.config import Policy, Train, hydra_front
from alearn.journal import AuditStage, EpochDone, Finished, Round, RoundStarted, ScoreProgress
from alearn.learn.device import Runtime
from tests.conftest import shapes

IMAGES = shapes(400)
CPU = Runtime(torch.device("cpu"), bf16=False)
COUNTS = {"init_count": 30, "hand_per_round": 20, "hand_budget": 70}
POLICY = alearn.preset("policy", "frugal", **COUNTS, memory_from=1, views=0, auto={"rule": "none"})
TRAIN = alearn.preset("train", "frugal", steps=40, batch=32, consistency_batch=16, augment="none")
QUICK = {"policy": POLICY, "train": TRAIN, "device": "cpu", "precision": "fp32", "augment": "none"}
SMALL = alearn.preset("model", "small_cnn", width=4)


def test_arrays_are_labeled_with_a_few_answers():
    done = alearn.label(IMAGES.images.numpy(), alearn.Truth(IMAGES.truth), model=SMALL, **QUICK)
    assert done.hand_labels == 70
    assert done.labels.dtype == np.int64
    assert len(done.wrong(IMAGES.truth)) <= 12, "it learned"
    assert done.wrong(IMAGES.truth).tolist() == np.flatnonzero(done.labels != IMAGES.truth).tolist()
    by_hand = done.source == "hand"
    assert by_hand.sum() == 70
    assert (done.labels[by_hand] == IMAGES.truth[by_hand]).all()
    assert (done.confidence[by_hand] == 1).all()
    assert ((done.confidence[~by_hand] > 0) & (done.confidence[~by_hand] <= 1)).all()
    assert done.classes == ("0", "1", "2")
    assert done.rounds == 3, "two that ask 20, and one that learns from the last answers"
    again = alearn.label(IMAGES.images, alearn.Truth(IMAGES.truth), model=SMALL, **QUICK)
    assert done.labels.tolist() == again.labels.tolist(), "a tensor is as good as an array, and the seed decides"


@pytest.mark.parametrize("form", ["NHW", "NHWC", "NCHW"])
def test_images_may_lie_in_any_order(form):
    pixels = IMAGES.images.numpy()
    pixels = {"NHW": pixels[:, 0], "NHWC": pixels.transpose(0, 2, 3, 1), "NCHW": pixels}[form]
    found = alearn.api._pool(pixels, 0, CPU)
    assert torch.equal(found.images, IMAGES.images)


def test_names_of_classes_go_in_and_come_out():
    names = np.array(["cat", "dog", "owl"])[IMAGES.truth]
    given = np.where(np.arange(400) < 10, names, "")
    done = alearn.label(IMAGES.images, alearn.Truth(names), model=SMALL, given=given, **QUICK)
    assert done.classes == ("cat", "dog", "owl")
    assert len(done.wrong(names)) == sum(mine != true for mine, true in zip(done.names(), names, strict=True)) <= 12
    assert done.ledger.count(alearn.Source.GIVEN) == 10
    assert done.hand_labels == 70
    with pytest.raises(ValueError, match="labels: 'cow' must be one of cat, dog, owl"):
        done.wrong(np.where(names == "cat", "cow", names))


def test_a_network_of_ones_own_is_a_function_that_makes_a_module():
    made = []

    def network(shape, classes):
        made.append((shape, classes))
        pooled = nn.Sequential(nn.Conv2d(shape[0], 8, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        return nn.Sequential(pooled, nn.LazyLinear(classes))

    def lazy(shape, classes):
        model = network(shape, classes)
        model(torch.zeros(1, *shape))  # its last layer learns its size
        return model

    steps = {**QUICK, "train": TRAIN.model_copy(update={"steps": 80})}
    done = alearn.label(IMAGES.images, alearn.Truth(IMAGES.truth), model=lazy, **steps)
    assert made == [((1, 20, 20), 3)] * 3, "a fresh one in each round"
    assert len(done.wrong(IMAGES.truth)) <= 40
    assert done.model.body.module[1].out_features == 3


def test_an_oracle_of_ones_own_answers_by_label(caplog):
    class Teacher:
        classes = ("left", "middle", "right")

        def __init__(self):
            self.asked = []

        def label(self, index, purpose):
            self.asked.append((purpose, len(index)))
            return IMAGES.truth[index]

    teacher = Teacher()
    done = alearn.label(IMAGES.images, teacher, model=SMALL, **QUICK)
    source = alearn.Source
    assert teacher.asked == [
        (source.FIRST, 30),
        (source.QUERY, 20),
        (source.QUERY, 20),
        (source.QUERY, 0),
        (source.REST, 0),
    ]
    assert done.classes == Teacher.classes
    assert set(done.names()) == set(Teacher.classes)


def test_progress_and_commits_are_reported_as_they_happen():
    steps, entries = [], []
    alearn.label(
        IMAGES.images,
        alearn.Truth(IMAGES.truth),
        model=SMALL,
        on_progress=steps.append,
        on_commit=entries.append,
        **QUICK,
    )
    assert [type(entry) for entry in entries] == [Round, Round, Round, Finished]
    assert [step.round for step in steps if isinstance(step, RoundStarted)] == [1, 2, 3]
    assert {type(step) for step in steps} == {RoundStarted, EpochDone, ScoreProgress}


def test_a_certificate_is_kept_in_python_too():
    policy = POLICY.model_copy(
        update={"finish": "audit", "audit": Policy().audit.model_copy(update={"target_error": 0.2})}
    )
    entries = []
    done = alearn.label(
        IMAGES.images, alearn.Truth(IMAGES.truth), model=SMALL, on_commit=entries.append, **{**QUICK, "policy": policy}
    )
    assert any(isinstance(entry, AuditStage) for entry in entries)
    assert len(done.wrong(IMAGES.truth)) <= 0.2 * 400


def test_a_folder_of_files(tmp_path):
    for i in range(120):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(IMAGES.images[i, 0].numpy()).save(tmp_path / "pictures" / f"{i:03}.png")
    done = alearn.label(tmp_path / "pictures", alearn.Truth(IMAGES.truth[:120]), model=SMALL, **QUICK)
    assert done.ids[:2] == ("000.png", "001.png")
    assert len(done.wrong(IMAGES.truth[:120])) <= 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES.images.float()}, r"images: torch.float32 \[400, 1, 20, 20\]; must be uint8"),
        ({"model": "small_cn"}, "model=small_cn: must be one of .*did you mean small_cnn"),
        ({"policy": "frugl"}, "policy=frugl: must be one of .*did you mean frugal"),
        ({"device": "cuda"}, "device=cuda: torch finds no usable GPU here"),
    ],
)
def test_a_mistake_is_one_message(change, message):
    if change.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    settings = {"images": IMAGES.images, "oracle": alearn.Truth(IMAGES.truth), **QUICK, **change}
    with pytest.raises(alearn.AlearnError, match=message):
        alearn.label(**settings)


def test_classes_must_have_names():
    class Nameless:
        def label(self, index, purpose):
            return IMAGES.truth[index]

    with pytest.raises(alearn.AlearnError, match=r"classes: give the names of the classes"):
        alearn.label(IMAGES.images, Nameless(), **QUICK)


def test_the_defaults_are_those_of_the_command(monkeypatch):
    """What `alearn` composes for MNIST, and what label() takes for the same images, when nothing is said."""
    composed, taken = hydra_front.compose(), {}
    monkeypatch.setattr(alearn.api.loop, "label", lambda trial, journal: taken.update(vars(trial)))
    monkeypatch.setattr(alearn.api.choose, "augment", lambda thumbnails: (composed.data.augment, ""))
    alearn.label(IMAGES.images, alearn.Truth(IMAGES.truth), device="cpu")
    assert taken["policy"] == composed.policy
    assert taken["train"] == composed.train
    assert taken["network"].args == (composed.model,)
    assert (taken["seed"], taken["distortion"]) == (composed.seed, composed.data.augment)
    assert isinstance(taken["train"], Train)


@pytest.mark.slow
def test_neither_import_brings_torch_and_labeling_brings_no_hydra():
    code = (
        "import sys, alearn; assert not {'torch', 'numpy', 'hydra', 'pydantic'} & set(sys.modules); "
        "import numpy as np; images = np.zeros((60, 16, 16), np.uint8); images[::2, 4:8] = 200; "
        "truth = np.arange(60) % 2; "
        "done = alearn.label(images, alearn.Truth(truth), policy=alearn.preset('policy', 'frugal', init_count=20, "
        "hand_budget=30), train=alearn.preset('train', 'frugal', steps=10), model='small_cnn', device='cpu'); "
        "assert 'hydra' not in sys.modules and 'tensorboard' not in sys.modules; print(len(done.wrong(truth)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 10
