"""Ask on sheets."""

import numpy as np
import pytest

from alearn.audit.sheets import QUESTIONS, SHEET, Sheets
from alearn.errors import AlearnError, WaitingError
from alearn.files import csv_tables
from alearn.ledger import CANNOT_TELL, Source

IDS = [f"{i}.png" for i in range(10)]


def ask(folder, *index, again=False, classes=("cat", "dog")):
    return Sheets(folder, IDS, classes).label(np.array(index, np.int64), Source.AUDIT, again)


def test_items_are_on_the_sheet_in_the_order_in_which_they_are_asked(tmp_path):
    sheet = tmp_path / QUESTIONS / SHEET
    with pytest.raises(WaitingError, match="3 items to label"):
        ask(tmp_path, 5, 2, 9)
    assert sheet.read_text() == "item,answer\n5.png,\n2.png,\n9.png,\n"
    sheet.write_text("item,answer,note\n5.png,cat,sure\n2.png,,\n9.png,,\n")
    with pytest.raises(WaitingError, match="4 items to label"):
        ask(tmp_path, 5, 2, 9, 1, 0)
    assert sheet.read_text() == "item,answer,note\n5.png,cat,sure\n2.png,,\n9.png,,\n1.png,,\n0.png,,\n"


def test_answers_of_a_complete_set_are_kept_before_anybody_sees_what_follows(tmp_path):
    sheet = tmp_path / QUESTIONS / SHEET
    with pytest.raises(WaitingError):
        ask(tmp_path, 5, 2)
    sheet.write_text("item,answer\n5.png,cat\n2.png,(cannot tell)\n")
    assert ask(tmp_path, 5, 2).tolist() == [0, CANNOT_TELL]
    assert list(csv_tables.read(tmp_path / "read.csv", ("sheet", "item", "answer")).values()) == [
        {"sheet": SHEET, "item": "5.png", "answer": "cat"},
        {"sheet": SHEET, "item": "2.png", "answer": "(cannot tell)"},
    ]
    with pytest.raises(WaitingError):
        ask(tmp_path, 5, 2, 7)
    sheet.write_text("item,answer\n5.png,dog\n2.png,(cannot tell)\n7.png,\n")
    with pytest.raises(AlearnError, match=r"item=5\.png: answer=dog, but it was cat when the audit used it"):
        ask(tmp_path, 5, 2, 7)
    sheet.write_text("item,answer\n5.png,cat\n2.png,(cannot tell)\n7.png,\n")
    with pytest.raises(WaitingError, match="1 items to label a second time"):
        ask(tmp_path, 5, again=True)


def test_no_question_needs_no_sheet(tmp_path):
    assert ask(tmp_path).tolist() == []
    assert list(tmp_path.iterdir()) == []


def test_an_image_is_copied_whole_under_a_name_that_does_not_tell(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "out"
    for name in ("cat/a.png", "dog/b.png"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(name)
    folder.mkdir()
    with pytest.raises(WaitingError):
        Sheets(folder, ["cat/a.png", "dog/b.png"], ["cat", "dog"], root).label(np.array([1]), Source.REST)
    (line,) = csv_tables.read(folder / QUESTIONS / "rest.csv", ("item", "answer")).values()
    shown = folder / QUESTIONS / line["item"]
    assert shown.read_text() == "dog/b.png"
    assert list(shown.parent.iterdir()) == [shown]
    assert "dog" not in line["item"]
