"""Step 7 with a guarantee: freeze the model's labels, draw, ask blind, accept up to the cut, hand label the rest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex

import numpy as np

from alearn.audit import bounds, designs, rules
from alearn.audit.bounds import Claim, Stage
from alearn.audit.forecast import error_profiles, order, plans
from alearn.audit.plan import Costs
from alearn.audit.rules import Group, Terms
from alearn.audit.seeds import check_seed
from alearn.config import Policy
from alearn.data.ids import some
from alearn.errors import AlearnError, WaitingError
from alearn.journal import AuditDrawn, AuditFrozen, AuditStage, Journal
from alearn.ledger import CANNOT_TELL_TEXT, Audit, Ledger, Source
from alearn.oracle import Oracle, ask, seed_of_draw
from alearn.values import Array

UNSURE = -2
"""The value in `Audit.first` and `Audit.second` if the answer was "cannot tell"."""


@dataclass(frozen=True)
class Names:
    """The names of the images and of the classes, by number. An audit freezes names, not numbers.

    first: the number of classes when this object is created. People may add classes later.
    """

    ids: Sequence[str]
    classes: Sequence[str]
    first: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", len(self.classes))
        if CANNOT_TELL_TEXT in self.classes:
            raise AlearnError(f"class {CANNOT_TELL_TEXT}: no class may have this name, because it is a possible answer")

    def answer(self, number: int) -> str:
        """Return the answer of a human in words. number: a class, or CANNOT_TELL."""
        return self.classes[number] if number >= 0 else CANNOT_TELL_TEXT


def terms(policy: Policy) -> Terms:
    """Return what the policy asks of an audit."""
    audit = policy.audit
    assert audit.target_error is not None
    return Terms(
        target_error=audit.target_error,
        risk=audit.risk,
        scope=audit.scope,
        kind=audit.kind,
        answers=audit.answers,
        cut=audit.cut,
        seed=None if audit.seed is None else str(audit.seed),
        repeat=audit.repeat,
    )


def check(policy: Policy, total: int | None) -> None:
    """Raise AlearnError if policy.audit has a seed that cannot be one, or a target that no audit of so many can prove.

    A target cannot be proven if most of the `total` labels would have to be checked. total: None if only loading tells.
    """
    target = policy.audit.target_error
    risk = policy.audit.risk
    if policy.audit.seed is not None:
        check_seed(str(policy.audit.seed), "policy.audit.seed")
    if policy.finish != "audit" or target is None or total is None:
        return
    allowed = bounds.allowed(total, target)
    floor = designs.floor(Claim(total, allowed), risk)
    if floor > total // 2:
        raise AlearnError(
            f"policy.audit.target_error={target}: to prove that at most {allowed} of {total:,} labels are wrong, at "
            f"least {floor:,} must be checked at policy.audit.risk={risk}, whatever the model. That saves no work. "
            "Allow more errors, or more risk"
        )
    budget = policy.budget(total)
    if budget is not None and budget + floor > total:
        raise AlearnError(
            f"policy.hand_budget={budget}: together with the audit, which takes at least {floor:,} hand labels, it is "
            f"more than the {total:,} images"
        )


def audit(
    terms: Terms, names: Names, oracle: Oracle, ledger: Ledger, journal: Journal, expected: float | None = None
) -> None:
    """Audit the model's labels. Afterwards every image has a label. An audit that has begun continues with its draw.

    expected: the number of wrong labels that the user expects; None estimates it. It only decides what the audit costs.

    The oracle never learns the model's labels. If terms.seed is WAIT, labels and plan are frozen and committed, nothing
    is drawn, and WaitingError is raised.
    """
    if ledger.audit is None:
        cost = _freeze(terms, names, ledger, expected)
        assert ledger.audit is not None
        journal.commit(AuditFrozen(ledger, commitment(terms, names, ledger), cost))
    frozen = ledger.audit
    if not len(frozen.seed):  # only now, when the labels are frozen and saved: nobody could know the draw before
        committed = commitment(terms, names, ledger)
        seed = seed_of_draw(oracle, committed, partial(_choose_seed, terms, committed))
        frozen.seed = np.frombuffer(seed.encode(), np.uint8).copy()
        journal.commit(AuditDrawn(ledger))

    asked = partial(ask, oracle, names.classes)
    every = groups(terms, names, frozen)
    likely = error_profiles(ledger, frozen.item, expected)
    drawn = draw(terms, names, ledger)
    again = repeated(terms, names, ledger)
    stage = 0
    going = dict(enumerate(every))
    accepted = np.zeros(len(frozen.item), bool)
    audited, errors = np.zeros((2, len(every)), int)
    while going:
        checked = {number: group.drawn(drawn)[: group.stages[stage].checked] for number, group in going.items()}
        now = np.zeros(len(drawn), bool)
        now[np.concatenate(list(checked.values()))] = True
        _check(terms, asked, ledger, drawn[now[drawn]], again)  # in the order of the draw, which tells nothing
        for number, place in checked.items():
            group = every[number]
            wrong = ledger.label[frozen.item[place]] != frozen.label[place]
            result = rules.outcome(group, place, wrong)
            audited[number] = result.audited
            errors[number] = result.errors
            accepted[group.place] = np.arange(len(group.place)) < result.cut
            costs = Costs([one[group.place] for one in likely], group.stages, group.whole)
            if costs.enough(stage, np.searchsorted(group.place, place[wrong])):
                del going[number]
        left = len(_left(ledger, frozen, accepted))
        total = int(audited.sum()), int(errors.sum()), int(accepted.sum())
        journal.commit(AuditStage(ledger, *total, left, more=bool(going)))
        stage += 1

    new = accepted & ~ledger.hand[frozen.item] & ~ledger.auto[frozen.item]
    ledger.write(frozen.item[new], frozen.label[new], Source.AUTO, ledger.rounds)
    left_over = _left(ledger, frozen, accepted)
    _write(ledger, left_over, asked(left_over, Source.REST), Source.REST)


def groups(terms: Terms, names: Names, frozen: Audit) -> list[Group]:
    """Return the groups of an audit that has begun."""
    result = []
    for number, (name, place) in enumerate(_places(terms, names, frozen.label).items()):
        rows = frozen.stages[frozen.stages[:, 0] == number]
        stages = tuple(Stage(*stage) for stage in rows[:, 1:].tolist())
        result.append(Group(name, place, stages, terms.scope == "auto"))
    return result


def digest(frozen: Audit, names: Names) -> str:
    """Return the SHA-256 of the frozen labels in their order."""
    if not frozen.digest:  # of millions of labels, it takes a while
        frozen.digest = rules.digest(*texts(frozen, names))
    return frozen.digest


def commitment(terms: Terms, names: Names, ledger: Ledger) -> str:
    """Return the SHA-256 of everything that the audit commits to before the draw."""
    assert ledger.audit is not None
    every = groups(terms, names, ledger.audit)
    return rules.commitment(digest(ledger.audit, names), terms, len(ledger), every)


def draw(terms: Terms, names: Names, ledger: Ledger) -> Array:
    """Return the places of the frozen labels in the order of the draw, int64 [n]."""
    assert ledger.audit is not None
    seed = ledger.audit.seed.tobytes().decode()
    return rules.draw(commitment(terms, names, ledger), seed, len(ledger.audit.item))


def repeated(terms: Terms, names: Names, ledger: Ledger) -> Array:
    """Return which of the frozen labels are asked a second time if they are checked, bool [n], by place."""
    assert ledger.audit is not None
    count = len(ledger.audit.item)
    if not terms.repeat:
        return np.zeros(count, bool)
    committed = commitment(terms, names, ledger)
    seed = ledger.audit.seed.tobytes().decode()
    return np.array([rules.repeated(committed, seed, place, terms.repeat) for place in range(count)], bool)


def texts(frozen: Audit, names: Names) -> tuple[Iterator[str], Iterator[str]]:
    """Yield the names of the frozen items and of their labels, in the order of trust."""
    blocks = np.array_split(frozen.label, len(frozen.label) // rules.BLOCK + 1)
    labels = (names.classes[label] for block in blocks for label in block.tolist())
    return some(names.ids, frozen.item), labels


def _freeze(terms: Terms, names: Names, ledger: Ledger, expected: float | None) -> float:
    """Plan the cheapest audit and freeze it. Return the expected number of hand labels in the end."""
    item = order(terms, ledger)
    label = np.where(ledger.auto[item], ledger.label[item], ledger.guess[item])
    likely = error_profiles(ledger, item, expected)
    places = list(_places(terms, names, label).values())
    cheapest = [plans(terms, len(ledger), [one[place] for one in likely], len(places))[0] for place in places]
    rows = [(number, *stage) for number, audit_plan in enumerate(cheapest) for stage in audit_plan.stages]
    ledger.audit = Audit(
        item=item,
        label=label,
        stages=np.array(rows, np.int64).reshape(-1, 4),
        seed=np.zeros(0, np.uint8),
        first=np.full(len(item), -1, np.int64),
        second=np.full(len(item), -1, np.int64),
    )
    not_frozen = int((~ledger.hand).sum()) - len(item)
    return ledger.paid + not_frozen + sum(audit_plan.mean for audit_plan in cheapest)


def _choose_seed(terms: Terms, committed: str) -> str:
    """Return the seed of a new draw. Raise WaitingError if somebody has yet to choose it."""
    if terms.seed == rules.WAIT:
        raise WaitingError(
            f"labels and plan are frozen. Publish their SHA-256, {committed}. Then let somebody choose a seed that "
            "nobody could know before, and continue with it (policy.audit.seed, --seed)"
        )
    return token_hex(16) if terms.seed is None else terms.seed


def _check(terms: Terms, asked: Callable[..., Array], ledger: Ledger, place: Array, again: Array) -> None:
    """Ask for the labels of these places that no human gave yet.

    If terms.answers is 2 and an answer differs from the model's label, ask again. The second answer counts. again: bool
    [n], by place, which labels are asked again in any case. Their first answer counts, unless it differs.
    """
    frozen = ledger.audit
    assert frozen is not None
    place = place[~ledger.hand[frozen.item[place]]]
    answer = asked(frozen.item[place], Source.AUDIT)
    corrects = (terms.answers == 2) & (answer != frozen.label[place])
    twice = corrects | again[place]
    if twice.any():
        second = asked(frozen.item[place[twice]], Source.AUDIT, again=True)
        frozen.first[place[twice]] = np.where(answer[twice] < 0, UNSURE, answer[twice])
        frozen.second[place[twice]] = np.where(second < 0, UNSURE, second)
        answer[twice] = np.where(corrects[twice], second, answer[twice])
    _write(ledger, frozen.item[place], answer, Source.AUDIT)


def _write(ledger: Ledger, index: Array, label: Array, purpose: Source) -> None:
    ledger.take_back(index[ledger.auto[index]])
    ledger.write(index, label, purpose, ledger.rounds)


def _left(ledger: Ledger, frozen: Audit, accepted: Array) -> Array:
    """Return the images that are neither accepted nor labeled by a human, int64 [n]: frozen ones first, in order."""
    beyond = frozen.item[~accepted]
    never = ~ledger.hand
    never[frozen.item] = False
    rest = np.concatenate([beyond, np.flatnonzero(never)])
    left: Array = rest[~ledger.hand[rest]]
    return left


def _places(terms: Terms, names: Names, label: Array) -> dict[str, Array]:
    return rules.places(terms.scope, label, names.classes)
