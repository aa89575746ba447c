"""Step 7 with a guarantee: freeze what the model says, draw, ask blind, accept up to the cut, hand label the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex

import numpy as np

from alearn.audit import bounds, plan, rules
from alearn.audit.plan import Costs, Known
from alearn.audit.rules import Group, Terms
from alearn.config import Policy
from alearn.errors import AlearnError
from alearn.journal import AuditDrawn, AuditFrozen, AuditStage, Journal
from alearn.ledger import CANNOT_TELL_TEXT, Audit, Ledger, Source
from alearn.oracle import Oracle
from alearn.values import Array

HORIZON = 1, 2, 4
"""Rounds ahead that are weighed against an audit now."""
ROUNDING = 1e-12
"""Of the logarithm of a doubt."""
UNSURE_AT_FIRST = -2
"""In `Audit.first`."""
FADES = 0.5
"""What the answers to a round's questions count, of those of the next round, where they tell how often the model is
wrong: it gets better."""


@dataclass(frozen=True)
class Names:
    """Of the images and the classes, by their numbers: what is frozen is text.

    first: how many classes there are when this is made; people may add some later.
    """

    ids: Sequence[str]
    classes: Sequence[str]
    first: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", len(self.classes))
        if CANNOT_TELL_TEXT in self.classes:
            raise AlearnError(f"class {CANNOT_TELL_TEXT}: no class may have this name; it is what a human may answer")

    def answer(self, number: int) -> str:
        """What a human said, in words."""
        return self.classes[number] if number >= 0 else CANNOT_TELL_TEXT


def terms(policy: Policy) -> Terms:
    """What the policy asks of an audit."""
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
    )


def check(policy: Policy, total: int) -> None:
    """Raise AlearnError if no audit can prove policy.audit.target_error without checking most of the labels."""
    target, risk = policy.audit.target_error, policy.audit.risk
    if policy.finish != "audit" or target is None:
        return
    allowed = bounds.allowed(total, target)
    floor = bounds.floor(total, allowed, risk)
    if floor > total // 2:
        raise AlearnError(
            f"policy.audit.target_error={target}: to prove that at most {allowed} of {total:,} labels are wrong takes "
            f"at least {floor:,} checked ones at policy.audit.risk={risk}, whatever the model; that is no saving. "
            "Allow more errors, or more risk"
        )
    budget = policy.budget(total)
    if budget is not None and budget + floor > total:
        raise AlearnError(
            f"policy.hand_budget={budget}: with the {floor:,} labels that the audit takes at least it is more than the "
            f"{total:,} images"
        )


def pays(terms: Terms, ledger: Ledger, asks: int) -> bool:
    """Whether to hand label `asks` more and train again before the audit: not if that is expected to cost more hand
    labels in all than to begin it now. Notes the forecast in the ledger, whose scores are this round's.
    """
    item, hand = order(terms, ledger), int(ledger.hand.sum())  # given ones teach, too
    below = int((~ledger.hand).sum()) - len(item)
    likely = error_profile(ledger, item)
    now = hand + below + _cost(terms, ledger, item, likely)
    ledger.forecast = np.concatenate([ledger.forecast, [[hand, likely.sum(), now]]])
    power = plan.decay(ledger.forecast[:, 0], ledger.forecast[:, 1])
    for rounds in HORIZON:
        more = rounds * asks
        then = plan.after_more(likely, hand, more, power)
        if len(then) and hand + more + below + _cost(terms, ledger, item[: len(then)], then) <= now:
            return True
    return False


def audit(terms: Terms, names: Names, oracle: Oracle, ledger: Ledger, journal: Journal) -> None:
    """Audit the model's labels; afterwards every image has a label. An audit that has begun goes on with its draw.

    The oracle is asked about images and never told what the model thinks of them. Raises AlearnError if terms.seed is
    WAIT: then labels and plan are frozen and committed, and nothing is drawn.
    """
    if ledger.audit is None:
        expected = _freeze(terms, names, ledger)
        assert ledger.audit is not None
        journal.commit(AuditFrozen(ledger, commitment(terms, names, ledger), expected))
    frozen = ledger.audit
    if not len(frozen.seed):  # only now: the labels have been frozen, and saved, before anyone could know the draw
        if terms.seed == rules.WAIT:
            raise AlearnError(
                f"labels and plan are frozen. Publish their SHA-256, {commitment(terms, names, ledger)}; once a seed "
                "has been chosen that could not be known before, go on with it (policy.audit.seed, --seed)"
            )
        seed = token_hex(16) if terms.seed is None else terms.seed
        frozen.seed = np.frombuffer(seed.encode(), np.uint8).copy()
        journal.commit(AuditDrawn(ledger))

    every, likely = groups(terms, names, frozen), error_profile(ledger, frozen.item)
    drawn = draw(terms, names, ledger)
    stage, going, accepted = 0, dict(enumerate(every)), np.zeros(len(frozen.item), bool)
    audited, errors = np.zeros(len(every), int), np.zeros(len(every), int)
    while going:
        checked = {number: group.drawn(drawn)[: group.stages[stage][0]] for number, group in going.items()}
        _check(terms, oracle, ledger, np.concatenate(list(checked.values())))
        for number, place in checked.items():
            group, wrong = every[number], ledger.label[frozen.item[place]] != frozen.label[place]
            result = rules.outcome(group, place, wrong)
            audited[number], errors[number] = result.audited, result.errors
            accepted[group.place] = np.arange(len(group.place)) < result.cut
            costs = Costs(likely[group.place], group.stages, group.whole)
            if costs.enough(stage, np.searchsorted(group.place, place[wrong])):
                del going[number]
        left = len(_left(ledger, frozen, accepted))
        total = int(audited.sum()), int(errors.sum()), int(accepted.sum())
        journal.commit(AuditStage(ledger, *total, left, more=bool(going)))
        stage += 1

    new = accepted & ~ledger.hand[frozen.item] & ~ledger.auto[frozen.item]
    ledger.write(frozen.item[new], frozen.label[new], Source.AUTO, ledger.rounds)
    _hand_label(ledger, oracle, _left(ledger, frozen, accepted), Source.REST)


def groups(terms: Terms, names: Names, frozen: Audit) -> list[Group]:
    """The groups of an audit that has begun."""
    found = []
    for number, (name, place) in enumerate(_places(terms, names, frozen.label).items()):
        rows = frozen.stages[frozen.stages[:, 0] == number]
        stages = tuple((int(size), int(tolerated)) for _, size, tolerated in rows)
        found.append(Group(name, place, stages, int(frozen.allowed[number]), terms.scope == "auto"))
    return found


def digest(frozen: Audit, names: Names) -> str:
    """SHA-256 of the frozen labels in their order."""
    return rules.digest(*texts(frozen, names))


def commitment(terms: Terms, names: Names, ledger: Ledger) -> str:
    """SHA-256 of what the audit commits to before the draw."""
    assert ledger.audit is not None
    every = groups(terms, names, ledger.audit)
    return rules.commitment(digest(ledger.audit, names), terms, len(ledger), every)


def draw(terms: Terms, names: Names, ledger: Ledger) -> Array:
    """int64 [n]: the places of the frozen labels in the order of the draw."""
    assert ledger.audit is not None
    seed = ledger.audit.seed.tobytes().decode()
    return rules.draw(commitment(terms, names, ledger), seed, len(ledger.audit.item))


def texts(frozen: Audit, names: Names) -> tuple[list[str], list[str]]:
    """Names of the frozen items and of their labels, in the order of trust."""
    items, labels = frozen.item.tolist(), frozen.label.tolist()
    return [names.ids[item] for item in items], [names.classes[label] for label in labels]


def _freeze(terms: Terms, names: Names, ledger: Ledger) -> float:
    """Plan the cheapest audit and freeze; returns how many hand labels are expected in all."""
    item = order(terms, ledger)
    label, likely = np.where(ledger.auto[item], ledger.label[item], ledger.guess[item]), error_profile(ledger, item)
    places = list(_places(terms, names, label).values())
    promise = terms.promise(len(ledger), len(places))
    chosen = [plan.plans(promise, likely[place], terms.kind)[0] for place in places]
    rows = [(number, *stage) for number, one in enumerate(chosen) for stage in one.stages]
    ledger.audit = Audit(
        item=item,
        label=label,
        stages=np.array(rows, np.int64).reshape(-1, 3),
        allowed=np.array([one.allowed for one in chosen], np.int64),
        seed=np.zeros(0, np.uint8),
        first=np.full(len(item), -1, np.int64),
    )
    return ledger.paid + int((~ledger.hand).sum()) - len(item) + sum(one.mean for one in chosen)


def _check(terms: Terms, oracle: Oracle, ledger: Ledger, place: Array) -> None:
    """Ask for the labels of these places that no human gave yet. Where an answer is not the model's, and the terms say
    so, ask again: what the second answer says is so.
    """
    frozen = ledger.audit
    assert frozen is not None
    place = place[~ledger.hand[frozen.item[place]]]
    answer = oracle.label(frozen.item[place], Source.AUDIT)
    differ = answer != frozen.label[place]
    if terms.answers == 2 and differ.any():
        frozen.first[place[differ]] = np.where(answer[differ] < 0, UNSURE_AT_FIRST, answer[differ])
        answer = answer.copy()
        answer[differ] = oracle.label(frozen.item[place[differ]], Source.AUDIT, again=True)
    _write(ledger, frozen.item[place], answer, Source.AUDIT)


def _hand_label(ledger: Ledger, oracle: Oracle, index: Array, purpose: Source) -> None:
    _write(ledger, index, oracle.label(index, purpose), purpose)


def _write(ledger: Ledger, index: Array, label: Array, purpose: Source) -> None:
    ledger.take_back(index[ledger.auto[index]])
    ledger.write(index, label, purpose, ledger.rounds)


def _left(ledger: Ledger, frozen: Audit, accepted: Array) -> Array:
    """int64 [n]: what is neither accepted nor labeled by a human, what was frozen in its order first."""
    beyond = frozen.item[~accepted]
    rest = np.concatenate([beyond, np.setdiff1d(np.flatnonzero(~ledger.hand), frozen.item)])
    left: Array = rest[~ledger.hand[rest]]
    return left


def _places(terms: Terms, names: Names, label: Array) -> dict[str, Array]:
    return rules.places(terms.scope, [names.classes[one] for one in label.tolist()])


def order(terms: Terms, ledger: Ledger) -> Array:
    """int64 [n]: what the audit is about, from most to least trusted, ties by index: what no human has labeled and the
    model is surer of than terms.cut.
    """
    item = np.flatnonzero(~ledger.hand)
    if terms.cut is not None:
        item = item[ledger.doubt[item] < np.log1p(-terms.cut) - ROUNDING]
    ordered: Array = item[np.lexsort((item, ledger.doubt[item]))]
    return ordered


def error_profile(ledger: Ledger, item: Array, aside: bool = True) -> Array:
    """float64 [n]: how probably the labels of these items are wrong, judged by the answers to the rounds' questions:
    the model did not know them when it guessed. aside: whether "cannot tell" counts as wrong, as it does in an audit.
    """
    asked = np.flatnonzero((ledger.source == Source.QUERY) & (ledger.scored == ledger.round))
    if not aside:
        asked = asked[~ledger.aside[asked]]
    if not len(asked):
        return plan.error_profile(ledger.doubt[item])
    weight = FADES ** (ledger.round[asked].max() - ledger.round[asked])
    known = Known(ledger.doubt[asked], ledger.guess[asked] != ledger.label[asked], weight)
    return plan.error_profile(ledger.doubt[item], known)


def _cost(terms: Terms, ledger: Ledger, item: Array, likely: Array) -> float:
    """Expected hand labels that an audit of these items takes, and what lies beyond its cut."""
    label = np.where(ledger.auto[item], ledger.label[item], ledger.guess[item])
    places = rules.places(terms.scope, label.astype(str).tolist()).values()
    promise = terms.promise(len(ledger), len(places))
    return sum(plan.plans(promise, likely[place], terms.kind)[0].mean for place in places)
