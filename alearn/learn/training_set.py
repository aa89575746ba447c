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
        doubt: float32 [N], log(1 - p_max) of each image of the data set in the last round that scored it, nan if none
            did; None if nothing is known.
    """

    index: Array
    label: Array
    hand: Array
    pool: Array
    doubt: Array | None = None

    @classmethod
    def of(cls, ledger: Ledger, hand_only: bool = False) -> Self:
        """Return the training set of everything that is labeled in the ledger.

        Args:
            ledger: The labels.
            hand_only: Whether to leave out the auto labels and the pool, which may have millions of images.
        """
        if not hand_only:
            labeled = ledger.labeled
            pool = np.flatnonzero(~ledger.hand)
            return cls(labeled, ledger.label[labeled], ledger.hand[labeled], pool, ledger.doubt)
        labeled = np.flatnonzero(ledger.hand & ~ledger.aside)
        labeled = labeled[np.argsort(ledger.order[labeled])]
        return cls(labeled, ledger.label[labeled], np.ones(len(labeled), bool), labeled[:0])

    def __len__(self) -> int:
        return len(self.index)
