import pytest

from alearn.decide.stop import remainder_below


@pytest.mark.parametrize(
    ("unlabeled", "total", "share", "over"),
    [
        (600, 60_000, 0.01, False),
        (599, 60_000, 0.01, True),
        (699, 60_000, 0.01, False),
        (0, 10, 0.01, True),
        (1, 10, 0.01, False),
    ],
)
def test_less_than_the_share_is_the_end(unlabeled, total, share, over):
    assert remainder_below(unlabeled, total, share) is over
