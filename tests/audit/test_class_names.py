import pytest

from alearn.audit.class_names import counted, one_spelling, twins
from alearn.errors import AlearnError


def test_a_class_is_written_in_one_way():
    spelled: dict[str, str] = {}
    assert one_spelling("line 2: label", "caf\u00e9 ", spelled) == "caf\u00e9"
    assert one_spelling("line 3: label", "caf\u00e9 ", spelled) == "caf\u00e9"
    assert one_spelling("line 3: label", "cafe", spelled) == "cafe"
    message = r"^line 4: label='cafe\\u0301 ': differs from the class 'caf\\xe9 ' only in blanks"
    with pytest.raises(AlearnError, match=message):
        one_spelling("line 4: label", "cafe\u0301 ", spelled)


def test_classes_are_listed_with_the_rarest_last():
    assert counted(["dog", "cat", "", "cat", "Cat"]) == "3 classes: cat (2), Cat (1), dog (1); without a label: 1"


def test_twins_are_named_together():
    (warning,) = twins(["cat", "dog", "Cat", "c at", "dogs"])
    assert warning.startswith("the classes 'Cat', 'c at', 'cat' differ only in case, width or blanks.")
