"""The loop with people, who add classes, cannot tell some images, and have labeled some images before."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from alearn import loop
from alearn.audit import certificate_file
from alearn.audit.protocol import Names, terms
from alearn.files.labels_csv import to_csv
from alearn.journal import Finished, MemoryJournal, Progress, Round, RoundStarted
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.trial import measure
from tests.conftest import compose, shapes, trial

pytestmark = pytest.mark.slow

IMAGES = shapes(400)
SETTINGS = (
    "policy=own", "train=frugal", "model=small_cnn", "model.width=4", "train.steps=30", "train.batch=32",
    "train.augment=none", "data=mnist", "precision=fp32", "policy.stop_yield=null", "policy.memory_from=1",
    "policy.auto.rule=none",
)  # fmt: skip


class Annotator:
    """An oracle that knows the truth. It adds each class when it first sees it, and cannot tell every seventh image."""

    def __init__(self, classes: list[str], seventh: bool = True) -> None:
        self.classes, self.asked, self._seventh = classes, [], seventh

    def label(self, index, purpose, again=False):
        self.asked += [(int(i), purpose) for i in index]
        return np.array([self._answer(int(i)) for i in index], np.int64)

    def _answer(self, i):
        if self._seventh and i % 7 == 0:
            return CANNOT_TELL
        name = IMAGES.classes[IMAGES.truth[i]]
        if name not in self.classes:
            self.classes.append(name)
        return self.classes.index(name)


class StopError(Exception):
    """An exception that stands in for the end of the process."""


class StopAfter(MemoryJournal):
    """A journal that ends the trial after a round. It records progress."""

    def __init__(self, number: int | None) -> None:
        self.steps: list[Progress] = []
        super().__init__(self.steps.append)
        self.number = number

    def commit(self, entry):
        super().commit(entry)
        if isinstance(entry, Round) and entry.number == self.number:
            raise StopError


def run(config, classes, ledger=None, annotator=None, stop=None):
    ledger = Ledger.empty(400) if ledger is None else ledger
    journal = StopAfter(stop)
    with nullcontext() if stop is None else pytest.raises(StopError):
        names = Names(IMAGES.ids, classes)
        loop.label(trial(config, IMAGES, annotator or Annotator(classes), ledger, names), journal)
    return ledger, journal


def wrong(ledger, classes):
    names = np.array([IMAGES.classes[k] for k in IMAGES.truth])
    return int((np.array(classes)[ledger.label[~ledger.aside]] != names[~ledger.aside]).sum())


def test_classes_are_added_while_it_runs_and_images_set_aside():
    classes: list[str] = []
    ledger, journal = run(compose(*SETTINGS), classes)
    assert sorted(classes) == ["a", "b", "c"]
    assert isinstance(journal.entries[-1], Finished)
    assert not len(ledger.unlabeled)
    asked = np.flatnonzero(ledger.hand)
    assert ledger.aside.tolist() == [i % 7 == 0 and i in asked for i in range(400)]
    assert len(asked) == ledger.paid == 20 + 4 * 20
    assert wrong(ledger, classes) <= 4, "it learned"
    metrics = measure.labels(ledger, None, None)
    assert (metrics["hand"], metrics["aside"], metrics["wrong_auto"]) == (100, int(ledger.aside.sum()), None)
    assert 0 <= metrics["estimated_mislabeled_auto"] < 0.1
    lines = to_csv(ledger, IMAGES.ids, classes).splitlines()[1:]
    aside = [line for line in lines if line.split(",")[2] == ""]
    assert len(aside) == metrics["aside"]
    assert all(line.split(",")[3] == "hand" and line.split(",")[6] == "" for line in aside)


def test_a_trial_that_knows_all_classes_from_its_start_again_is_the_same():
    """After a resume, the store already knows the classes that were added later."""
    config, classes = compose(*SETTINGS), []
    whole, _ = run(config, classes)
    half, journal = run(config, one := [], stop=2)
    weights = journal.entries[-1].fitted.model.state_dict()
    for known, ledger, start in ((one, half, weights), (list(classes), Ledger.empty(400), None)):
        annotator = Annotator(known)
        names = Names(IMAGES.ids, [])  # created before the store was read
        object.__setattr__(names, "classes", known)
        again = replace(trial(config, IMAGES, annotator, ledger, names), start=start)
        loop.label(again, MemoryJournal())
        for name, column in whole.arrays().items():
            np.testing.assert_array_equal(column, ledger.arrays()[name])


def test_more_first_images_are_asked_about_until_there_are_two_classes():
    order = np.argsort(IMAGES.truth, kind="stable")
    images, classes, asked = IMAGES.subset(order), [], []

    class Sorted:
        def label(self, index, purpose, again=False):
            asked.append((len(index), purpose))
            found = [images.classes[images.truth[i]] for i in index]
            classes.extend(name for name in dict.fromkeys(found) if name not in classes)
            return np.array([classes.index(name) for name in found])

    config = compose(*SETTINGS, "policy.init=first", "policy.init_count=20")
    loop.ask_first(trial(config, images, Sorted(), names=Names(images.ids, classes)))
    first = int((IMAGES.truth == 0).sum())
    assert asked[0] == (20, Source.FIRST)
    assert {size for size, _ in asked[1:]} == {10}
    assert sum(size for size, _ in asked) in range(first + 1, first + 11)


@pytest.mark.parametrize(("given", "first"), [(12, 8), (60, 0)])
def test_labels_that_are_there_already_are_used_and_cost_nothing(given, first):
    ledger, classes = Ledger.empty(400), list(IMAGES.classes)
    known = np.arange(100, 100 + given)
    ledger.write(known, IMAGES.truth[known], Source.GIVEN, round=0)
    annotator = Annotator(classes, seventh=False)
    ledger, journal = run(compose(*SETTINGS, "policy.hand_budget=60"), classes, ledger, annotator)
    assert not {i for i, _ in annotator.asked} & set(known.tolist())
    assert sum(purpose is Source.FIRST for _, purpose in annotator.asked) == first
    assert ledger.paid == len(annotator.asked) == 60
    assert ledger.count(Source.GIVEN) == given
    started = next(step for step in journal.steps if isinstance(step, RoundStarted))
    assert started.labeled == 20 if given == 12 else 60
    metrics = measure.labels(ledger, IMAGES.truth, None)
    assert (metrics["hand"], metrics["given"]) == (60, given)
    assert metrics["hand"] + metrics["given"] + metrics["auto"] == 400


def test_an_audit_takes_what_nobody_can_tell_for_an_error_and_gives_it_no_label(tmp_path):
    classes: list[str] = []
    config = compose(
        *SETTINGS,
        "policy.finish=audit",
        "policy.audit.target_error=0.2",
        "policy.audit.answers=2",
        "policy.audit.seed=1",
    )
    ledger, _ = run(config, classes)
    checked = ledger.audit.item[np.isin(ledger.audit.item, np.flatnonzero(ledger.source == Source.AUDIT))]
    aside = [i for i in checked.tolist() if i % 7 == 0]
    assert aside
    assert (ledger.label[aside] == CANNOT_TELL).all()
    asked, names = terms(config.policy), Names(IMAGES.ids, classes)
    made = certificate_file.build(ledger, asked, names)
    assert sum(group["errors"] for group in made["groups"]) >= len(aside)
    assert made["aside"] == int(ledger.aside.sum())
    assert f"{made['aside']} images have no label, for the human could not tell" in made["statement"]
    lines = certificate_file.answers_csv(ledger, asked, names).splitlines()
    for i in aside:
        assert any(
            line.startswith(f"{IMAGES.ids[i]},") and line.endswith("(cannot tell),(cannot tell)") for line in lines
        )
