"""What a round trains on."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from alearn.ledger import Ledger
from alearn.values import Array


@dataclass(frozen=True)
class TrainingSet:
    """n labeled images in the order of labeling, and p images without a hand label.

    index, label: int64 [n], label is the class. hand: bool [n], which of them a human labeled. pool: int64 [p], for
    train.consistency.
    """

    index: Array
    label: Array
    hand: Array
    pool: Array

    @classmethod
    def of(cls, ledger: Ledger) -> Self:
        """Everything that the ledger knows."""
        labeled = ledger.labeled
        return cls(labeled, ledger.label[labeled], ledger.hand[labeled], np.flatnonzero(~ledger.hand))

    def __len__(self) -> int:
        return len(self.index)
