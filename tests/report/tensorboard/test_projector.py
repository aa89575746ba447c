import csv
import io

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from alearn.data import sources
from alearn.errors import AlearnError
from alearn.models.build import build
from alearn.models.classifier import to_float
from alearn.report.reporters import run_shown as run
from alearn.report.tensorboard import projector
from alearn.trial import checkpoint
from tests.conftest import SMALL, compose


def described(folder):
    lines = (folder / "projector" / "metadata.tsv").read_text().splitlines()
    return list(csv.DictReader(lines, delimiter="\t"))


@pytest.mark.slow
def test_the_points_are_the_last_models_features_with_their_labels(trial):
    config = text_format.Parse((trial.folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (shown,) = config.embeddings
    points = np.loadtxt(trial.folder / shown.tensor_path)
    lines = described(trial.folder)
    assert points.shape == (50, 16)
    assert len(lines) == 50
    with (trial.folder / "labels.csv").open() as file:
        labels = {line["id"]: line for line in csv.DictReader(file)}
    pool, _ = sources.load(trial.config.data, trial.config.seed)
    for line in lines:
        for key in ("label", "source", "round"):
            assert line[key] == labels[line["id"]][key]
        assert float(line["confidence"]) == pytest.approx(float(labels[line["id"]]["confidence"]), rel=1e-8)
        truth = pool.classes[pool.truth[pool.ids.index(line["id"])]]
        assert line["wrong"] == ("yes" if line["label"] != truth else "no")
    assert {line["source"] for line in lines} == {"hand", "auto"}

    state = checkpoint.load(trial.folder, trial.config.digest(), 600)
    model = build(trial.config.model, (1, 28, 28), 10).eval()
    model.load_state_dict(state.model)
    index = [pool.ids.index(line["id"]) for line in lines]
    with torch.inference_mode():
        logits = model(to_float(pool.images[index]))
        again = model.head(torch.from_numpy(points).float())
    torch.testing.assert_close(again, logits, rtol=1e-3, atol=1e-3)

    sprite = np.asarray(Image.open(io.BytesIO((trial.folder / shown.sprite.image_path).read_bytes())))
    assert sprite.shape == (8 * 28, 8 * 28)
    assert list(shown.sprite.single_image_dim) == [28, 28]
    np.testing.assert_array_equal(sprite[28:56, 28:56], pool.images[index[9], 0].numpy())


def test_a_finished_trial_gets_other_points_on_request(trial, tmp_path):
    before = {path: path.read_bytes() for path in trial.folder.rglob("*") if path.is_file()}
    assert run(trial.config, trial.folder) == trial.row
    assert {path: path.read_bytes() for path in before} == before, "writing again gives the same files"
    state = checkpoint.load(trial.folder, trial.config.digest(), 600)
    pool, _ = sources.load(trial.config.data, trial.config.seed)
    projector.write(tmp_path, 10_000, trial.config.model, trial.config.seed, pool, state)
    assert len(described(tmp_path)) == 600, "all images of the pool"
    state.model = None
    (tmp_path / "none").mkdir()
    projector.write(tmp_path / "none", 10_000, trial.config.model, trial.config.seed, pool, state)
    assert not list((tmp_path / "none").iterdir()), "without a round there is no model, and so there are no points"


@pytest.mark.slow
def test_a_resumed_trial_may_ask_for_points(mnist_root, tmp_path):
    words = [*SMALL, "data.limit=300", f"data.root='{mnist_root}'", "policy.init_fraction=0.4"]
    with pytest.raises(AlearnError, match="max_rounds"):
        run(compose(*words, "policy.hand_fraction=0.4", "policy.max_rounds=1"), tmp_path)
    assert not (tmp_path / "projector").exists()
    run(compose(*words, "policy.hand_fraction=0.4", "record.projector=20"), tmp_path)
    assert len(described(tmp_path)) == 20
    assert {path.parent for path in tmp_path.rglob("*tfevents*")} == {tmp_path}, "one run, with two files"


def test_asking_for_points_is_no_other_trial():
    assert compose("record.projector=1000").digest() == compose().digest()
