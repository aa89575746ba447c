from xml.etree import ElementTree

import pytest

from alearn.errors import AlearnError
from alearn.oracle.labelstudio.labeling_config import Layout, cannot_tell, grown, labeling_config, layout


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
    with pytest.raises(ValueError, match="cannot add classes"):
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
