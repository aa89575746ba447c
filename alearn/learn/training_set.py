"""The images that a round trains on."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from alearn.ledger import Ledger
from alearn.values import Array


@dataclass(frozen=True)
class TrainingSet:
    """n labeled images in the order of labeling, and p images without a hand label.

    Attributes:
        index: int64 [n], the labeled images.
        label: int64 [n], their classes.
        hand: bool [n], whether a human labeled the image.
        pool: int64 [p], the images without a hand label, for train.consistency.
    """

    index: Array
    label: Array
    hand: Array
    pool: Array

    @classmethod
    def of(cls, ledger: Ledger) -> Self:
        """Return the training set of everything that is labeled in the ledger."""
        labeled = ledger.labeled
        return cls(labeled, ledger.label[labeled], ledger.hand[labeled], np.flatnonzero(~ledger.hand))

    def __len__(self) -> int:
        return len(self.index)
