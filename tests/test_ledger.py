import numpy as np
import pytest

from alearn.events import Scores
from alearn.ledger import Ledger, Source


def filled() -> Ledger:
    ledger = Ledger.empty(6)
    ledger.write(np.array([4, 1]), np.array([0, 2]), Source.FIRST, 0)
    ledger.write(np.array([5]), np.array([1]), Source.QUERY, 1)
    ledger.write(np.array([0, 3]), np.array([1, 1]), Source.AUTO, 1)
    return ledger


def test_it_knows_who_labeled_what_and_in_which_order():
    ledger = filled()
    assert ledger.labeled.tolist() == [4, 1, 5, 0, 3]
    assert ledger.unlabeled.tolist() == [2]
    assert ledger.hand.tolist() == [False, True, False, False, True, True]
    assert ledger.auto.tolist() == [True, False, False, True, False, False]
    assert ledger.round.tolist() == [1, 0, -1, 1, 0, 1]
    assert (ledger.count(Source.FIRST), ledger.count(Source.FIRST, Source.QUERY), ledger.rounds) == (2, 3, 1)


def test_an_empty_one_has_no_rounds():
    ledger = Ledger.empty(3)
    assert (ledger.rounds, len(ledger.labeled), ledger.unlabeled.tolist()) == (0, 0, [0, 1, 2])


@pytest.mark.parametrize(
    ("index", "label", "message"),
    [
        ([2, 4], [0, 0], "labeled already"),
        ([2, 2], [0, 0], "distinct"),
        ([2], [-1], "not a class"),
        ([2], [0, 1], "labels"),
    ],
)
def test_a_label_is_never_overwritten_doubled_or_missing(index, label, message):
    ledger = filled()
    with pytest.raises(ValueError, match=message):
        ledger.write(np.array(index), np.array(label), Source.AUTO, 2)
    assert ledger.label.tolist() == filled().label.tolist()


def test_notes_touch_scored_images_only_and_arrays_are_the_way_back():
    ledger = filled()
    ledger.note(Scores(np.array([2]), np.array([1]), np.array([-3.5], np.float32), np.array([0.1], np.float32)))
    assert ledger.guess.tolist() == [-1, -1, 1, -1, -1, -1]
    assert np.flatnonzero(~np.isnan(ledger.doubt)).tolist() == [2]
    again = Ledger(**{name: array.copy() for name, array in ledger.arrays().items()})
    assert again.labeled.tolist() == ledger.labeled.tolist()
