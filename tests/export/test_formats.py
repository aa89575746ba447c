"""Export each format of record file by the command, read it with another library, and compare it with the ledger."""

import base64
import csv
import io
import json
import sys
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from alearn.data import label_table
from alearn.export.records import read
from tests.command import alearn, raw
from tests.export.written import CLASSES, EARLY, IDS, LABELS, SOURCES, expected, export, refused, trial


@pytest.fixture
def folder(tmp_path):
    return trial(tmp_path / "trial", tmp_path / "photos")


def times(folder):
    return [record.time for record in read(folder).records]


def same(frame, folder):
    """Check that a table equals the ledger in each column."""
    records = read(folder).records
    assert list(frame.path) == list(IDS)
    for column in ("label", "source", "purpose", "annotator"):
        assert [None if pd.isna(x) else x for x in frame[column]] == [getattr(record, column) for record in records]
    for column in ("round", "confidence"):
        there = np.array([np.nan if (x := getattr(record, column)) is None else x for record in records])
        np.testing.assert_allclose(frame[column].astype(float), there, rtol=1e-12)
    at = pd.to_datetime(frame.time, utc=True)
    assert [None if pd.isna(x) else x.to_pydatetime() for x in at] == [
        x and datetime.fromisoformat(x) for x in times(folder)
    ]


def test_csv(folder):
    output, out = export(folder, "--format", "csv"), folder / "export.csv"
    frame = pd.read_csv(out, dtype={"label": str}, keep_default_na=False, na_values=[""])
    same(frame, folder)
    assert {path: None if pd.isna(label) else label for path, label in zip(frame.path, frame.label, strict=True)} == (
        expected()
    )
    assert frame.path[frame.cannot_tell == "yes"].tolist() == ["6.png"]
    assert frame.cannot_tell.notna().sum() == 1
    assert frame.certificate.isna().all()
    assert f"csv: {out}" in output
    before = out.read_bytes()
    export(folder, "--format", "csv")
    assert out.read_bytes() == before, "a second export replaces the file with the same content"


@pytest.mark.parametrize(("kind", "name"), [("csv", "out.csv"), ("jsonl-manifest", "out.jsonl")])
def test_alearn_reads_humans_labels_back_as_given_ones(folder, tmp_path, kind, name):
    """Auto labels do not come back, because an audit would not check them."""
    with (folder / "labels.csv").open(newline="") as file:
        auto = [line["id"] for line in csv.DictReader(file) if line["source"] == "auto"]
    assert auto
    export(folder, "--format", kind, "--out", tmp_path / "photos" / name)
    assert dict(label_table.read(tmp_path / "photos", name, None)) == expected() | dict.fromkeys(set(auto) - set(EARLY))


def test_jsonl_manifest(folder):
    export(folder, "--format", "jsonl-manifest", "--prefix", "s3://bucket/")
    out = folder / "export.jsonl"
    frame = pd.read_json(out, lines=True)
    assert frame["source-ref"].tolist() == [f"s3://bucket/{name}" for name in IDS]
    lines = {
        line["source-ref"].removeprefix("s3://bucket/"): line for line in map(json.loads, out.read_text().splitlines())
    }
    numbers = {name: k for k, name in enumerate(sorted(CLASSES))}
    for record in read(folder).records:
        line = lines[record.id]
        if record.source is None:
            assert line == {"source-ref": f"s3://bucket/{record.id}"}
            continue
        about = line["label-metadata"]
        assert line.get("label") == (None if record.label is None else numbers[record.label])
        assert about["type"] == "groundtruth/image-classification"
        assert (about.get("class-name"), about["human-annotated"]) == (
            record.label,
            "yes" if record.source == "hand" else "no",
        )
        assert (about.get("confidence"), about.get("creation-date")) == (record.confidence, record.time)
        assert about["job-name"] == "alearn/photos"
        assert ("failure-reason" in about) == record.cannot_tell == (record.id == "6.png")
        assert (about.get("annotator"), about.get("purpose"), about["round"]) == (
            record.annotator,
            record.purpose,
            record.round,
        )


def test_parquet(folder):
    import pyarrow as pa
    from pyarrow import parquet

    export(folder, "--format", "parquet")
    out = folder / "export.parquet"
    frame = pd.read_parquet(out)
    same(frame, folder)
    assert frame.cannot_tell.tolist() == [name == "6.png" for name in IDS]
    assert isinstance(frame.label.dtype, pd.CategoricalDtype)
    schema = parquet.read_schema(out)
    assert schema.field("time").type == pa.timestamp("ms", "UTC")
    assert (schema.field("round").type, schema.field("confidence").type) == (pa.int32(), pa.float64())
    assert all(pa.types.is_dictionary(schema.field(name).type) for name in ("label", "source", "purpose", "annotator"))


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'alearn[parquet]'" in refused(folder, "--format", "parquet")


def test_labelstudio(folder):
    export(folder, "--format", "labelstudio", "--prefix", "/data/local-files/?d=")
    tasks = json.loads((folder / "export.labelstudio.json").read_text())
    assert [task["data"]["item"] for task in tasks] == list(IDS)
    output = {}
    for task, record in zip(tasks, read(folder).records, strict=True):
        assert task["data"]["image"] == f"/data/local-files/?d={record.id}"
        assert (task["data"].get("annotator"), task["data"].get("time")) == (record.annotator, record.time)
        hand, auto = task["annotations"], task["predictions"]
        assert (len(hand), len(auto)) == (record.source == "hand", record.source == "auto")
        for each in hand:
            assert each["was_cancelled"] == record.cannot_tell
        for each in auto:
            assert each["score"] == pytest.approx(record.confidence)
            assert each["model_version"] == record.annotator
        choices = [part["value"]["choices"] for each in hand + auto for part in each["result"]]
        assert all(len(chosen) == 1 for chosen in choices)
        output[record.id] = choices[0][0] if choices else None
    assert output == expected()


def test_labelstudio_with_the_images_inside(folder, tmp_path):
    export(folder, "--format", "labelstudio", "--embed")
    tasks = json.loads((folder / "export.labelstudio.json").read_text())
    for number, task in enumerate(tasks):
        kind, _, data = task["data"]["image"].partition(";base64,")
        assert kind == "data:image/png"
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        assert (pixels == 9 * number).all()
    (tmp_path / "photos" / "7.png").unlink()
    message = refused(folder, "--format", "labelstudio", "--embed", "--out", tmp_path / "other.json")
    assert "1 of 9 images are missing: 7.png" in message
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize("kind", ["csv", "jsonl-manifest", "labelstudio", "parquet"])
def test_to_standard_output(folder, kind):
    code, out, err = alearn("export", folder, "--format", kind, "--out", "-")
    assert code == 0
    export(folder, "--format", kind, "--out", folder / "export.it")
    assert raw(out) == (folder / "export.it").read_bytes()
    assert "9 images: " in err


def test_a_trial_without_answers_of_people(tmp_path):
    folder = trial(tmp_path / "trial", tmp_path / "photos", answers=False)
    export(folder, "--format", "csv")
    frame = pd.read_csv(folder / "export.csv", keep_default_na=False)
    assert frame.label.tolist() == [name or "" for name in LABELS]
    assert frame.source.tolist() == [name or "" for name in SOURCES]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("csv", "--copy"), "--copy: is for --format folders, not for csv"),
        (("parquet", "--symlink"), "--symlink: is for --format folders, not for parquet"),
        (("csv", "--embed"), "--embed: is for --format labelstudio, not for csv"),
        (("folders", "--prefix", "x"), "--prefix: is for --format jsonl-manifest, labelstudio"),
        (("labelstudio", "--prefix", "x", "--embed"), "give one of them"),
        (("folders", "--out", "-"), "not standard output; give a path"),
        (("folders", "--copy", "--symlink"), "--symlink: not allowed with argument --copy"),
        (("xml",), "--format: invalid choice: 'xml'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder, args, message):
    before = sorted(folder.iterdir())
    assert message in refused(folder, "--format", *args, code=2)
    assert sorted(folder.iterdir()) == before


def test_no_file_of_the_trial_is_written_over(folder):
    before = (folder / "labels.csv").read_bytes()
    assert "begin with export" in refused(folder, "--format", "csv", "--out", folder / "labels.csv")
    assert "is a folder" in refused(folder, "--format", "csv", "--out", folder.parent)
    assert (folder / "labels.csv").read_bytes() == before
