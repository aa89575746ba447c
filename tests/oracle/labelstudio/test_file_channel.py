import json
from base64 import b64decode

import numpy as np
import pytest

from alearn.errors import AlearnError, WaitingError
from alearn.ledger import CANNOT_TELL, Source
from alearn.oracle.labelstudio import LabelStudioOracle
from alearn.oracle.labelstudio.file_channel import Files
from alearn.oracle.labelstudio.labeling_config import layout
from alearn.oracle.people import Batch
from alearn.oracle.store import Store, read
from tests.conftest import shapes
from tests.oracle.labelstudio.stand_in import insight


class Trial:
    """A channel through files with its own folder and store."""

    def __init__(self, tmp_path, classes=("a", "b", "c"), guesses=None):
        self.folder, self.there = tmp_path, tmp_path / "labelstudio"
        self.there.mkdir(exist_ok=True, parents=True)
        self.store = Store(tmp_path / "answers.db", shapes(20).ids, classes)
        config = LabelStudioOracle(name="labelstudio", url=None, project=None)
        self.channel = Files(config, shapes(20), self.store, insight(20, guesses), tmp_path)
        self.reports = []

    def ask(self, *index, purpose=Source.QUERY, again=False, answered=0):
        batch = Batch(np.array(index), purpose, 3, again, answered)
        self.channel.ask(batch, lambda *pair: self.reports.append(pair))

    def waits(self, *index, **more):
        """Ask, and return the tasks that the channel writes and the message of its WaitingError."""
        with pytest.raises(WaitingError) as waiting:
            self.ask(*index, **more)
        return json.loads((self.there / "tasks.json").read_text()), str(waiting.value)

    def export(self, name, answers, asked="query, round 3"):
        """Write a JSON export like Label Studio's. answers: pairs of an image and a choice, or None for a skip."""
        tasks = [
            {
                "id": number,
                "data": {"image": "data:,", "item": f"img/{item}.png", "asked": asked},
                "annotations": [
                    {
                        "id": number,
                        "completed_by": 2,
                        "was_cancelled": choice is None,
                        "result": []
                        if choice is None
                        else [{"from_name": "label", "type": "choices", "value": {"choices": [choice]}}],
                    }
                ],
            }
            for number, (item, choice) in enumerate(answers, 50)
        ]
        (self.there / name).write_text(json.dumps(tasks))


@pytest.fixture
def trial(tmp_path):
    made = Trial(tmp_path)
    yield made
    made.store.close()


def test_what_is_missing_is_written_to_import(tmp_path):
    trial = Trial(tmp_path, guesses={4: (2, 0.75), 6: (1, 0.99)})
    trial.channel._insight.ledger.checked[6] = True  # people must not see the guess that they check
    tasks, why = trial.waits(5, 4, 6)
    trial.store.close()
    assert why.startswith(f"3 images wait for labels in Label Studio. Import {tmp_path}/labelstudio/tasks.json")
    assert why.endswith(f"/labelstudio/annotations.json; then: alearn resume={tmp_path}")
    assert layout((tmp_path / "labelstudio" / "labeling_config.xml").read_text()).choices[:3] == ("a", "b", "c")
    assert [each["data"]["item"] for each in tasks] == ["img/5.png", "img/4.png", "img/6.png"]
    assert [len(each["predictions"]) for each in tasks] == [0, 1, 0]
    guess = tasks[1]["predictions"][0]
    assert (guess["result"][0]["value"]["choices"], guess["score"]) == (["c"], 0.75)
    picture = tasks[0]["data"]["image"]
    assert b64decode(picture.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_audits_and_second_questions_are_blind(tmp_path):
    trial = Trial(tmp_path, guesses={4: (2, 0.75)})
    (first,), _ = trial.waits(4, purpose=Source.AUDIT)
    (second,), _ = trial.waits(4, purpose=Source.AUDIT, again=True)
    trial.store.close()
    assert first["predictions"] == second["predictions"] == []
    assert [each["data"]["asked"] for each in (first, second)] == ["audit, round 3", "audit, round 3, again"]


def test_answers_come_in_and_only_the_rest_is_asked_again(trial):
    trial.waits(1, 2, 3, answered=4)
    trial.export("annotations.json", [(1, "b"), (2, None), (19, "a")])
    tasks, why = trial.waits(1, 2, 3, answered=4)
    assert [each["data"]["item"] for each in tasks] == ["img/3.png"]
    assert why.startswith("1 images wait")
    assert trial.store.answers() == {1: 1, 2: CANNOT_TELL}, "19 was not asked"
    trial.export("annotations-2.json", [(3, "alearn:cannot-tell"), (1, "c")])
    trial.ask(3, answered=6)
    assert trial.store.answers() == {1: 1, 2: CANNOT_TELL, 3: CANNOT_TELL}
    assert trial.reports == [(5, 7), (6, 7), (7, 7)]
    assert {(one.who, one.purpose, one.round) for one in read(trial.folder / "answers.db")} == {("user 2", "query", 3)}


def test_answers_to_another_question_are_none(trial):
    trial.export("annotations.json", [(1, "b")], "query, round 2")
    trial.export("annotations-2.json", [(1, "b")], "audit, round 3")
    trial.waits(1)
    trial.waits(1, purpose=Source.AUDIT, again=True)
    trial.ask(1, purpose=Source.AUDIT)
    assert (trial.store.answers(), trial.store.answers(again=True)) == ({1: 1}, {})


def test_the_first_of_several_stands(trial):
    trial.export("annotations-b.json", [(1, "c"), (2, "a")])
    trial.export("annotations-a.json", [(1, "b"), (1, "a")])
    trial.ask(1, 2)
    assert trial.store.answers() == {1: 1, 2: 0}


def test_csv_is_read_too_and_other_files_are_not(trial):
    (trial.there / "annotations.csv").write_text('annotation_id,item,asked,label\n7,img/1.png,"query, round 3",c\n')
    (trial.there / "notes.json").write_text("no annotations")
    trial.ask(1)
    assert trial.store.answers() == {1: 2}


def test_what_is_no_class_is_named_with_file_and_task(trial):
    trial.export("annotations.json", [(2, "a"), (1, "zebra")])
    with pytest.raises(AlearnError, match=r"annotations.json, task 51 \(img/1.png\): 'zebra' is none of a, b, c"):
        trial.ask(1, 2)
    trial.export("annotations.json", [(1, "zebra")])
    text = (trial.there / "annotations.json").read_text()
    (trial.there / "annotations.json").write_text(text.replace('["zebra"]', '["a", "b"]'))
    with pytest.raises(
        AlearnError, match=r"task 50 \(img/1.png\): an annotation chooses 2 classes, but must choose one"
    ):
        trial.ask(1)
    assert trial.store.answers() == {2: 0}


def test_open_classes_grow(tmp_path):
    trial = Trial(tmp_path / "open", classes=["a", "b"])
    trial.export("annotations.json", [(1, "zebra"), (2, "b")])
    trial.waits(1, 2, 3)
    trial.store.close()
    assert trial.store.answers() == {1: 2, 2: 1}
    assert list(trial.store.classes) == ["a", "b", "zebra"]
    assert "zebra" in (trial.there / "labeling_config.xml").read_text()


def test_files_that_cannot_be_read_or_written_are_named(trial):
    (trial.there / "annotations.json").write_text("{")
    with pytest.raises(
        AlearnError, match=f"^{trial.there}/annotations.json: this is not a JSON export of Label Studio"
    ):
        trial.ask(1)
    (trial.there / "annotations.json").unlink()
    (trial.there / "annotations.csv").mkdir()
    with pytest.raises(AlearnError, match=r"annotations.csv: cannot be read \(Is a directory"):
        trial.ask(1)
    (trial.there / "annotations.csv").rmdir()
    (trial.there / "tasks.json").mkdir()
    with pytest.raises(AlearnError, match="labelstudio: cannot be written"):
        trial.ask(1)
    assert not list(trial.there.glob(".*")), "nothing half-written stays"


def test_a_file_that_is_too_large_is_not_read(trial, monkeypatch):
    monkeypatch.setattr("alearn.oracle.labelstudio.file_channel.BYTES", 10)
    trial.export("annotations.json", [(1, "a")])
    with pytest.raises(AlearnError, match=r"annotations.json: this file has .* at most"):
        trial.ask(1)
