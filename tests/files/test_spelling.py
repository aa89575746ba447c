import pytest

from alearn.files.spelling import blurred, tidy


def test_a_tidy_name_has_composed_accents_and_no_blanks_at_its_ends():
    assert tidy(" cafe\u0301 au lait\u00a0") == "caf\u00e9 au lait"


@pytest.mark.parametrize("other", ["Cat", "CAT ", "c at", "\uff43\uff41\uff54", "ca\u200bt", "\u00a0cat"])
def test_names_that_people_take_for_one_are_equal_when_blurred(other):
    assert blurred(other) == blurred("cat")


@pytest.mark.parametrize("other", ["cats", "\u0441at", "cat-", "kat"])
def test_other_names_are_not(other):
    assert blurred(other) != blurred("cat")
