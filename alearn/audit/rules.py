"""The rules of an audit: what is promised, what is frozen, what is drawn, and what follows from the answers.

Nothing here knows about images or files, so the same functions audit the labels of a trial and of any other tool. The
draw does not depend on a library or its version, so anyone can repeat it: see `draw`. `alearn.audit.plan` decides when
an audit ends, and estimates its cost.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Literal

import numpy as np

from alearn.audit import bounds
from alearn.audit.bounds import Claim, Stages
from alearn.audit.plan import Kind
from alearn.files import csv_tables
from alearn.values import Array

WAIT = "wait"
BLOCK = 1 << 15
"""Lines of frozen.csv that are in memory at a time."""

Scope = Literal["total", "auto", "class"]
"""What the share of wrong labels is a share of. total: of all labels of the data set, whoever gave them. auto: of the
labels that are the model's in the end; either all frozen labels are accepted or none. class: for each class, of the
images that the model put into it."""


@dataclass(frozen=True)
class Terms:
    """What an audit shall prove, and how.

    Attributes:
        target_error: The share of labels that may be wrong.
        risk: The probability that more are wrong.
        scope: What the share is a share of, see `Scope`.
        kind: When the audit may stop, see `Kind`.
        answers: 2 asks a human again if the first answer differs from the model's label. The second answer counts.
        cut: Labels with a p_max of at most this are left to the human. None audits all labels.
        seed: The seed of the draw. None takes fresh entropy. WAIT stops before the draw, until a seed is given.
        number: See `alearn.audit.bounds.risk_of`.
        after: The commitment of the audit before this one in a series, "" if there is none.
        repeat: The share of the checked labels that are asked a second time, whatever the first answer. This measures
            how often the human errs, and changes nothing else.
    """

    target_error: float
    risk: float
    scope: Scope = "total"
    kind: Kind = "auto"
    answers: Literal[1, 2] = 1
    cut: float | None = None
    seed: str | None = None
    number: int = 0
    after: str = ""
    repeat: float = 0.0

    def group_risk(self, groups: int) -> float:
        """Return the risk of each of so many groups.

        By Bonferroni's inequality, the probability that any of their bounds fails is at most `risk`.
        """
        return bounds.risk_of(self.risk, self.number) / max(1, groups)

    def claim(self, total: int, items: int) -> Claim:
        """Return what is to be proven of a group of `items` labels. total: the labels of the whole data set."""
        base = {"total": total, "class": items, "auto": items}
        share = self.target_error if self.scope == "auto" else None
        return Claim(items, bounds.allowed(base[self.scope], self.target_error), share)


@dataclass(frozen=True)
class Group:
    """n frozen labels that have a bound of their own.

    Attributes:
        name: The name of the class, "" if there is only one group.
        place: int64 [n], ascending, the places of the labels in the order of trust.
        stages: The stages of the audit.
        whole: Whether the group is accepted as a whole or not at all.
    """

    name: str
    place: Array
    stages: Stages
    whole: bool

    def drawn(self, order: Array) -> Array:
        """Return the places of this group in the order of the draw, int64 [n]. order: all drawn places, see `draw`.

        A uniform permutation of all places contains a uniform permutation of each group.
        """
        mine = np.zeros(1 + max(self.place.max(initial=-1), order.max(initial=-1)), bool)
        mine[self.place] = True
        group_order: Array = order[mine[order]]
        return group_order


def places(scope: Scope, label: Array, names: Sequence[str]) -> dict[str, Array]:
    """Return the places (int64) of each group in the order of trust, by the name of the group.

    If the scope is "class", each class that occurs has a group, and the groups are sorted by name. Otherwise there is
    one group, whose name is "", or none if there are no labels.

    Args:
        scope: What has a bound of its own.
        label: The classes by number, in the order of trust, int64 [n].
        names: The names of the classes.
    """
    if scope != "class":
        return {"": np.arange(len(label))} if len(label) else {}
    there = {names[number]: number for number in np.unique(label).tolist()}
    return {name: np.flatnonzero(label == there[name]) for name in sorted(there)}


@dataclass(frozen=True)
class Outcome:
    """The outcome of the audit of a group.

    Attributes:
        stage: The last completed stage, from 0.
        audited: The number of labels that were checked.
        errors: The number of checked labels that were wrong.
        accepted_errors: The number of those before the cut.
        allowed: The most delivered labels that may be wrong.
        cut: The number of labels of the group that are accepted, counted from the most trusted.
    """

    stage: int
    audited: int
    errors: int
    accepted_errors: int
    allowed: int
    cut: int


def digest(items: Iterable[str], labels: Iterable[str]) -> str:
    """Return the SHA-256 of the text of frozen.csv. items, labels: from most to least trusted."""
    state = sha256()
    for text in frozen_text(items, labels):
        state.update(text.encode())
    return state.hexdigest()


def frozen_text(items: Iterable[str], labels: Iterable[str]) -> Iterator[str]:
    """Yield the text of frozen.csv, which is hashed, piece by piece: a line `item,label` for each item."""
    yield csv_tables.line(("item", "label"))
    rows = zip(items, labels, strict=True)
    while block := [*islice(rows, BLOCK)]:
        yield "".join(map(csv_tables.line, block))


def commitment(frozen_sha256: str, terms: Terms, total: int, groups: Sequence[Group]) -> str:
    """Return the SHA-256 of all that must be fixed before the draw: the frozen labels, the promise, and the plan.

    The plan is part of it because nobody who knows answers may choose the plan. The hash is that of the text of a JSON
    object with sorted keys and no spaces.
    """
    fixed = {
        "frozen_sha256": frozen_sha256,
        "total": total,
        "scope": terms.scope,
        "target_error": terms.target_error,
        "risk": terms.risk,
        "number": terms.number,
        "after": terms.after,
        "answers": terms.answers,
        "repeat": terms.repeat,
        "groups": [{"name": group.name, "stages": [list(stage) for stage in group.stages]} for group in groups],
    }
    return sha256(json.dumps(fixed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@lru_cache(maxsize=1)
def draw(commitment: str, seed: str, items: int) -> Array:
    """Return all places in the order in which they are drawn, int64 [items]. An audit of m labels takes the first m.

    Places are sorted by the SHA-256 of the text `commitment:seed:place`, which gives a uniform permutation. So the
    commitment and the seed fix the draw, and nobody can know it before both are fixed.
    """
    prefix = sha256(f"{commitment}:{seed}:".encode())

    def key(place: int) -> bytes:
        state = prefix.copy()
        state.update(b"%d" % place)
        return state.digest()

    first = np.fromiter((int.from_bytes(key(place)[:8]) for place in range(items)), np.uint64, items)
    order = np.argsort(first, kind="stable")
    first = first[order]
    for at in np.flatnonzero(first[1:] == first[:-1]).tolist():  # hardly ever: the other bits decide
        same = np.flatnonzero(first == first[at])
        order[same] = sorted(order[same].tolist(), key=key)
    order.flags.writeable = False
    return order


def repeated(commitment: str, seed: str, place: int, share: float) -> bool:
    """Return whether a checked label is asked a second time.

    It is if the first 64 bits of the SHA-256 of the text `commitment:seed:again:place` are below `share` times 2^64.
    """
    key = sha256(f"{commitment}:{seed}:again:{place}".encode()).digest()
    return int.from_bytes(key[:8]) < Decimal(repr(share)) * 2**64


def outcome(group: Group, checked: Array, wrong: Array) -> Outcome:
    """Return what follows from the answers for a group.

    Args:
        group: The group.
        checked: int64 [m], the first m of its drawn places.
        wrong: bool [m], whether the label was wrong.

    Raises:
        ValueError: No stage has m labels.
    """
    sizes = [stage.checked for stage in group.stages]
    if len(checked) not in sizes:
        raise ValueError(f"{len(checked)} answers; the stages end at {sizes}")
    number = sizes.index(len(checked))
    stage = group.stages[number]
    at = np.searchsorted(group.place, checked[wrong])
    cut = bounds.cut(len(group.place), stage.tolerated, at, group.whole)
    return Outcome(number, len(checked), int(wrong.sum()), int((at < cut).sum()), stage.allowed, cut)
