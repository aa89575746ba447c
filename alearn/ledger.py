"""The ledger: who labeled each image, in which round, in which order, and with which confidence."""

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Self

import numpy as np

from alearn.values import Array, Scores

CANNOT_TELL = -1
"""The answer of a human who cannot tell the class of an image. The image is set aside without a label."""
CANNOT_TELL_TEXT = "(cannot tell)"
"""The same answer in files. No class may have this name."""


class Source(IntEnum):
    """Who gave a label, and why a human was asked for it."""

    NONE = 0
    AUTO = 1
    FIRST = 2  # a hand label before the first round
    QUERY = 3  # a hand label that a round asked for
    REST = 4  # a hand label for an image that was left at the end
    AUDIT = 5  # a hand label that checks the model's label
    GIVEN = 6  # a human's label that existed before the labeling; it costs nothing


@dataclass
class Audit:
    """An audit that has begun: frozen labels, stages, and the seed of the draw. The answers are in the ledger.

    Attributes:
        item: int64 [n], the images that no human had labeled, from most to least trusted.
        label: int64 [n], their frozen labels.
        stages: int64 [S, 4], for each stage: (group, labels checked so far, errors tolerated, wrong labels allowed).
            For groups see `alearn.audit.rules.places`.
        seed: uint8, the text of the seed in UTF-8, empty before the draw.
        first: int64 [n], the first answer if the human was asked twice (UNSURE for "cannot tell"), otherwise -1.
        second: int64 [n], the second answer, likewise.
        digest: The SHA-256 of the frozen labels, "" before it is first needed. It is not saved.
    """

    item: Array
    label: Array
    stages: Array
    seed: Array
    first: Array
    second: Array
    digest: str = field(default="", compare=False)


@dataclass
class Ledger:
    """The complete state of a labeling of N images.

    The columns are arrays over the whole data set. A human's label is never overwritten. Counts are computed, not
    stored.

    Attributes:
        label: int64 [N], the class; -1 if there is none because nobody was asked yet or a human cannot tell.
        source: int8 [N], a `Source`.
        round: int32 [N], the round in which the label was given, 0 before the first round, -1 if there is no label.
        order: int64 [N], ascending in the order in which labels were given, -1 if there is no label.
        scored: int32 [N], the last round that scored the image, -1 if none did.
        guess: int64 [N], the class that this round predicted, -1 if none did. Images with a permanent auto label are
            not scored again, so theirs is the guess that led to the label.
        doubt: float32 [N], log(1 - p_max) in this round, nan if no round scored the image.
        checked: bool [N], whether the last question about the image checked the auto-label rule: it was drawn from the
            images that the rule took, at random or because it was unlike all images with a hand label.
        probs: float32 [N, K], all probabilities in this round, nan if no round scored the image; None if the policy
            does not need them.
        forecast: float64 [rounds, 3], only in a trial that ends with an audit. For each round: the number of hand
            labels, an estimate of the wrong labels among the others, and an estimate of all hand labels in the end if
            the audit had begun in that round.
        audit: None before the audit begins.
    """

    label: Array
    source: Array
    round: Array
    order: Array
    scored: Array
    guess: Array
    doubt: Array
    checked: Array
    probs: Array | None = None
    forecast: Array = field(default_factory=lambda: np.zeros((0, 3)))
    audit: Audit | None = None

    @classmethod
    def empty(cls, total: int) -> Self:
        """Return the ledger of `total` images of which none is labeled."""
        return cls(
            label=np.full(total, -1, np.int64),
            source=np.zeros(total, np.int8),
            round=np.full(total, -1, np.int32),
            order=np.full(total, -1, np.int64),
            scored=np.full(total, -1, np.int32),
            guess=np.full(total, -1, np.int64),
            doubt=np.full(total, np.nan, np.float32),
            checked=np.zeros(total, bool),
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def hand(self) -> Array:
        """Which images a human labeled or set aside, bool [N]."""
        return np.greater_equal(self.source, Source.FIRST)

    @property
    def aside(self) -> Array:
        """Which images a human set aside, bool [N]."""
        return self.hand & np.equal(self.label, CANNOT_TELL)

    @property
    def paid(self) -> int:
        """The number of human answers that the labeling asked for."""
        return int(self.hand.sum()) - self.count(Source.GIVEN)

    @property
    def auto(self) -> Array:
        """Which images the model labeled, bool [N]."""
        return np.equal(self.source, Source.AUTO)

    @property
    def unlabeled(self) -> Array:
        """The images that have no label and that no human was asked about, int64 [n], ascending."""
        return np.flatnonzero(self.source == Source.NONE)

    @property
    def labeled(self) -> Array:
        """The images that have a label, int64 [n], in the order in which the labels were given."""
        index = np.flatnonzero(np.not_equal(self.source, Source.NONE) & ~self.aside)
        return index[np.argsort(self.order[index])]

    @property
    def rounds(self) -> int:
        """The number of rounds completed so far."""
        return int(max(self.round.max(initial=0), self.scored.max(initial=0)))

    def count(self, *sources: Source) -> int:
        """Return how many images have one of these sources."""
        return int(np.isin(self.source, sources).sum())

    def note(self, scores: Scores, round: int) -> None:  # noqa: A002, named like the column
        """Record the scores of a round."""
        self.scored[scores.index] = round
        self.guess[scores.index] = scores.guess
        self.doubt[scores.index] = scores.doubt
        if scores.probs is not None:
            probs = scores.probs.cpu().numpy()
            if self.probs is None:
                self.probs = np.full((len(self), probs.shape[1]), np.nan, np.float32)
            if more := probs.shape[1] - self.probs.shape[1]:  # classes that people have added since
                self.probs = np.pad(self.probs, ((0, 0), (0, more)))
            self.probs[scores.index] = probs

    def check(self, index: Array) -> None:
        """Record that the next questions about these images check the auto-label rule, and about no other open ones."""
        self.checked &= self.hand
        self.checked[index] = True

    def take_back(self, index: Array) -> None:
        """Remove the auto labels of images. Raise ValueError if one of them is not auto labeled."""
        if not self.auto[index].all():
            raise ValueError(f"not auto labeled: {index[~self.auto[index]][:5]}")
        self.label[index] = -1
        self.source[index] = Source.NONE
        self.round[index] = -1
        self.order[index] = -1

    def write(self, index: Array, label: Array, source: Source, round: int) -> None:  # noqa: A002
        """Label images. Raise ValueError if one is labeled already, occurs twice, or gets an invalid label."""
        named = np.zeros(len(self), bool)
        named[index] = True
        distinct = int(named.sum())  # np.unique would sort millions of auto labels
        if len(index) != len(label) or distinct != len(index):
            raise ValueError(f"{len(label)} labels for {distinct} distinct images of {len(index)}")
        if self.source[index].any():
            raise ValueError(f"labeled already: {index[self.source[index] != Source.NONE][:5]}")
        if len(label) and label.min() < (0 if source is Source.AUTO else CANNOT_TELL):
            raise ValueError(f"not a class: {label.min()}")
        start = int(self.order.max(initial=-1)) + 1
        self.label[index] = label
        self.source[index] = source
        self.round[index] = round
        self.order[index] = np.arange(start, start + len(index))

    def arrays(self) -> dict[str, Array]:
        """Return the columns by name, for saving. `restored` is the inverse."""
        columns = {column.name: getattr(self, column.name) for column in fields(self) if column.name != "audit"}
        if self.audit is not None:
            audit = {f"audit.{column.name}": getattr(self.audit, column.name) for column in fields(self.audit)}
            columns |= {name: value for name, value in audit.items() if isinstance(value, np.ndarray)}
        return {name: array for name, array in columns.items() if array is not None}

    @classmethod
    def restored(cls, arrays: dict[str, Array]) -> Self:
        """Return the ledger whose `arrays` these are."""
        audit = {name.removeprefix("audit."): array for name, array in arrays.items() if name.startswith("audit.")}
        columns = {name: array for name, array in arrays.items() if not name.startswith("audit.")}
        return cls(**columns, audit=Audit(**audit) if audit else None)  # type: ignore[arg-type]
