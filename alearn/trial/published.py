"""The published results on MNIST, and which of them a trial may be compared with."""

from dataclasses import dataclass

from alearn.config import Data, Policy


@dataclass(frozen=True)
class PublishedRow:
    """A row of the published table of trials: three numbers of the policy, and the results.

    Attributes:
        mislabeled: The share of the auto labels that is wrong.
    """

    init_fraction: float
    threshold: float
    hand_fraction: float
    rounds: int
    hand: int
    auto: int
    mislabeled: float


TABLE = {
    "t1": PublishedRow(0.01, 0.9999, 0.01, rounds=5, hand=4200, auto=55_800, mislabeled=0.0193),
    "t2": PublishedRow(0.05, 0.9999, 0.01, rounds=5, hand=6000, auto=54_000, mislabeled=0.0057),
    "t3": PublishedRow(0.01, 0.999999, 0.01, rounds=9, hand=6000, auto=54_000, mislabeled=0.0041),
    "t4": PublishedRow(0.02, 0.9999, 0.02, rounds=5, hand=6797, auto=53_203, mislabeled=0.0043),
}
"""The rows by name. conf/trial/NAME.yaml has the settings of a row."""
BEST = TABLE["t3"]
"""The row with the fewest wrong labels."""


def comparable(data: Data, policy: Policy) -> PublishedRow | None:
    """Return the published row that a trial may be compared with, or None.

    Only trials on all of MNIST may be compared. The published policy is compared with the row that has the same three
    numbers, any other policy with the best row.
    """
    if data.name != "mnist" or data.limit is not None or data.imbalance.shape != "none":
        return None
    if policy.name != "source":
        return BEST
    numbers = (policy.init_fraction, policy.threshold, policy.hand_fraction)
    return next(
        (row for row in TABLE.values() if (row.init_fraction, row.threshold, row.hand_fraction) == numbers), None
    )
