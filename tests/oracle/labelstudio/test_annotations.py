import csv
import json

import pytest

from alearn.errors import AlearnError
from alearn.oracle.labelstudio.annotations import exported, person
from alearn.oracle.labelstudio.task_format import annotation, task

JSON = r"""[{"id":1,"annotations":[{"id":2,"completed_by":{"id":1,"email":"ada@example.org"},"result":[
{"from_name":"label","to_name":"image","type":"choices","value":{"choices":["cat"]}}],"was_cancelled":false,"ground_truth":false,
"created_at":"2026-11-24T23:53:03.574795Z","prediction":{"id":1,"score":0.5},"task":1,"project":1}],"drafts":[],
"predictions":[1],"data":{"image":"data:image\/png;base64,iVBO","item":"img\/0.png","asked":"query, round 3",
"trial":"ab12"},"meta":{},"inner_id":1,"total_annotations":1,"project":1},
{"id":3,"annotations":[{"id":1,"completed_by":1,"result":[],"was_cancelled":true}],
"data":{"image":"data:,","item":"img\/1.png","asked":"query, round 3"}},
{"id":4,"annotations":[{"id":9,"completed_by":1,"result":[],"was_cancelled":true}],"data":{"text":"not of ours"}}]"""
JSON_MIN = r"""[{"image":"data:image\/png;base64,iVBO","item":"img\/0.png","asked":"query, round 3","trial":"ab12",
"id":1,"label":"cat","annotator":1,"annotation_id":3,"created_at":"2026-11-24T23:53:03.574795Z","lead_time":null},
{"image":"data:,","item":"img\/1.png","asked":"query, round 3","id":2,"label":"alearn:cannot-tell","annotator":1,
"annotation_id":2},{"image":"data:,","item":"img\/2.png","asked":"query, round 3","id":3}]"""
CSV = """"annotation_id","annotator","asked","created_at","id","image","item","label","lead_time","trial","updated_at"
3,"1","query, round 3","2026-11-24T23:53:03.57Z",1,"data:image/png;base64,iVBO","img/0.png","a ""b"", c","","ab12",""
2,"ada@example.org","query, round 3","",2,"data:,","img/1.png"," padded ","","ab12",""
"""


def test_what_is_written_is_read_again():
    text = json.dumps([task("1", "data:,", [annotation("cat"), annotation(None)], data={"asked": "first, round 0"})])
    found = exported("f.json", text.encode())
    assert [(one.item, one.asked, one.choices, one.skipped) for one in found] == [
        ("1", "first, round 0", ("cat",), False),
        ("1", "first, round 0", (), True),
    ]


def read(name, text):
    return [(one.item, one.choices, one.skipped, one.person, one.where) for one in exported(name, text.encode())]


def test_all_three_exports_are_read_in_the_order_of_submission():
    assert read("f.json", JSON) == [
        ("img/1.png", (), True, "user 1", "f.json, task 3"),
        ("img/0.png", ("cat",), False, "ada@example.org", "f.json, task 1"),
    ]
    assert read("f.json", JSON_MIN) == [
        ("img/1.png", ("alearn:cannot-tell",), False, "user 1", "f.json, task 2"),
        ("img/0.png", ("cat",), False, "user 1", "f.json, task 1"),
    ]
    assert read("f.CSV", "\ufeff" + CSV) == [
        ("img/1.png", (" padded ",), False, "ada@example.org", "f.CSV: line 3"),
        ("img/0.png", ('a "b", c',), False, "user 1", "f.CSV: line 2"),
    ]
    for two in ('{"choices":["cat","dog"]}', '["cat","dog"]'):
        assert read("f.json", JSON_MIN.replace('"cat"', two))[1][1] == ("cat", "dog")


def test_tasks_of_others_are_left_out_whatever_they_hold():
    for other in ({"data": {"text": "x"}, "annotations": 7}, {"text": "x", "label": [{"x": 5}], "annotation_id": 1}):
        assert exported("f.json", json.dumps([other]).encode()) == []


def test_a_long_picture_is_a_cell_and_the_limit_of_csv_stays_as_it_was():
    before = csv.field_size_limit()
    assert len(read("f.csv", CSV.replace("data:,", "data:" + "A" * 300_000))) == 2
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("f.json", "", "f.json: this is not a JSON export of Label Studio (Invalid JSON: EOF"),
        ("f.json", "[" * 100_000, "(Invalid JSON: recursion limit exceeded"),
        (
            "f.json",
            "[" + "1" * 5000 + "]",
            "this is not a JSON export of Label Studio (Invalid JSON: number out of range",
        ),
        ("f.json", '{"id": 1}', "(must be a valid array)"),
        ("f.json", "[1, 2]", "(0=1: must be an object)"),
        ("f.json", '[{"data": 3}]', "f.json, task at position 1: data=3: must be a valid dict"),
        (
            "f.json",
            JSON.replace('"annotations":[{', '"annotations":7,"was":[{'),
            "f.json, task 1: annotations=7: must be a valid list",
        ),
        (
            "f.json",
            JSON.replace('"result":[\n{', '"result":"x","was":[{'),
            "f.json, task 1: annotations.0.result='x': must be a valid list",
        ),
        (
            "f.json",
            JSON.replace('["cat"]', "[1]"),
            "task 1: annotations.0.result.0.value.choices.0=1: must be a valid string",
        ),
        (
            "f.json",
            JSON.replace('{"choices":["cat"]}', "0"),
            "task 1: annotations.0.result.0.value=0: must be a valid dict",
        ),
        (
            "f.json",
            JSON_MIN.replace('"cat"', "[[1]]"),
            "task 1: annotations.0.result.0.value.choices.0: must be a valid string",
        ),
        ("f.json", JSON_MIN.replace('"cat"', "1" * 100), "task 1: annotations.0.result.0.value.choices=1111"),
        ("f.csv", CSV.replace("label", "kind"), "f.csv: has no column label; there are annotation_id, annotator, "),
        (
            "f.csv",
            CSV + "1,2\n",
            "f.csv: line 4: must have 11 fields, has 2; give an unchanged CSV export of Label Studio",
        ),
        ("f.csv", CSV + ",".join("123456789abcd"), "f.csv: line 4: must have 11 fields, has 13"),
        ("f.csv", CSV + '"1', "f.csv: line 4: is not CSV (unexpected end of data)"),
    ],
)
def test_what_is_no_export_is_one_message_with_file_and_task(name, text, why):
    with pytest.raises(AlearnError) as error:
        exported(name, text.encode())
    assert why in str(error.value)
    assert len(str(error.value)) < 250


def test_what_is_no_utf_8_is_no_export():
    with pytest.raises(
        AlearnError, match=r"f.json: this is not a JSON export .*invalid unicode code point at line 1 column 3"
    ):
        exported("f.json", b'["\xff"]')


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (3, "user 3"),
        ("3", "user 3"),
        (" ada@example.org, 1", "ada@example.org, 1"),
        ({"id": 3, "email": "", "username": "ada"}, "ada"),
        ({"id": 3}, "user 3"),
        ({"id": {"id": 3}}, "label studio"),
        (None, "label studio"),
        ("", "label studio"),
        ([], "label studio"),
    ],
)
def test_people_have_a_name(value, name):
    assert person(value) == name
