"""oracle=noisy: a simulated human who sometimes errs."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from alearn import rng
from alearn.config.oracle_config import Oracle
from alearn.ledger import Source
from alearn.oracle.context import Context
from alearn.registry import register_oracle
from alearn.values import Array


class NoisyOracle(Oracle):
    """The true labels answer for the human, with mistakes."""

    name: Literal["noisy"] = "noisy"
    error: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Probability that an answer is one of the other classes."""


class Noisy:
    """An oracle that answers with one of the other classes with probability `error`, and else with the true class.

    An answer depends only on the image and on whether it is the second question, not on the order of the questions. So
    a resumed trial gets the same answers.
    """

    def __init__(self, truth: Array, classes: int, error: float, seed: int) -> None:
        self._answers = [_answers(truth, classes, error, rng.generator(seed, again, "noisy")) for again in (0, 1)]

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Return the answers for the images `index`, int64 [n]. They do not depend on the purpose."""
        return self._answers[again][index]


@register_oracle("noisy", NoisyOracle, simulated=True)
def noisy(config: NoisyOracle, context: Context) -> Noisy:
    """Build the oracle."""
    return Noisy(context.truth, len(context.images.classes), config.error, context.seed)


def _answers(truth: Array, classes: int, error: float, generator: np.random.Generator) -> Array:
    slip = generator.random(len(truth)) < error
    other = (truth + generator.integers(1, classes, len(truth))) % classes
    answers: Array = np.where(slip, other, truth)
    return answers
