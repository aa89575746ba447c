import numpy as np

from alearn.ledger import Source
from alearn.oracle.noisy import Noisy

TRUTH = np.arange(20_000) % 5


def test_it_errs_as_often_as_it_should_with_every_other_class():
    answer = Noisy(TRUTH, 5, 0.1, 0).label(np.arange(20_000), Source.QUERY)
    wrong = answer != TRUTH
    assert 0.09 < wrong.mean() < 0.11
    off = np.bincount((answer - TRUTH)[wrong] % 5, minlength=5)
    assert off[0] == 0
    assert off[1:].min() > 400


def test_an_answer_depends_on_the_image_alone_and_on_whether_it_is_the_second():
    human = Noisy(TRUTH, 5, 0.1, 0)
    every = human.label(np.arange(20_000), Source.QUERY)
    asked = np.array([77, 3, 19_999])
    assert human.label(asked, Source.AUDIT).tolist() == every[asked].tolist()
    again = human.label(np.arange(20_000), Source.AUDIT, again=True)
    both = (every != TRUTH) & (again != TRUTH)
    assert 0.005 < both.mean() < 0.015, "independent slips"
    assert (Noisy(TRUTH, 5, 0.1, 1).label(np.arange(20_000), Source.QUERY) != every).any(), "another seed"


def test_who_never_errs_tells_the_truth():
    assert (Noisy(TRUTH, 5, 0.0, 0).label(np.arange(20_000), Source.QUERY) == TRUTH).all()
