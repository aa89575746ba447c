import numpy as np
import pytest

from alearn.ledger import Ledger, Source
from alearn.trial import measure


def ledger() -> Ledger:
    book = Ledger.empty(10)
    book.write(np.array([0, 1]), np.array([0, 1]), Source.FIRST, 0)
    book.write(np.array([2]), np.array([2]), Source.QUERY, 1)
    book.write(np.array([3, 4]), np.array([0, 1]), Source.AUTO, 1)
    book.write(np.array([5, 6, 7]), np.array([2, 2, 0]), Source.AUTO, 2)
    return book


TRUTH = np.array([0, 1, 2, 0, 2, 2, 2, 1, 1, 1])  # 4 and 7 are auto labeled wrong


def test_counts_and_wrong_labels_in_all_and_in_a_round():
    book = ledger()
    book.guess[8:] = [1, 0]  # the last is a wrong guess
    found = measure.labels(book, TRUTH, 2)
    expected = {
        "hand": 3, "auto": 5, "unlabeled": 2, "hand_share": 0.3, "auto_share": 0.5, "unlabeled_share": 0.2,
        "first": 2, "query": 1, "rest": 0, "audit": 0, "given": 0, "aside": 0,
        "estimated_mislabeled_auto": None, "wrong_auto": 2, "wrong_hand": 0, "checked": 0, "wrong_checked": 0,
            "forecast_hand": None, "expected_wrong": None, "expected_hand": None,
            "mislabeled_auto": 0.4, "mislabeled_total": 0.2,
        "round": 2, "new_hand": 0, "new_auto": 3, "wrong_new_auto": 1, "mislabeled_new_auto": pytest.approx(1 / 3),
        "wrong_if_finished": 3, "mislabeled_if_finished": 0.3,
    }  # fmt: skip
    assert found == expected


def test_no_auto_labels_have_no_rate():
    book = Ledger.empty(10)
    book.write(np.array([0]), np.array([0]), Source.FIRST, 0)
    found = measure.labels(book, TRUTH, None)
    assert (found["wrong_auto"], found["mislabeled_auto"], found["mislabeled_total"]) == (0, None, 0)
    assert "round" not in found


def test_checks_are_counted_without_the_truth():
    book = ledger()
    book.check(np.array([8, 9]))
    book.guess[8:], book.doubt[8:] = [1, 0], -5
    book.write(np.array([8, 9]), np.array([1, 1]), Source.QUERY, 2)
    found = measure.labels(book, None, 2)
    assert (found["checked"], found["wrong_checked"], found["query"]) == (2, 1, 3)


def test_without_truth_counts_remain():
    found = measure.labels(ledger(), None, 1)
    assert found["auto"] == 5
    assert found["mislabeled_auto"] is found["wrong_new_auto"] is found["mislabeled_total"] is None


def test_what_became_of_the_images_of_each_class():
    found = measure.by_class(ledger(), TRUTH, ("a", "b", "c", "d"))
    assert found["per_class"] == {
        "a": {"images": 2, "hand": 1, "wrong": 0, "error": 0},
        "b": {"images": 4, "hand": 1, "wrong": 1, "error": 0.25},  # 7 is a b, called a
        "c": {"images": 4, "hand": 1, "wrong": 1, "error": 0.25},  # 4 is a c, called b
        "d": {"images": 0, "hand": 0, "wrong": 0, "error": None},
    }
    assert found["worst_class_error"] == 0.25
    assert found["mean_class_error"] == pytest.approx(0.5 / 3), "over the classes that have images"
    assert found["missing_classes"] == 1
    unknown = dict.fromkeys(("per_class", "worst_class_error", "mean_class_error"))
    assert measure.by_class(ledger(), None, ("a", "b", "c")) == unknown | {"missing_classes": 0}


def test_a_class_without_a_hand_label_is_named_with_what_to_do():
    book, names = Ledger.empty(20), tuple(f"c{k}" for k in range(14))
    book.write(np.array([3]), np.array([1]), Source.FIRST, 0)
    book.write(np.array([4]), np.array([0]), Source.AUTO, 1)  # a label of the model does not count
    assert measure.without_hand_label(book, 14).tolist() == [0, *range(2, 14)]
    assert measure.warning(book, names).startswith(
        "no hand label yet of classes c0, c2, c3, c4, c5, c6, c7, c8, c9, c10 and 3 more: the model cannot know them"
    )
    book.write(np.array([5]), np.array([0]), Source.QUERY, 2)
    text = measure.warning(book, ("cat", "dog", "a bird"))
    assert text.startswith("no hand label yet of class a bird: the model cannot know it, and gives its images other")
    assert "policy.init_count" in text
    assert "policy.init=random" in text
    assert measure.warning(book, ("cat", "dog")) == ""


def test_wrong_auto_labels_are_found_the_surest_first():
    book, truth = Ledger.empty(6), np.array([0, 1, 2, 0, 1, 2])
    book.write(np.array([0]), np.array([1]), Source.QUERY, 1)  # a human's mistake is not the model's
    book.write(np.array([1, 2, 3, 4]), np.array([1, 0, 2, 2]), Source.AUTO, 1)
    book.doubt[[1, 2, 3, 4]] = [-9.0, -3.0, -5.0, -4.0]
    assert measure.wrong(book, truth).tolist() == [3, 4, 2]
    assert measure.confusion(book, truth, 3).tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 0]]


def test_the_estimate_follows_the_answers_to_the_rounds_questions():
    """Try a model that is right as often as it says, and one that says 0.9 but is right only half of the time."""
    random = np.random.default_rng(0)
    for honest, low, high in ((True, 0.05, 0.15), (False, 0.35, 0.65)):
        book = Ledger.empty(2000)
        book.scored[:], book.guess[:], book.doubt[:] = 1, 0, np.log(0.1)
        answers = (random.random(1000) < (0.1 if honest else 0.5)).astype(np.int64)
        book.write(np.arange(1000), answers, Source.QUERY, 1)
        assert measure.estimated(book) is None, "there is no auto label"
        book.write(np.arange(1000, 2000), np.zeros(1000, np.int64), Source.AUTO, 1)
        assert low < measure.estimated(book) < high
