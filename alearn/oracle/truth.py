"""oracle=truth: a human simulated by the true labels."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from alearn.config.oracle_config import Oracle
from alearn.ledger import Source
from alearn.oracle.context import Context
from alearn.registry import register_oracle
from alearn.values import Array


class TrueOracle(Oracle):
    """The true labels answer for the human."""

    name: Literal["truth"] = "truth"


class Truth:
    """Knows everything, never errs, answers at once. classes: the names of the classes by number."""

    def __init__(self, labels: Array | Sequence[int] | Sequence[str], classes: Sequence[str] | None = None) -> None:
        """Take the true class of each image, by number or by name.

        classes: their names by number. If None, the names that occur in alphabetical order, or the numbers as text.
        """
        labels = np.asarray(labels)
        if classes is None:
            named = labels.dtype.kind in "US"
            classes = (
                sorted(set(labels.tolist())) if named else [str(k) for k in range(int(labels.max(initial=-1)) + 1)]
            )
        self.classes = tuple(classes)
        self._truth = numbered(labels, self.classes)

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Return the true classes, whatever the purpose."""
        return self._truth[index]


@register_oracle("truth", TrueOracle, simulated=True)
def truth(config: TrueOracle, context: Context) -> Truth:
    """Answer by the true labels."""
    return Truth(context.truth)


def numbered(labels: Array | Sequence[int] | Sequence[str], classes: Sequence[str]) -> Array:
    """Return labels as numbers, int64 [N]. Names are looked up in `classes`; "" is -1, no label.

    Raises ValueError for a name that is none of them.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "US":
        return labels.astype(np.int64, copy=False)
    number = {name: k for k, name in enumerate(classes)} | {"": -1}
    strange = sorted(set(labels.tolist()) - number.keys())
    if strange:
        raise ValueError(f"labels: {strange[0]!r} must be one of {', '.join(classes)}")
    return np.array([number[name] for name in labels.tolist()], np.int64)
