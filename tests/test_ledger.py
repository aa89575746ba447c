import numpy as np
import pytest
import torch

from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.values import Scores


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
        ([2], [-2], "not a class"),
        ([2], [0, 1], "labels"),
    ],
)
def test_a_label_is_never_overwritten_doubled_or_missing(index, label, message):
    ledger = filled()
    with pytest.raises(ValueError, match=message):
        ledger.write(np.array(index), np.array(label), Source.AUTO, 2)
    assert ledger.label.tolist() == filled().label.tolist()


def noted(ledger: Ledger, probs=None) -> Ledger:
    scores = Scores(
        np.array([2]), np.array([1]), np.array([-3.5], np.float32), np.array([0.1], np.float32), probs=probs
    )
    ledger.note(scores, 4)
    return ledger


def test_notes_touch_scored_images_only_and_arrays_are_the_way_back():
    ledger = noted(filled())
    assert ledger.guess.tolist() == [-1, -1, 1, -1, -1, -1]
    assert ledger.scored.tolist() == [-1, -1, 4, -1, -1, -1]
    assert ledger.rounds == 4
    assert np.flatnonzero(~np.isnan(ledger.doubt)).tolist() == [2]
    assert "probs" not in ledger.arrays()
    again = Ledger(**{name: array.copy() for name, array in ledger.arrays().items()})
    assert again.labeled.tolist() == ledger.labeled.tolist()


def test_probabilities_are_kept_where_they_are_given():
    ledger = noted(filled(), torch.tensor([[0.2, 0.7, 0.1]]))
    assert np.flatnonzero(~np.isnan(ledger.probs[:, 0])).tolist() == [2]
    np.testing.assert_allclose(ledger.arrays()["probs"][2], [0.2, 0.7, 0.1], rtol=1e-6)


def test_an_auto_label_can_be_taken_back_and_a_humans_cannot():
    ledger = filled()
    auto, hand = np.flatnonzero(ledger.auto), np.flatnonzero(ledger.hand)
    with pytest.raises(ValueError, match="not auto labeled"):
        ledger.take_back(np.concatenate([auto, hand]))
    assert ledger.label.tolist() == filled().label.tolist()
    ledger.take_back(auto)
    assert set(auto) <= set(ledger.unlabeled)
    assert (ledger.label[auto] == -1).all()
    ledger.write(auto, np.zeros(len(auto), np.int64), Source.AUTO, 3)
    assert ledger.labeled.tolist()[-len(auto) :] == auto.tolist()


def test_an_image_of_which_a_human_cannot_tell_is_set_aside():
    ledger = filled()
    ledger.write(np.array([2]), np.array([CANNOT_TELL]), Source.QUERY, 2)
    assert ledger.aside.tolist() == [False, False, True, False, False, False]
    assert ledger.hand[2]
    assert len(ledger.unlabeled) == 0
    assert ledger.labeled.tolist() == [4, 1, 5, 0, 3], "there is nothing to learn from it"
    assert ledger.paid == 4
    with pytest.raises(ValueError, match="not a class"):
        Ledger.empty(3).write(np.array([1]), np.array([CANNOT_TELL]), Source.AUTO, 1)


def test_labels_that_were_there_cost_nothing():
    ledger = filled()
    ledger.write(np.array([2]), np.array([1]), Source.GIVEN, 0)
    assert (int(ledger.hand.sum()), ledger.paid) == (4, 3)


def test_probabilities_of_classes_that_came_later_are_remembered():
    ledger = Ledger.empty(3)
    few, more = torch.tensor([[0.4, 0.6], [0.9, 0.1]]), torch.tensor([[0.2, 0.3, 0.5]])
    for index, probs, number in (([0, 2], few, 1), ([2], more, 2)):
        n = len(index)
        note = Scores(np.array(index), np.zeros(n, int), np.zeros(n, np.float32), np.zeros(n), probs=probs)
        ledger.note(note, number)
    np.testing.assert_allclose(ledger.probs[[0, 2]], [[0.4, 0.6, 0], [0.2, 0.3, 0.5]], rtol=1e-6)
