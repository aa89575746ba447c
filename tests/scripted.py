"""A trial whose model follows a script, so that its labels are the same on every machine: no weights, no rounding."""

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
    """What the scripted model of a round says of every image: surer every round, wrong for one image in twenty."""
    random = np.random.default_rng(number)
    p_max = 1 - 10 ** -random.uniform(0.2, 1.5 + number, TOTAL)
    guess = np.where(random.random(TOTAL) < 0.05, (TRUTH + 1) % CLASSES, TRUTH)
    return guess, p_max


def script(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int], list[int], list[bool]]]:
    """Let training give no model, and scoring say what the script says. Return a list of what each training was given:
    round, images, labels, which of them are a human's.
    """
    trainings: list[tuple[int, list[int], list[int], list[bool]]] = []
    known = [CLASSES]

    def fit(train, network, images, labeled, classes, *, runtime, seed, round, on_progress):  # noqa: A002
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
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(TRUTH)
        self.asked: list[tuple[Source, list[int]]] = []

    def label(self, index, purpose, again=False):
        self.asked.append((purpose, index.tolist()))
        return super().label(index, purpose)


class Hasty(Truth):
    """Errs at the first answer of an audit to every third image."""

    def label(self, index, purpose, again=False):
        answer = super().label(index, purpose)
        if purpose is Source.AUDIT:
            answer = np.where(~np.array(again) & (index % 3 == 0), (answer + 1) % CLASSES, answer)
        return answer


class Channel:
    """People who answer at once: they name the classes as they meet them, and of every 17th image they cannot tell."""

    where = link = "nowhere"

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, batch, report):
        for i in batch.index.tolist():
            label = CANNOT_TELL if i % 17 == 0 else self._store.add_class(KINDS[TRUTH[i]])
            self._store.answer(i, label, batch.purpose, batch.round, "Ann", batch.again)

    def close(self):
        pass


def made(config: Config, oracle: Any = None, ledger: Ledger | None = None, names: Names = NAMES) -> loop.Trial:
    """A trial of the scripted images."""
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
    """Run a trial; return its ledger and what it committed."""
    journal = MemoryJournal()
    done = loop.label(made(config, oracle, ledger), journal)
    return done, journal.entries


def run_people(config: Config, folder: Path) -> tuple[Ledger, Names]:
    """Run a trial that asks people, whose answers go through the store in a folder."""
    names, ledger = Names(NAMES.ids, []), Ledger.empty(TOTAL)
    with Store(folder / "answers.db", names.ids, names.classes) as store:
        oracle = People(store, Channel(store), ledger, lambda done, total: None)
        loop.label(made(config, oracle, ledger, names), MemoryJournal())
    return ledger, names
