from types import SimpleNamespace

import numpy as np
import pytest

from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Source
from alearn.oracle import ask

INDEX = np.array([7, 3])


def returning(answers):
    return SimpleNamespace(label=lambda index, purpose: answers)


@pytest.mark.parametrize("answers", [[0, 2], np.array([1, CANNOT_TELL], np.int8), (0, 0)])
def test_whatever_holds_classes_is_taken(answers):
    labels = ask(returning(answers), "abc", INDEX, Source.QUERY)
    assert labels.dtype == np.int64
    assert labels.tolist() == list(answers)


def test_nothing_is_an_answer_to_no_question():
    assert ask(returning([]), "abc", INDEX[:0], Source.QUERY).tolist() == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([0], r"SimpleNamespace\.label: must return the numbers of 2 classes, int64 \(2,\), and returned int64 \(1,\)"),
        (["a", "b"], r"must return the numbers of 2 classes, .* and returned <U1 \(2,\)"),
        ([0.0, 1.0], r"and returned float64 \(2,\)"),
        (None, r"and returned object \(\)"),
        ([0, 3], r"returned 3; must be a class, 0 to 2, or -1 where it cannot tell"),
        ([-2, 0], r"returned -2; must be a class"),
    ],
)
def test_an_oracle_that_returns_anything_else_is_named(answers, message):
    with pytest.raises(AlearnError, match=message):
        ask(returning(answers), "abc", INDEX, Source.QUERY)


def test_only_an_oracle_that_is_asked_twice_needs_to_know_that():
    with pytest.raises(TypeError):
        ask(returning([0, 0]), "abc", INDEX, Source.AUDIT, again=True)
    twice = SimpleNamespace(label=lambda index, purpose, again=False: np.full(len(index), int(again)))
    assert ask(twice, "abc", INDEX, Source.AUDIT, again=True).tolist() == [1, 1]
