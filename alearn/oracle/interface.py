"""What the loop asks of an oracle."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Source
from alearn.values import Array


class Oracle(Protocol):
    """Answers with labels, and may take its time.

    An audit that asks twice (policy.audit with answers=2) passes again=True the second time; an oracle that is not used
    that way needs no such argument.
    """

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Return the classes of the images `index` (int64 [n]) as int64 [n], CANNOT_TELL where there is none.

        purpose: what the labels are asked for. again: for the second time, of another person if there is one.
        """


@runtime_checkable
class Remembers(Protocol):
    """An oracle that keeps answers over restarts."""

    def answered(self, last: int) -> dict[int, int]:
        """Return what the rounds up to `last` asked for: the class, or CANNOT_TELL, by the image's index."""


def ask(oracle: Oracle, classes: Sequence[str], index: Array, purpose: Source, again: bool = False) -> Array:
    """Return the classes that an oracle gives the images `index`, int64 [n], CANNOT_TELL where there is none.

    classes: the names of the classes; the oracle may add some while it answers. Raises AlearnError if the oracle, which
    may be another package's, returns anything else.
    """
    answers = oracle.label(index, purpose, again=True) if again else oracle.label(index, purpose)
    labels = np.asarray(answers)
    if not len(index) and not labels.size:
        return np.zeros(0, np.int64)
    if labels.shape != index.shape or labels.dtype.kind not in "iu":
        raise AlearnError(
            f"{type(oracle).__name__}.label: must return the numbers of {len(index)} classes, int64 ({len(index)},), "
            f"and returned {labels.dtype} {labels.shape}"
        )
    strange = labels[(labels >= len(classes)) | ((labels < 0) & (labels != CANNOT_TELL))]
    if len(strange):
        raise AlearnError(
            f"{type(oracle).__name__}.label: returned {strange[0]}; must be a class, 0 to {len(classes) - 1}, or "
            f"{CANNOT_TELL} where it cannot tell"
        )
    return labels.astype(np.int64)
