"""What the loop asks of an oracle."""

from typing import Protocol, runtime_checkable

from alearn.ledger import Source
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
