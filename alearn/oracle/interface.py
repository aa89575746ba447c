"""The protocol that the loop expects of an oracle."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Source
from alearn.values import Array


class Oracle(Protocol):
    """Something that answers with labels. An answer may take hours.

    An audit that asks twice (policy.audit.answers=2) passes again=True the second time. An oracle that is never used
    with such an audit does not need this argument.
    """

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Label images.

        Args:
            index: the images, int64 [n].
            purpose: why the trial asks for the labels.
            again: whether this is the second question, which another person should answer if possible.

        Returns:
            The classes, int64 [n]; CANNOT_TELL for an image that cannot be labeled.
        """


@runtime_checkable
class Remembers(Protocol):
    """An oracle that keeps its answers across restarts."""

    def answered(self, last: int) -> dict[int, int]:
        """Return the answers to the first questions and to the queries of rounds up to `last`.

        Returns:
            The class, or CANNOT_TELL, by the index of the image.
        """


@runtime_checkable
class AsksAhead(Remembers, Protocol):
    """An oracle that can leave some queries open, so that people go on answering while the model learns.

    ahead: how many queries may be open then. 0 means that a round waits for all of its answers.
    """

    ahead: int

    def ask_ahead(self, index: Array, needed: int) -> dict[int, int]:
        """Ask the queries of a round, and return when `needed` of them have an answer. The others stay open.

        Queries that an earlier call left open give way to these, except for those that somebody sees. No more than
        len(index) are open or answered in all. So an empty index closes every query.

        Returns:
            The class, or CANNOT_TELL, by the index of the image, of these and of all earlier questions of rounds.
        """


@runtime_checkable
class KeepsDraw(Protocol):
    """An oracle that keeps the draw of an audit beside its answers, across restarts.

    Whoever knows the answers to a sample must not draw another one. So the draw must last as long as the answers.
    """

    def keep_draw(self, commitment: str, choose: Callable[[], str]) -> str:
        """Return the seed of the audit's draw. It is on disk when this returns, before anything is asked.

        Args:
            commitment: the SHA-256 of everything that the audit has committed to before the draw.
            choose: returns a seed. It is called only if nothing has been drawn.

        Raises:
            AlearnError: a sample has been drawn for another commitment.
        """


def seed_of_draw(oracle: Oracle, commitment: str, choose: Callable[[], str]) -> str:
    """Return the seed that the oracle keeps for an audit, or a new one if it keeps none; see `KeepsDraw`."""
    return oracle.keep_draw(commitment, choose) if isinstance(oracle, KeepsDraw) else choose()


def asks_ahead(oracle: Oracle) -> AsksAhead | None:
    """Return the oracle if it leaves queries open, otherwise None."""
    return oracle if isinstance(oracle, AsksAhead) and oracle.ahead else None


def ask(oracle: Oracle, classes: Sequence[str], index: Array, purpose: Source, again: bool = False) -> Array:
    """Ask an oracle, and check its answers, because it may come from another package.

    Args:
        oracle: the oracle.
        classes: the names of the classes. The oracle may add some while it answers.
        index, purpose, again: see `Oracle.label`.

    Returns:
        The classes, int64 [n]; CANNOT_TELL for an image that cannot be labeled.

    Raises:
        AlearnError: the oracle returned something else.
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
    invalid = labels[(labels >= len(classes)) | ((labels < 0) & (labels != CANNOT_TELL))]
    if len(invalid):
        raise AlearnError(
            f"{type(oracle).__name__}.label: returned {invalid[0]}; must be a class, 0 to {len(classes) - 1}, or "
            f"{CANNOT_TELL} where it cannot tell"
        )
    return labels.astype(np.int64)
