import pytest

from alearn.audit.seeds import check_seed
from alearn.errors import AlearnError


@pytest.mark.parametrize("seed", ["7", "2025_11", "noon, 1 May", "wait", "Ünï 5", "-"])
def test_a_text_that_can_be_read_is_a_seed(seed):
    check_seed(seed, "--seed")


@pytest.mark.parametrize("seed", ["", " ", "\t", "a\nb", "a\0", "\x7f", "\udc80"])
def test_what_nobody_can_read_is_none(seed):
    with pytest.raises(AlearnError, match=r"^--seed"):
        check_seed(seed, "--seed")
