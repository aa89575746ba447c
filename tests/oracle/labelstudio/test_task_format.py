import csv
import json
from xml.etree import ElementTree

import pytest

from alearn.errors import AlearnError
from alearn.oracle.labelstudio.task_format import (
    Layout,
    annotation,
    cannot_tell,
    data_uri,
    exported,
    grown,
    labeling_config,
    layout,
    prediction,
    task,
    who,
)

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


def test_a_labeling_config_has_a_choice_a_class_and_cannot_tell():
    classes = ["cat", 'a "b" & <c>', "$odd", " padded ", "line\nbreak", "cannot tell", "alearn:cannot-tell"]
    config = labeling_config(classes)
    assert layout(config) == Layout("image", "label", "image", (*classes, "(alearn:cannot-tell)"))
    choices = list(ElementTree.fromstring(config).iter("Choice"))
    assert [choice.get("hotkey") for choice in choices] == [*"1234567", "x"]
    assert choices[-1].get("value") == "(cannot tell)"
    assert cannot_tell(classes) == "(alearn:cannot-tell)"
    assert cannot_tell(["cat"]) == "alearn:cannot-tell"


@pytest.mark.parametrize(
    ("classes", "keys"),
    [
        ("0123456789", [*"0123456789", "x"]),
        ("xyz", [*"xyz", "-"]),
        (["Cat", *"abcdefghijk"], [*"123456789", None, None, None, "x"]),
    ],
)
def test_classes_have_keys(classes, keys):
    config = labeling_config(list(classes))
    assert [choice.get("hotkey") for choice in ElementTree.fromstring(config).iter("Choice")] == keys


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "\x1b[0m"])
def test_a_class_that_xml_cannot_hold_is_refused(name):
    with pytest.raises(AlearnError, match="cannot be a choice in Label Studio; rename it"):
        labeling_config(["cat", name])


@pytest.mark.parametrize(
    "config",
    [
        "",
        "<View>",
        "<View></View>",
        '<View><Image name="a" value="$a"/></View>',
        '<View><Image name="a" value="$a"/><Choices name="b" toName="c"><Choice value="d"/></Choices></View>',
        '<View><Image name="a" value="a.png"/><Choices name="b" toName="a"><Choice value="d"/></Choices></View>',
    ],
)
def test_a_config_for_something_else_has_no_layout(config):
    assert layout(config) is None
    with pytest.raises(ValueError, match="cannot grow"):
        grown(config, ["cat"])


def test_a_config_grows_and_stays_the_team_s():
    config = (
        '<View><Style>b{}</Style><Image name="i" value="$u" zoom="true"/><Choices name="k" toName="i">'
        '<Choice value="Cat!" alias="cat"/><Choice value="none" alias="alearn:cannot-tell"/></Choices></View>'
    )
    assert layout(config) == Layout("i", "k", "u", ("cat", "alearn:cannot-tell"))
    assert grown(config, ["cat"]) is None
    new = grown(config, ["cat", "dog", "eel"])
    assert layout(new).choices == ("cat", "dog", "eel", "alearn:cannot-tell")
    assert all(word in new for word in ("<Style>b{}</Style>", 'zoom="true"', "Cat!"))


def test_a_task_has_a_picture_labels_and_guesses():
    made = task(
        "img/1.png",
        data_uri(b"\x89PNG", "image/png"),
        [annotation("cat"), annotation(None)],
        [prediction("dog", 0.25, "v1"), prediction("dog", None, "v2")],
        {"asked": "query, round 3"},
    )

    def result(name):
        return [{"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [name]}}]

    assert made == {
        "data": {"image": "data:image/png;base64,iVBORw==", "item": "img/1.png", "asked": "query, round 3"},
        "annotations": [
            {"result": result("cat"), "was_cancelled": False},
            {"result": [], "was_cancelled": True},
        ],
        "predictions": [
            {"result": result("dog"), "model_version": "v1", "score": 0.25},
            {"result": result("dog"), "model_version": "v2"},
        ],
    }
    named = task("1", "s3://b/1", [annotation("cat", Layout("i", "k"))], layout=Layout("i", "k", "u"))
    assert named["data"]["u"] == "s3://b/1"
    assert (named["annotations"][0]["result"][0]["from_name"], named["predictions"]) == ("k", [])


def test_what_is_written_is_read_again():
    text = json.dumps([task("1", "data:,", [annotation("cat"), annotation(None)], data={"asked": "first, round 0"})])
    found = exported("f.json", text.encode())
    assert [(one.item, one.asked, one.choices, one.skipped) for one in found] == [
        ("1", "first, round 0", ("cat",), False),
        ("1", "first, round 0", (), True),
    ]


def read(name, text):
    return [(one.item, one.choices, one.skipped, one.who, one.where) for one in exported(name, text.encode())]


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
    assert read("f.json", JSON_MIN.replace('"cat"', '{"choices":["cat","dog"]}'))[1][1] == ("cat", "dog")


def test_a_long_picture_is_a_cell_and_the_limit_of_csv_stays_as_it_was():
    before = csv.field_size_limit()
    assert len(read("f.csv", CSV.replace("data:,", "data:" + "A" * 300_000))) == 2
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("f.json", "", "f.json: is not JSON as Label Studio exports it (Expecting value"),
        ("f.json", "[" * 100_000, "it is nested too deeply"),
        ("f.json", "[" + "1" * 5000 + "]", "is not JSON as Label Studio exports it (Exceeds the limit"),
        ("f.json", '{"id": 1}', "the file is an object, not a list of objects"),
        ("f.json", "[1, 2]", "the file is a list of 2, not a list of objects"),
        ("f.json", '[{"data": 3}]', "f.json, task at place 1: data is 3, not an object"),
        ("f.json", JSON.replace('"annotations":[{', '"annotations":7,"was":[{'), "f.json, task 1: annotations is 7"),
        ("f.json", JSON.replace('"result":[\n{', '"result":"x","was":[{'), "f.json, task 1: result is 'x'"),
        ("f.json", JSON.replace('["cat"]', "[1]"), "f.json, task 1: value.choices is a list of 1, not a list of names"),
        ("f.json", JSON.replace('{"choices":["cat"]}', "0"), "f.json, task 1: value.choices is None"),
        ("f.json", JSON_MIN.replace('"cat"', "[[1]]"), "f.json, task 1: label is a list of 1, not a name"),
        ("f.json", JSON_MIN.replace('"cat"', "1" * 100), "task 1: label is 1111"),
        ("f.csv", CSV.replace("label", "kind"), "f.csv: has no column label; there are annotation_id, annotator, "),
        (
            "f.csv",
            CSV + "1,2\n",
            "f.csv: line 4: must have 11 fields, has 2; give Label Studio's CSV export, unchanged",
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


def test_what_is_no_text_is_said():
    with pytest.raises(AlearnError, match=r"f.json: is not UTF-8 .* at byte 1"):
        exported("f.json", b"[\xff]")


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
    assert who(value) == name
