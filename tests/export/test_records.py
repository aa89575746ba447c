"""Reading a folder gives the labels of the ledger, with annotators and times from the answers."""

import hashlib
import json
import os
import re

import pytest

from alearn import __version__
from alearn.errors import AlearnError
from alearn.export.records import read
from alearn.oracle import store
from tests.conftest import compose
from tests.export.written import CLASSES, IDS, expected, trial

WRITTEN = 1_700_000_000.25


@pytest.fixture
def folder(tmp_path):
    path = trial(tmp_path / "trial", tmp_path / "photos")
    os.utime(path / "labels.csv", (WRITTEN, WRITTEN))
    return path


def by_id(folder):
    return {record.id: record for record in read(folder).records}


def test_every_image_is_there_in_order_with_all_that_is_known(folder, tmp_path):
    labeled = read(folder)
    assert [record.id for record in labeled.records] == list(IDS)
    assert {record.id: record.label for record in labeled.records} == expected()
    assert (labeled.name, labeled.root, labeled.certificate, labeled.early) == ("photos", tmp_path / "photos", None, 1)
    at = {(answer.item, answer.again): answer.at for answer in store.read(folder / "answers.db")}
    records = by_id(folder)
    assert vars(records["b, 1.png"]) == {
        "id": "b, 1.png", "label": "../up", "source": "hand", "purpose": "first", "round": 0, "confidence": 1.0,
        "annotator": "Ada", "time": at["b, 1.png", False],
    }  # fmt: skip
    auto = records['a "2".png']
    assert (auto.source, auto.purpose, auto.round) == ("auto", None, 2)
    assert auto.confidence == pytest.approx(0.75, abs=1e-6)
    assert auto.annotator == f"alearn {__version__} round 2"
    assert auto.time == "2023-11-14T22:13:20.250Z", "when labels.csv was written"
    given = records["5.png"]
    assert (given.purpose, given.annotator, given.time) == ("given", None, None)
    assert [name for name, each in records.items() if each.cannot_tell] == ["6.png"]
    assert (records["6.png"].annotator, records["6.png"].confidence) == ("Bob, jr.", None)
    assert records["7.png"] == type(auto)("7.png"), "nothing is known of it"


def test_the_second_answer_counts_over_the_first(folder):
    record = by_id(folder)["8.png"]
    assert (record.label, record.annotator) == ("cat, small", "Eve")


def test_an_answer_of_the_round_under_way_is_taken_and_a_withdrawn_one_is_not(folder):
    record = by_id(folder)["9.png"]
    assert (record.label, record.source, record.purpose, record.round, record.confidence) == (
        "Überraschung",
        "hand",
        "query",
        3,
        1.0,
    )
    assert record.annotator == "Bob, jr."
    assert "answers of the current round among these: 1" in read(folder).summary()


def test_an_answer_that_the_trial_did_not_take_signs_nothing(folder):
    """The answer was withdrawn and replaced after the trial had used it, so the ledger keeps the old record."""
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("../up,hand", "Überraschung,hand"))
    record = by_id(folder)["b, 1.png"]
    assert (record.label, record.annotator) == ("Überraschung", None)


def test_the_summary_says_what_there_is(folder):
    text = read(folder).summary().splitlines()[0]
    assert text == "9 images: 5 labels by hand, 2 by the model, 1 that a human cannot tell, 1 without a label yet"


def test_simulated_people_are_called_so(folder):
    (folder / "answers.db").unlink()
    (folder / "config.yaml").write_text(compose("data=mnist", "oracle=noisy").yaml())
    labeled = read(folder)
    assert (labeled.name, labeled.root) == ("mnist", None)
    assert by_id(folder)["b, 1.png"].annotator == "oracle=noisy"


def test_a_config_of_another_version_will_do(folder, tmp_path):
    (folder / "config.yaml").write_text(f"data: {{name: folder, root: '{tmp_path}', gone: 1}}\nnew: 2\n")
    assert read(folder).root == tmp_path


def test_classes_are_numbered_as_the_models_are(folder, monkeypatch):
    assert read(folder).classes == tuple(sorted(CLASSES))
    from types import SimpleNamespace

    from alearn.trial import model_file

    (folder / "model.pt").touch()
    monkeypatch.setattr(
        model_file, "load", lambda _: SimpleNamespace(classes=("never seen", "Überraschung", 'dog "x"'))
    )
    assert read(folder).classes == ("never seen", "Überraschung", 'dog "x"', "../up", "cat, small")


def certify(folder):
    digest = hashlib.sha256((folder / "labels.csv").read_bytes()).hexdigest()
    text = json.dumps({"statement": "At most 1 of 9 labels are wrong", "labels_sha256": digest})
    (folder / "certificate.json").write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_certificate_is_named_by_its_hash_and_nothing_is_added_to_what_it_covers(folder):
    digest = certify(folder)
    labeled = read(folder)
    assert (labeled.certificate.sha256, labeled.early) == (digest, 0)
    assert by_id(folder)["9.png"].source == "auto"
    assert "certified: At most 1 of 9" in labeled.summary()


def test_a_certificate_of_other_labels_is_refused(folder):
    certify(folder)
    with (folder / "labels.csv").open("a") as file:
        file.write("9,more.png,,,,,\n")
    with pytest.raises(AlearnError, match="has changed since this certificate"):
        read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("index,id", "index,name"), "labels.csv: has no column id"),
        (("../up,hand", "../up,robot"), "line 2: source=robot: must be hand, auto, or empty"),
        (("../up,hand,first,0", "../up,hand,first,x"), "line 2: round=x: must be a whole number"),
        (("../up,hand,first,0,1", "../up,hand,first,0,1.5"), "line 2: confidence=1.5: must be a number from 0 to 1"),
        (("../up,hand,first,0,1", "../up,hand,first,0,nan"), "confidence=nan"),
        (
            ("../up,hand,first", "../up,,first"),
            "line 2: label=../up: must be a class if there is a source, and empty otherwise",
        ),
        (("7.png", "8.png"), "line 9: id=8.png occurs twice"),
    ],
)
def test_a_bad_line_is_named(folder, change, message):
    text = (folder / "labels.csv").read_text()
    assert change[0] in text
    (folder / "labels.csv").write_text(text.replace(*change, 1))
    with pytest.raises(AlearnError, match=re.escape(message)):
        read(folder)


def test_a_folder_that_is_none_is_named(folder, tmp_path):
    with pytest.raises(AlearnError, match="there is no such folder"):
        read(tmp_path / "nowhere")
    for name, message in (
        ("answers.db", "cannot be read as a store of answers"),
        ("certificate.json", "cannot be read"),
        ("config.yaml", "cannot be read"),
    ):
        before = (folder / name).read_bytes() if (folder / name).exists() else None
        (folder / name).write_text("{'")
        with pytest.raises(AlearnError, match=f"{name}: .*{message}"):
            read(folder)
        (folder / name).unlink() if before is None else (folder / name).write_bytes(before)
    (folder / "config.yaml").unlink()
    with pytest.raises(AlearnError, match=r"neither config\.yaml nor audit\.json"):
        read(folder)
    (folder / "labels.csv").unlink()
    with pytest.raises(AlearnError, match=r"labels\.csv: there is no such file; the first round"):
        read(folder)
