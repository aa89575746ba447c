"""Export real folders: a certified trial on image files, and an audit of labels from another tool."""

import csv
import hashlib
import json

import pandas as pd
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from alearn import __version__
from alearn.report.reporters import run_shown
from tests.cli.test_audit_command import finish, made  # noqa: F401, a fixture
from tests.conftest import SMALL, compose, shapes
from tests.export.written import export


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A finished trial of 400 files in class folders, with a certificate."""
    base = tmp_path_factory.mktemp("base")
    pool, root, folder = shapes(400), base / "photos", base / "trial"
    for i, kind in enumerate(pool.truth):
        path = root / f"class {pool.classes[kind]}" / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pool.images[i, 0].numpy()).save(path)
    overrides = [
        "data=folder",
        f"data.root='{root}'",
        f"data.cache='{base / 'cache'}'",
        "data.size=20",
        "data.channels=1",
    ]
    policy = ["policy.finish=audit", "policy.audit.target_error=0.05", "policy.audit.seed=1"]
    rounds = ["policy.init_count=60", "policy.hand_per_round=20", "policy.hand_budget=120"]
    run_shown(
        compose(*overrides, "policy=frugal", *policy, *rounds, "data.augment=none", *SMALL, "train.steps=60"), folder
    )
    return folder, root


@pytest.mark.slow
def test_a_certified_trial(certified, tmp_path):
    folder, _ = certified
    statement = json.loads((folder / "certificate.json").read_text())["statement"]
    digest = hashlib.sha256((folder / "certificate.json").read_bytes()).hexdigest()
    output = export(folder, "--format", "csv", "--out", tmp_path / "out.csv")
    assert f"certified: {statement}" in output
    frame, ledger = pd.read_csv(tmp_path / "out.csv"), pd.read_csv(folder / "labels.csv")
    pairs = {"path": "id"} | {name: name for name in ("label", "source", "purpose", "round", "confidence")}
    for there, here in pairs.items():
        pd.testing.assert_series_equal(frame[there], ledger[here], check_names=False)
    assert set(frame.certificate) == {digest}
    assert set(frame.annotator[frame.source == "hand"]) == {"oracle=truth"}
    auto = frame[frame.source == "auto"]
    assert len(auto)
    assert all(auto.annotator == [f"alearn {__version__} round {number}" for number in auto["round"]])
    export(folder, "--format", "folders", "--out", tmp_path / "out")
    there = ImageFolder(str(tmp_path / "out"))
    assert there.classes == ["class a", "class b", "class c"]
    assert len(there) == 400
    label = dict(zip(ledger.id, ledger.label, strict=True))
    for path, number in there.samples:
        assert label[path.removeprefix(f"{tmp_path / 'out' / there.classes[number]}/")] == there.classes[number]


def test_the_manifests_numbers_are_the_models(certified, tmp_path):
    from alearn.trial import model_file

    folder, _ = certified
    export(folder, "--format", "jsonl-manifest", "--out", tmp_path / "out.jsonl")
    classes = model_file.load(folder).classes
    for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines()):
        assert classes[line["label"]] == line["label-metadata"]["class-name"]
        assert len(line["label-metadata"]["certificate-sha256"]) == 64


def test_parquet_has_the_certificate_in_words(certified, tmp_path):
    from pyarrow import parquet

    export(certified[0], "--format", "parquet", "--out", tmp_path / "out.parquet")
    about = parquet.read_schema(tmp_path / "out.parquet").metadata
    statement = json.loads((certified[0] / "certificate.json").read_text())["statement"]
    assert (about[b"certificate"].decode(), about[b"alearn"].decode()) == (statement, __version__)


def test_an_audit_of_labels_from_elsewhere(made, tmp_path):  # noqa: F811
    path, truth, _ = made
    folder = finish(path, truth, "--seed", "1")
    digest = hashlib.sha256((folder / "certificate.json").read_bytes()).hexdigest()
    output = export(folder, "--format", "csv", "--out", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    with (folder / "labels.csv").open(newline="") as file:
        ledger = list(csv.DictReader(file))
    for line, there in zip(lines, ledger, strict=True):
        assert (line["path"], line["label"], line["source"], line["purpose"]) == (
            there["id"], there["label"], there["source"], there["purpose"],
        )  # fmt: skip
    assert {line["certificate"] for line in lines} == {digest}
    assert {line["annotator"] for line in lines if line["source"] == "auto"} == {path.name}
    assert "certified: At most 40 of 2,000" in output
