"""An audit: what is promised of which labels, what is frozen, which are drawn, and what follows from the answers.

Nothing here knows of images or files: a trial's labels and those of any other tool are audited by the same functions.
The draw needs no library and no library's version, so that anyone can repeat it: see `draw`. What an audit costs and
when to end it is for `alearn.audit.plan` to say.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np

from alearn.audit import bounds
from alearn.audit.bounds import Stages
from alearn.files import csv_tables
from alearn.values import Array

WAIT = "wait"

Scope = Literal["total", "auto", "class"]
"""What the share of wrong labels is a share of. total: of all labels of the data set, whoever gave them. auto: of those
that are the model's in the end; what is frozen is accepted as a whole or not at all. class: for each class, of the
images that the model put into it."""

Kind = Literal["single", "staged", "sequential"]
"""When an audit may stop: at its one size, at one of a few, or whenever the next error more can be tolerated."""


@dataclass(frozen=True)
class Terms:
    """What an audit is asked for. At most a share `target_error` (see `Scope`) is wrong, but with probability `risk`.

    answers: 2 asks a human once more where the first answer is not the model's label, and the second answer counts.
    cut: labels of which the model is no surer than this are left to the human, None audits all. seed: the draw's; None
    takes fresh entropy, WAIT stops before the draw, until there is another. number: see
    `alearn.audit.bounds.risk_of`.
    """

    target_error: float
    risk: float
    scope: Scope = "total"
    kind: Kind = "staged"
    answers: Literal[1, 2] = 1
    cut: float | None = None
    seed: str | None = None
    number: int = 0

    def promise(self, total: int, groups: int) -> "Promise":
        """Of each of so many groups, in a data set of `total` labels. They share the risk, by Bonferroni's inequality:
        all of their bounds hold at once but with probability `risk`.
        """
        here = bounds.risk_of(self.risk, self.number) / max(1, groups)
        return Promise(self.scope, total, self.target_error, here)


@dataclass(frozen=True)
class Promise:
    """What holds for one group, but with probability `risk`. total: labels of the data set."""

    scope: Scope
    total: int
    target_error: float
    risk: float

    def allowed(self, items: int, checked: int = 0) -> int:
        """Wrong labels that may be left in a group of so many, of which up to `checked` will be a human's."""
        of = {"total": self.total, "class": items, "auto": max(0, items - checked)}
        return bounds.allowed(of[self.scope], self.target_error)

    @property
    def whole(self) -> bool:
        """Whether a group is accepted as a whole or not at all: the error of a part that a cut makes smaller could rise
        and fall from place to place, and the theorem needs it to rise.
        """
        return self.scope == "auto"


@dataclass(frozen=True)
class Group:
    """Frozen labels that have a bound of their own. name: of the class, "" if these are all. place: int64 [n],
    ascending, where they are in the order of trust. At most `allowed` of those accepted are wrong.
    """

    name: str
    place: Array
    stages: Stages
    allowed: int
    whole: bool

    def drawn(self, order: Array) -> Array:
        """int64 [n]: its places in the order of the draw. order: all places, see `draw`; a uniform permutation of them
        has a uniform permutation of each group in it.
        """
        mine: Array = order[np.isin(order, self.place)]
        return mine


def places(scope: Scope, labels: Sequence[str]) -> dict[str, Array]:
    """The places of each group by its name, in the order of trust: int64. By label if the scope is "class", sorted by
    it; else one group named "", or none without labels.
    """
    if scope != "class":
        return {"": np.arange(len(labels))} if len(labels) else {}
    names, group = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)
    return {str(name): np.flatnonzero(group == number) for number, name in enumerate(names)}


@dataclass(frozen=True)
class Outcome:
    """What the audit of a group came to. stage: the last one that was completed, from 0. audited: labels checked.
    errors: how many of them were wrong; accepted_errors: ... before the cut. cut: how many of the group's labels are
    accepted, from the most trusted on.
    """

    stage: int
    audited: int
    errors: int
    accepted_errors: int
    cut: int


def digest(items: Iterable[str], labels: Iterable[str]) -> str:
    """SHA-256 of what is frozen, the text of frozen.csv: a line `item,label` each, from most to least trusted."""
    return sha256(frozen_text(items, labels).encode()).hexdigest()


def frozen_text(items: Iterable[str], labels: Iterable[str]) -> str:
    """The text that is hashed."""
    return csv_tables.to_text(("item", "label"), zip(items, labels, strict=True))


def commitment(frozen_sha256: str, terms: Terms, total: int, groups: Sequence[Group]) -> str:
    """SHA-256 of all that must be fixed before the draw: what is frozen, what is promised of it, and the plan. Who
    knows the answers must not choose the plan. Of the text of a JSON object with sorted keys and no spaces.
    """
    fixed = {
        "frozen_sha256": frozen_sha256,
        "total": total,
        "scope": terms.scope,
        "target_error": terms.target_error,
        "risk": terms.risk,
        "number": terms.number,
        "answers": terms.answers,
        "groups": [
            {"name": one.name, "wrong_at_most": one.allowed, "stages": [list(stage) for stage in one.stages]}
            for one in groups
        ],
    }
    return sha256(json.dumps(fixed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def draw(commitment: str, seed: str, items: int) -> Array:
    """int64 [items]: all places in the order in which they are drawn, a uniform permutation; an audit of m labels
    takes the first m. Places are sorted by the SHA-256 of the text `commitment:seed:place`, so the draw is fixed by
    what is committed to and the seed, and cannot be known before both are.
    """
    prefix = sha256(f"{commitment}:{seed}:".encode())
    keys = []
    for place in range(items):
        one = prefix.copy()
        one.update(b"%d" % place)
        keys.append((one.digest(), place))
    keys.sort()
    return np.array([place for _, place in keys], np.int64)


def outcome(group: Group, checked: Array, wrong: Array) -> Outcome:
    """What the answers say of a group. checked: int64 [m], the first m of its drawn places; wrong: bool [m].

    Raises ValueError if m is no stage's size.
    """
    sizes = [size for size, _ in group.stages]
    if len(checked) not in sizes:
        raise ValueError(f"{len(checked)} answers; the stages end at {sizes}")
    stage, at = sizes.index(len(checked)), np.searchsorted(group.place, checked[wrong])
    cut = bounds.cut(len(group.place), group.stages[stage][1], at, group.whole)
    return Outcome(stage, len(checked), int(wrong.sum()), int((at < cut).sum()), cut)
