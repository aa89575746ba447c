"""Every class gets the name of a folder that every system accepts."""

import unicodedata

import pytest

from alearn.export.class_folders import LONGEST, folders, safe

HOSTILE = [
    "cat", "Cat", "CAT", "", " ", ".", "..", "...", "../up", "a/b", "a\\b", "a_b", "a:b", "a?b", "a*b", "a|b", 'a"b',
    "<a>", "CON", "con", "nul.txt", "COM1", "lpt9.tar.gz", "com¹", "CONIN$", "aux ", "dot.", "space ", " space",
    ".hidden", "\x00", "a\nb", "a\x7fb", "x" * 300, "x" * 301, "ü" * 200, "é", "e\u0301", "Straße", "STRASSE",
    "classes.csv", "日本", "~", "cat~2", "\ud800",
]  # fmt: skip


def test_hostile_names_become_safe_and_stay_apart():
    names = folders(HOSTILE, taken=("classes.csv",))
    assert set(names) == set(HOSTILE)
    keys = {unicodedata.normalize("NFD", name).casefold() for name in names.values()}
    assert len(keys) == len(HOSTILE), "also where upper and lower case are one, and é is written in two ways"
    assert "classes.csv" not in keys
    for name in names.values():
        assert 0 < len(name.encode()) <= LONGEST
        assert not set(name) & set('<>:"/\\|?*')
        assert name.isprintable()
        assert name[0] not in ". "
        assert name[-1] not in ". "
        assert name.split(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "COM¹", "CONIN$"}
        assert safe(name) == name, "safe already"


def test_names_that_are_safe_stay_as_they_are():
    names = ["7", "red fox", "Überraschung", "a_b", "日本", "v1.2"]
    assert folders(names) == {name: name for name in names}
    assert folders(["a/b", "a_b"]) == {"a_b": "a_b", "a/b": "a_b~2"}


@pytest.mark.parametrize(("name", "folder"), [("con", "_con"), ("..", "__"), ("a/b", "a_b"), ("", "_"), ("x.", "x_")])
def test_they_look_like_the_class(name, folder):
    assert safe(name) == folder
