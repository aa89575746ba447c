"""oracle=truth: a simulated human who answers with the true labels."""

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
    """An oracle that never errs and answers at once. classes: the names of the classes by number."""

    def __init__(self, labels: Array | Sequence[int] | Sequence[str], classes: Sequence[str] | None = None) -> None:
        """Keep the true classes.

        Args:
            labels: the true class of each image, by number or by name.
            classes: the names of the classes by number. None takes the names that occur, in alphabetical order, or the
                numbers as text.
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
        """Return the true classes of the images `index`, int64 [n]. They do not depend on the purpose."""
        return self._truth[index]


@register_oracle("truth", TrueOracle, simulated=True)
def truth(config: TrueOracle, context: Context) -> Truth:
    """Build the oracle."""
    return Truth(context.truth)


def numbered(labels: Array | Sequence[int] | Sequence[str], classes: Sequence[str]) -> Array:
    """Return labels as numbers, int64 [N]. A name becomes its position in `classes`; "" becomes -1, no label.

    Raises:
        ValueError: a name is not in `classes`.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "US":
        return labels.astype(np.int64, copy=False)
    number = {name: k for k, name in enumerate(classes)} | {"": -1}
    unknown = sorted(set(labels.tolist()) - number.keys())
    if unknown:
        raise ValueError(f"labels: {unknown[0]!r} must be one of {', '.join(classes)}")
    return np.array([number[name] for name in labels.tolist()], np.int64)
