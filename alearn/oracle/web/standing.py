"""Where the trial stands, for the page."""

import math
from collections.abc import Sequence
from typing import Any

from alearn.ledger import Source
from alearn.oracle.people import Batch, Insight


class Standing:
    """A copy of what people may know about a trial. The ledger itself may change while people answer.

    counts: how many labels there are of each kind, and the estimated share of wrong ones.
    """

    def __init__(self, insight: Insight) -> None:
        """Copy. Call this only before the trial begins or while it waits for answers."""
        ledger = insight.ledger
        self.counts: dict[str, Any] = {
            "hand": ledger.paid,
            "auto": ledger.count(Source.AUTO),
            "unlabeled": ledger.count(Source.NONE),
            "estimate": insight.estimate(),
        }
        self._guess = ledger.guess.copy()
        self._doubt = ledger.doubt.copy()
        self._checked = ledger.checked.copy()

    def with_answers(self, batch: Batch, answered: int) -> dict[str, Any]:
        """Return the counts with the answers of a batch, which the ledger did not have yet. answered: their number."""
        if batch.again:
            return self.counts
        new = answered - (0 if batch.ahead is None else batch.answered)  # these the ledger has already
        less = 0 if batch.purpose is Source.AUDIT else new
        return self.counts | {"hand": self.counts["hand"] + new, "unlabeled": self.counts["unlabeled"] - less}

    def guesses(self, index: Sequence[int], classes: Sequence[str]) -> list[dict[str, Any]]:
        """Return the model's guess and its probability for each image.

        Leave out images that it has not scored, and those whose guess the answer checks.
        """
        return [
            {"index": i, "label": classes[g], "probability": -math.expm1(float(self._doubt[i]))}
            for i in index
            if (g := int(self._guess[i])) >= 0 and not self._checked[i]
        ]
