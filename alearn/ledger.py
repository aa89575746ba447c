"""Who labeled what, in which round, in which order, how surely."""

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Self

import numpy as np

from alearn.values import Array, Scores

CANNOT_TELL = -1
"""A human's answer to an image that has no label: it is set aside."""
CANNOT_TELL_TEXT = "(cannot tell)"
"""The same in files of answers; no class may have this name."""


class Source(IntEnum):
    """Who gave a label; for a human's, also what it was asked for."""

    NONE = 0
    AUTO = 1
    FIRST = 2  # a hand label before the first round
    QUERY = 3  # a hand label that a round asked for
    REST = 4  # a hand label for what was left at the end
    AUDIT = 5  # a hand label that checks the model's
    GIVEN = 6  # a human's label that was there before; it costs nothing


@dataclass
class Audit:
    """An audit that has begun: what was frozen, the stages, the seed of the draw. Which answers there are is the
    ledger's to say.

    item: int64 [n], the images that no human had labeled, from most to least trusted. label: int64 [n], the labels that
    were frozen. stages: int64 [S, 3], a row (group, labels checked so far, errors tolerated) a stage, see
    `alearn.audit.rules.places`. allowed: int64 [groups], wrong labels that may be left in each. seed: uint8, its text
    as UTF-8. first: int64 [n], the first answer where the human was asked twice, else -1; -2 for "cannot tell".
    """

    item: Array
    label: Array
    stages: Array
    allowed: Array
    seed: Array
    first: Array


@dataclass
class Ledger:
    """The state of a labeling, all of it: arrays over the whole data set, N long, indexed by data set index.

    A human's label is never overwritten. Counts are derived, not stored.

    label: int64, -1 where there is none: nobody was asked yet, or a human cannot tell. source: int8, a `Source`. round:
    int32, the round in which the label was given (0: before the first), -1 where there is none. order: int64, ascending
    in the order in which labels were given, -1 where there is none. scored: int32, the last round to score the image,
    -1 where none did. guess: int64 and doubt: float32, the class and log(1 - p_max) that it gave (-1 and nan where none
    did): those of a permanent auto label are the ones it was given by. probs: float32 [N, K], all of its probabilities
    (nan where none did), or None where the policy does not need them. forecast: float64 [rounds, 3], of a trial that
    ends with an audit: hand labels, wrong ones among the others and all hand labels with an audit, had it begun in that
    round; the last two are estimates. audit: None before it.
    """

    label: Array
    source: Array
    round: Array
    order: Array
    scored: Array
    guess: Array
    doubt: Array
    probs: Array | None = None
    forecast: Array = field(default_factory=lambda: np.zeros((0, 3)))
    audit: Audit | None = None

    @classmethod
    def empty(cls, total: int) -> Self:
        """Nothing labeled yet."""
        return cls(
            label=np.full(total, -1, np.int64),
            source=np.zeros(total, np.int8),
            round=np.full(total, -1, np.int32),
            order=np.full(total, -1, np.int64),
            scored=np.full(total, -1, np.int32),
            guess=np.full(total, -1, np.int64),
            doubt=np.full(total, np.nan, np.float32),
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def hand(self) -> Array:
        """bool [N]: labeled by a human, or set aside by one."""
        return np.greater_equal(self.source, Source.FIRST)

    @property
    def aside(self) -> Array:
        """bool [N]: a human cannot tell."""
        return self.hand & np.equal(self.label, CANNOT_TELL)

    @property
    def paid(self) -> int:
        """Answers of humans that the labeling asked for."""
        return int(self.hand.sum()) - self.count(Source.GIVEN)

    @property
    def auto(self) -> Array:
        """bool [N]: labeled by the model."""
        return np.equal(self.source, Source.AUTO)

    @property
    def unlabeled(self) -> Array:
        """int64 [n]: indices without a label that nobody was asked about, ascending."""
        return np.flatnonzero(self.source == Source.NONE)

    @property
    def labeled(self) -> Array:
        """int64 [n]: indices with a label, in the order in which the labels were given."""
        index = np.flatnonzero(np.not_equal(self.source, Source.NONE) & ~self.aside)
        return index[np.argsort(self.order[index])]

    @property
    def rounds(self) -> int:
        """Rounds completed so far."""
        return int(max(self.round.max(initial=0), self.scored.max(initial=0)))

    def count(self, *sources: Source) -> int:
        """How many images have a label of these sources."""
        return int(np.isin(self.source, sources).sum())

    def note(self, scores: Scores, round: int) -> None:  # noqa: A002, the field's own word
        """Remember what a round makes of the images that it scored."""
        self.scored[scores.index] = round
        self.guess[scores.index], self.doubt[scores.index] = scores.guess, scores.doubt
        if scores.probs is not None:
            probs = scores.probs.cpu().numpy()
            if self.probs is None:
                self.probs = np.full((len(self), probs.shape[1]), np.nan, np.float32)
            if more := probs.shape[1] - self.probs.shape[1]:  # classes that people have added since
                self.probs = np.pad(self.probs, ((0, 0), (0, more)))
            self.probs[scores.index] = probs

    def take_back(self, index: Array) -> None:
        """Make images unlabeled again. Raises ValueError for one that is not auto labeled."""
        if not self.auto[index].all():
            raise ValueError(f"not auto labeled: {index[~self.auto[index]][:5]}")
        self.label[index], self.source[index], self.round[index], self.order[index] = -1, Source.NONE, -1, -1

    def write(self, index: Array, label: Array, source: Source, round: int) -> None:  # noqa: A002
        """Label images. Raises ValueError for one that is labeled already, given twice, or has no valid label."""
        if len(index) != len(label) or len(np.unique(index)) != len(index):
            raise ValueError(f"{len(label)} labels for {len(np.unique(index))} distinct images of {len(index)}")
        if self.source[index].any():
            raise ValueError(f"labeled already: {index[self.source[index] != Source.NONE][:5]}")
        if len(label) and label.min() < (0 if source is Source.AUTO else CANNOT_TELL):
            raise ValueError(f"not a class: {label.min()}")
        start = int(self.order.max(initial=-1)) + 1
        self.label[index], self.source[index], self.round[index] = label, source, round
        self.order[index] = np.arange(start, start + len(index))

    def arrays(self) -> dict[str, Array]:
        """The columns by name, for saving; `restored` is the way back."""
        columns = {column.name: getattr(self, column.name) for column in fields(self) if column.name != "audit"}
        if self.audit is not None:
            columns |= {f"audit.{column.name}": getattr(self.audit, column.name) for column in fields(self.audit)}
        return {name: array for name, array in columns.items() if array is not None}

    @classmethod
    def restored(cls, arrays: dict[str, Array]) -> Self:
        """The ledger that gave these `arrays`."""
        audit = {name.removeprefix("audit."): array for name, array in arrays.items() if name.startswith("audit.")}
        columns = {name: array for name, array in arrays.items() if not name.startswith("audit.")}
        return cls(**columns, audit=Audit(**audit) if audit else None)
