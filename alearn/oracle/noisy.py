"""A human who errs now and then, simulated."""

import numpy as np

from alearn import rng
from alearn.ledger import Source
from alearn.values import Array


class Noisy:
    """Answers with the truth, but with probability `error` with one of the other classes instead.

    What is answered depends on the image and on whether it is asked again, never on the order of the questions: a
    resumed trial gets the same answers.
    """

    def __init__(self, truth: Array, classes: int, error: float, seed: int) -> None:
        self._answers = [_answers(truth, classes, error, rng.generator(seed, again, "noisy")) for again in (0, 1)]

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """The classes that this human takes them for, whatever the purpose."""
        return self._answers[again][index]


def _answers(truth: Array, classes: int, error: float, generator: np.random.Generator) -> Array:
    slip = generator.random(len(truth)) < error
    other = (truth + generator.integers(1, classes, len(truth))) % classes
    answers: Array = np.where(slip, other, truth)
    return answers
