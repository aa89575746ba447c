"""Trials on features that were computed before: data=features."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from alearn.data import feature_table, sources
from alearn.learn import embedding
from alearn.learn.extract import extraction
from alearn.trial import checkpoint, model_file
from tests.command import alearn
from tests.conftest import compose
from tests.trial.test_head_trial import CPU, FOLDER, MODEL, put

pytestmark = pytest.mark.slow
RUN = (
    "train=head",
    "train.smooth=false",
    "policy.hand_budget=40",
    "policy=own",
    "oracle=truth",
    "device=cpu",
    "precision=fp32",
)


def table(path: Path, features: np.ndarray, **columns: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), features.shape[1])
    parquet.write_table(pa.table({"features": lists, **columns}), path)


def blobs(folder: Path, total: int = 400, **others: list[str]) -> tuple[str, ...]:
    """Write two files of features of three classes, and return the words that name them."""
    random = np.random.default_rng(0)
    truth = random.integers(3, size=total)
    values = (np.eye(3, 16)[truth] * 4 + random.normal(size=(total, 16))).astype(np.float16)
    names = [f"{number:04}.png" for number in range(total)]
    label = [("cat", "dog", "owl")[kind] for kind in truth]
    for number, part in enumerate((slice(0, 250), slice(250, total))):
        table(folder / "f" / f"{number}.parquet", values[part], id=names[part], label=label[part], **others)
    return ("data=features", f"data.root='{folder}/f'", f"data.cache='{folder}/cache'", *RUN)


def test_it_gives_the_labels_that_a_trial_on_the_images_gives(tmp_path):
    """The second source is the whole path from files through the network to a head."""
    put(tmp_path / "images", 150, 0)
    folder = (*FOLDER, *MODEL, "model.weights=null", f"data.root='{tmp_path}/images'", f"data.cache='{tmp_path}/cache'")
    code, _, err = alearn(*folder, *RUN, f"hydra.run.dir='{tmp_path}/pixels'")
    assert code == 0, err
    config = compose(*folder, *RUN)
    pool, _ = sources.load(config.data, 0, extraction(config.model, config.data, CPU))
    names = [pool.classes[number] for number in pool.truth]
    table(tmp_path / "f" / "a.parquet", np.asarray(pool.features), id=list(pool.ids), label=names)
    words = ("data=features", f"data.root='{tmp_path}/f'", f"data.cache='{tmp_path}/cache'", *RUN)
    code, _, err = alearn(*words, f"hydra.run.dir='{tmp_path}/features'")
    assert code == 0, err
    assert (tmp_path / "features" / "labels.csv").read_bytes() == (tmp_path / "pixels" / "labels.csv").read_bytes()


def test_it_labels_reports_and_saves_a_head_on_features(tmp_path):
    words = blobs(tmp_path)
    code, out, err = alearn(*words, "record.projector=20", f"hydra.run.dir='{tmp_path}/out'")
    assert code == 0, err
    row = json.loads((tmp_path / "out" / "row.json").read_text())
    assert (row["hand"] <= 40, row["hand"] + row["auto"], row["mislabeled_total"] < 0.05) == (True, 400, True)
    assert "400 images of features" in out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image/png" not in page, "there are no pictures to show"
    assert (tmp_path / "out" / "projector" / "tensors.tsv").exists()
    assert not (tmp_path / "out" / "projector" / "sprite.png").exists()
    saved = model_file.load(tmp_path / "out")
    assert saved.shape == (16, 1, 1)
    config = compose(*words)
    pool, _ = sources.load(config.data, 0)
    weight, bias = saved.network.head.weight, saved.network.head.bias
    guess = (pool.inputs.float() @ weight.T + bias).argmax(1).numpy()
    lines = [line.split(",") for line in (tmp_path / "out" / "labels.csv").read_text().splitlines()[1:]]
    same = [pool.classes[guess[int(line[0])]] == line[2] for line in lines if line[3] == "auto"]
    assert np.mean(same) > 0.98, "the model is that of the last round, and features are halves"


@pytest.mark.parametrize("large", [False, True])
def test_an_interrupted_one_goes_on_to_the_same_labels(tmp_path, monkeypatch, large):
    if large:  # neither the names are compared one by one, nor are the features embedded or held in memory
        monkeypatch.setattr(feature_table, "IN_MEMORY", 1)
        monkeypatch.setattr(embedding, "MOST", 1)
    words = blobs(tmp_path)
    assert alearn(*words, f"hydra.run.dir='{tmp_path}/whole'").code == 0
    again = (*words, f"hydra.run.dir='{tmp_path}/again'")
    code, _, err = alearn(*again, "policy.max_rounds=1")
    assert (code, "policy.max_rounds=1" in err) == (1, True)
    assert len(checkpoint.images(tmp_path / "again")) == 32
    code, _, err = alearn(*again)
    assert code == 0, err
    assert (tmp_path / "again" / "labels.csv").read_bytes() == (tmp_path / "whole" / "labels.csv").read_bytes()


def test_other_rows_are_noticed_when_it_goes_on(tmp_path):
    words = (*blobs(tmp_path), f"hydra.run.dir='{tmp_path}/out'")
    assert alearn(*words, "policy.max_rounds=1").code == 1
    blobs(tmp_path, 390)
    code, _, err = alearn(*words)
    assert code == 1
    assert "this trial is of 400 images, and" in err
    assert "0 added, 10 removed (0390.png, ...)" in err


def test_an_audit_proves_its_labels(tmp_path):
    words = blobs(tmp_path, 1500)
    words += ("policy.finish=audit", "policy.audit.target_error=0.05", "policy.audit.seed=3")
    code, _, err = alearn(*words, f"hydra.run.dir='{tmp_path}/out'")
    assert code == 0, err
    code, out, _ = alearn("verify", tmp_path / "out")
    assert (code, out.startswith("valid: At most")) == (0, True)


def test_what_does_not_suit_features_is_one_message(tmp_path):
    words = [word for word in blobs(tmp_path) if not word.startswith("train")]
    for more, message in (
        (
            ("model=small_cnn",),
            "model=small_cnn model.width=16: wants pixels, and data=features has none; it must be model=linear",
        ),
        (("train=frugal",), "train=frugal: trains on pixels, and data=features has none; give train=head"),
        (("oracle=web",), "oracle=web: people need to see the images; give the folder that their ids are relative to"),
        (("data.augment=digits",), "data.augment=digits: must be 'none'"),
        (("data.size=48",), "data.size: there is no such key"),
    ):
        code, _, err = alearn(*words, *more, f"hydra.run.dir='{tmp_path}/out'")
        assert code == 1
        assert message in err
        assert "Traceback" not in err
    code, _, err = alearn("data=mnist", "model=linear", f"hydra.run.dir='{tmp_path}/other'")
    assert (code, "model=linear: wants features, and data=mnist has pixels" in err) == (1, True)
