"""The loop against a second implementation of the seven steps, written with lists, and with scripted models."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from alearn import trial
from alearn.errors import AlearnError
from alearn.events import Fitted, RoundDone, RoundStarted, Scores, TrialDone
from alearn.learn.device import Runtime
from alearn.ledger import Ledger, Source
from alearn.oracle.truth import Truth

TOTAL, CLASSES = 1000, 4
TRUTH = np.random.default_rng(1).integers(CLASSES, size=TOTAL)
CPU = Runtime(torch.device("cpu"), bf16=False)


def probabilities(number: int) -> tuple[np.ndarray, np.ndarray]:
    """What the scripted model of a round says of every image: surer every round, wrong for one image in twenty."""
    random = np.random.default_rng(number)
    p_max = 1 - 10 ** -random.uniform(0.2, 1.5 + number, TOTAL)
    guess = np.where(random.random(TOTAL) < 0.05, (TRUTH + 1) % CLASSES, TRUTH)
    return guess, p_max


class Person(Truth):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(TRUTH)
        self.asked: list[tuple[Source, list[int]]] = []

    def label(self, index, purpose):
        self.asked.append((purpose, index.tolist()))
        return super().label(index, purpose)


@pytest.fixture
def scripted(monkeypatch):
    """Training gives no model; scoring says what the script says. Returns what each training was given."""
    trainings = []

    def fit(config, runtime, images, index, label, hand, classes, number) -> Iterator:
        trainings.append((number, index.tolist(), label.tolist(), hand.tolist()))
        return Fitted(torch.nn.Identity(), 1, 1, len(index), 0.1, None, ())
        yield

    def score(runtime, model, images, index) -> Iterator:
        guess, p_max = probabilities(trainings[-1][0])
        return Scores(index, guess[index], np.log1p(-p_max[index]).astype(np.float32), p_max[index])
        yield

    monkeypatch.setattr(trial, "fit", fit)
    monkeypatch.setattr(trial, "score", score)
    return trainings


def run(config, person=None, ledger=None) -> tuple[Ledger, list]:
    ledger = ledger or Ledger.empty(TOTAL)
    images = torch.zeros(TOTAL, 1, 1, 1, dtype=torch.uint8)
    return ledger, list(trial.label(config, CPU, images, CLASSES, person or Person(), ledger))


def seven_steps(init: float, threshold: float, hand: float, stop: float, finish: str):
    """The published program's algorithm, image by image."""
    labels = {i: (int(TRUTH[i]), "first", 0) for i in range(round(init * TOTAL))}
    rounds, trainings = 0, []
    while TOTAL - len(labels) >= stop * TOTAL and len(labels) < TOTAL:
        rounds += 1
        trainings.append(list(labels))
        guess, p_max = probabilities(rounds)
        pool = [i for i in range(TOTAL) if i not in labels]
        asked = sorted(pool, key=lambda i: p_max[i])[: round(hand * TOTAL)]
        for i in asked:
            labels[i] = (int(TRUTH[i]), "query", rounds)
        for i in pool:
            if i not in labels and p_max[i] > threshold:
                labels[i] = (int(guess[i]), "auto", rounds)
    for i in range(TOTAL):
        if i not in labels:
            labels[i] = (int(TRUTH[i]), "rest", rounds) if finish == "hand" else (int(guess[i]), "auto", rounds)
    return labels, trainings


@pytest.mark.parametrize("finish", ["hand", "auto"])
@pytest.mark.parametrize(("init", "threshold", "hand"), [(0.01, 0.99, 0.01), (0.05, 0.9999, 0.03), (0.02, 0.9, 0.001)])
def test_it_is_the_published_algorithm(config, scripted, init, threshold, hand, finish):
    settings = config(
        f"policy.init_fraction={init}", f"policy.threshold={threshold}", f"policy.hand_fraction={hand}",
        f"policy.finish={finish}", "policy.stop_fraction=0.02",
    )  # fmt: skip
    ledger, events = run(settings)
    expected, trainings = seven_steps(init, threshold, hand, 0.02, finish)
    found = {
        i: (int(ledger.label[i]), Source(ledger.source[i]).name.lower(), int(ledger.round[i])) for i in ledger.labeled
    }
    assert found == expected
    assert [index for _, index, _, _ in scripted] == trainings, "training sets, in the order of labeling"
    rounds = [event for event in events if isinstance(event, RoundDone)]
    assert [event.round for event in rounds] == list(range(1, len(trainings) + 1))
    assert isinstance(events[-1], TrialDone)
    assert [e.labeled for e in events if isinstance(e, RoundStarted)] == [len(t) for t in trainings]
    assert all(set(event.seconds) == {"fit", "score", "decide", "ask"} for event in rounds)


def test_the_human_is_asked_for_a_purpose_and_never_twice(config, scripted):
    person = Person()
    ledger, _ = run(config("policy.threshold=0.99"), person)
    purposes = [purpose for purpose, _ in person.asked]
    assert purposes == [Source.FIRST, *[Source.QUERY] * ledger.rounds, Source.REST]
    asked = [i for _, index in person.asked for i in index]
    assert len(asked) == len(set(asked)) == ledger.hand.sum()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_ledger_saved_after_any_round_leads_to_the_same_labels(config, scripted, after):
    settings = config("policy.threshold=0.99", "policy.finish=auto")
    whole, _ = run(settings)
    ledger = Ledger.empty(TOTAL)
    steps = trial.label(settings, CPU, torch.zeros(TOTAL, 1, 1, 1), CLASSES, Person(), ledger)
    for _ in range(after):
        while not isinstance(next(steps), RoundDone):
            pass
    again, _ = run(settings, ledger=Ledger(**{k: v.copy() for k, v in ledger.arrays().items()}))
    for name, column in whole.arrays().items():
        np.testing.assert_array_equal(column, again.arrays()[name])


def test_rounds_without_end_end_with_a_message_and_a_whole_ledger(config, scripted):
    ledger = Ledger.empty(TOTAL)
    with pytest.raises(AlearnError, match=r"policy\.max_rounds=3: .* 960 of 1000 images have no label.*resume"):
        run(config("trial=t1", "policy.threshold=1", "policy.max_rounds=3"), ledger=ledger)
    assert ledger.rounds == 3
    assert ledger.count(Source.FIRST, Source.QUERY) == 40


def test_everything_by_hand_needs_no_model(config, scripted):
    for finish in ("hand", "auto"):
        ledger, _ = run(config("policy.init_fraction=0.995", f"policy.finish={finish}"))
        assert ledger.hand.all()
        assert not scripted


def test_shares_that_hold_no_image_are_refused_before_anybody_is_asked(config, scripted):
    person = Person()
    with pytest.raises(AlearnError, match=r"policy\.hand_fraction=0\.0001"):
        run(config("policy.hand_fraction=0.0001"), person)
    assert not person.asked
