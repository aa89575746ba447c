"""A trial whose model follows a script instead of learning, so its labels are the same on every machine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alearn import loop
from alearn.audit.protocol import Names
from alearn.config import Config
from alearn.journal import Entry, MemoryJournal
from alearn.learn import pool_scores
from alearn.learn.device import Runtime
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.oracle.people import People
from alearn.oracle.store import Store
from alearn.oracle.truth import Truth
from alearn.values import Fitted, Scores

TOTAL, CLASSES = 1000, 4
TRUTH = np.random.default_rng(1).integers(CLASSES, size=TOTAL)
KINDS = [f"class {k}" for k in range(CLASSES)]
NAMES = Names(tuple(f"image {i}" for i in range(TOTAL)), KINDS)
CPU = Runtime(torch.device("cpu"), bf16=False)


def probabilities(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return guess and p_max of all images in a round. The model is surer every round and wrong for 1 image in 20."""
    random = np.random.default_rng(number)
    p_max = 1 - 10 ** -random.uniform(0.2, 1.5 + number, TOTAL)
    guess = np.where(random.random(TOTAL) < 0.05, (TRUTH + 1) % CLASSES, TRUTH)
    return guess, p_max


def script(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int], list[int], list[bool]]]:
    """Replace training by nothing and scoring by the script.

    Returns:
        A list that records each training: the round, the images, their labels, and whether a human gave each label.
    """
    trainings: list[tuple[int, list[int], list[int], list[bool]]] = []
    known = [CLASSES]

    def fit(train, network, images, labeled, classes, *, runtime, seed, round, on_progress, start):  # noqa: A002
        trainings.append((round, labeled.index.tolist(), labeled.label.tolist(), labeled.hand.tolist()))
        known[0] = max(classes, 2)
        return Fitted(torch.nn.Identity(), 1, 1, len(labeled), 0.1, None, ())

    def score(runtime, model, images, index, want, labeled, seed, on_progress):
        guess, p_max = (column[index] for column in probabilities(trainings[-1][0]))
        guess = guess % known[0]
        probs = np.repeat((1 - p_max[:, None]) / (known[0] - 1), known[0], axis=1)
        probs[np.arange(len(index)), guess] = p_max
        doubt, margin = np.log1p(-p_max).astype(np.float32), 2 * p_max - 1
        return Scores(index, guess, doubt, margin, probs=torch.from_numpy(probs).float() if "probs" in want else None)

    monkeypatch.setattr(loop, "fit", fit)
    monkeypatch.setattr(pool_scores, "score", score)
    return trainings


class Person(Truth):
    """An oracle that knows the truth and records what it was asked."""

    def __init__(self) -> None:
        super().__init__(TRUTH)
        self.asked: list[tuple[Source, list[int]]] = []

    def label(self, index, purpose, again=False):
        self.asked.append((purpose, index.tolist()))
        return super().label(index, purpose)


class Hasty(Truth):
    """An oracle whose first answer in an audit is wrong for every third image."""

    def label(self, index, purpose, again=False):
        answer = super().label(index, purpose)
        if purpose is Source.AUDIT:
            answer = np.where(~np.array(again) & (index % 3 == 0), (answer + 1) % CLASSES, answer)
        return answer


class Channel:
    """People who answer at once. They add each class when they first see it, and cannot tell every 17th image."""

    where = link = "nowhere"

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, batch, report):
        for i in batch.index.tolist():
            label = CANNOT_TELL if i % 17 == 0 else self._store.add_class(KINDS[TRUTH[i]])
            self._store.answer(i, label, batch.purpose, batch.round, "Ann", batch.again)

    def close(self):
        pass


def scripted_trial(
    config: Config, oracle: Any = None, ledger: Ledger | None = None, names: Names = NAMES
) -> loop.Trial:
    """Return a trial of the scripted images."""
    return loop.Trial(
        images=torch.zeros(len(names.ids), 1, 1, 1, dtype=torch.uint8),
        names=names,
        oracle=oracle or Person(),
        ledger=Ledger.empty(len(names.ids)) if ledger is None else ledger,
        policy=config.policy,
        train=config.train,
        network=lambda shape, classes: torch.nn.Identity(),
        runtime=CPU,
        seed=config.seed,
        distortion=config.data.augment,
    )


def run(config: Config, oracle: Any = None, ledger: Ledger | None = None) -> tuple[Ledger, list[Entry]]:
    """Run a trial. Return its ledger and the entries that it committed."""
    journal = MemoryJournal()
    labeled = loop.label(scripted_trial(config, oracle, ledger), journal)
    return labeled, journal.entries


def run_people(config: Config, folder: Path) -> tuple[Ledger, Names]:
    """Run a trial that asks people. Their answers go through the store in a folder. Return ledger and names."""
    names, ledger = Names(NAMES.ids, []), Ledger.empty(TOTAL)
    with Store(folder / "answers.db", names.ids, names.classes) as store:
        oracle = People(store, Channel(store), ledger, lambda done, total: None)
        loop.label(scripted_trial(config, oracle, ledger, names), MemoryJournal())
    return ledger, names
