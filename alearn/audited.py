"""Step 7 with a guarantee: freeze what the model says, draw, ask blind, accept up to the cut, hand label the rest."""

from collections.abc import Generator
from secrets import token_hex

import numpy as np

from alearn.config import Policy
from alearn.decide import audit, certificate
from alearn.events import Array, AuditDrawn, AuditStage, AuditStarted, Event
from alearn.ledger import Audit, Ledger, Source
from alearn.oracle import Oracle


def expected(policy: Policy, ledger: Ledger) -> float:
    """Hand labels in all, if the audit began now: those there are, and what the cheapest audit is expected to cost."""
    return float(ledger.hand.sum()) + _planned(policy, ledger, _order(ledger)).mean


def audited(policy: Policy, oracle: Oracle, ledger: Ledger) -> Generator[Event, None, None]:
    """Audit the model's labels; when it is over every image has a label. Goes on with an audit that has begun, with the
    same draw. The oracle is asked about images and never told what the model thinks of them.
    """
    if ledger.audit is None:
        item = _order(ledger)
        label = np.where(ledger.auto[item], ledger.label[item], ledger.guess[item])
        plan = _planned(policy, ledger, item)
        ledger.audit = Audit(item, label, np.array(plan.stages), np.zeros(0, np.uint8))
        expect = float(ledger.hand.sum()) + plan.mean
        yield AuditStarted(ledger, frozen_digest(ledger.audit), expect)
    frozen = ledger.audit
    if not len(frozen.seed):  # only now: the labels have been frozen, and saved, before anyone could know the draw
        seed = token_hex(16) if policy.audit_seed is None else str(policy.audit_seed)
        frozen.seed = np.frombuffer(seed.encode(), np.uint8).copy()
        yield AuditDrawn(ledger)
    items, stages = len(frozen.item), tuple((int(size), int(tolerated)) for size, tolerated in frozen.stages)
    drawn = frozen.item[audit.draw(frozen_digest(frozen), frozen.seed.tobytes().decode(), items)]
    place = np.empty(len(ledger), np.int64)
    place[frozen.item] = np.arange(items)

    for size, _ in stages:
        ask = drawn[:size][~ledger.hand[drawn[:size]]]
        _hand_label(ledger, oracle, ask, Source.AUDIT)
        places = place[drawn[:size]]
        result = audit.outcome(items, stages, places, ledger.label[drawn[:size]] != frozen.label[places])
        more = not audit.enough(items, stages, result)
        left = int((~ledger.hand[frozen.item[result.cut :]]).sum())
        yield AuditStage(ledger, result.audited, result.errors, result.cut, left, more)
        if not more:
            break

    accepted = frozen.item[: result.cut]
    new = ledger.source[accepted] == Source.NONE
    ledger.write(accepted[new], frozen.label[: result.cut][new], Source.AUTO, ledger.rounds)
    beyond = frozen.item[result.cut :]
    _hand_label(ledger, oracle, beyond[~ledger.hand[beyond]], Source.REST)


def frozen_digest(frozen: Audit) -> str:
    """SHA-256 of the frozen labels in their order, by index and class number."""
    return audit.digest(map(str, frozen.item.tolist()), map(str, frozen.label.tolist()))


def _hand_label(ledger: Ledger, oracle: Oracle, index: Array, purpose: Source) -> None:
    label = oracle.label(index, purpose)
    ledger.take_back(index[ledger.auto[index]])
    ledger.write(index, label, purpose, ledger.rounds)


def _order(ledger: Ledger) -> Array:
    """int64 [n]: what no human has labeled, from most to least trusted; ties by index."""
    item = np.flatnonzero(~ledger.hand)
    order: Array = item[np.lexsort((item, ledger.doubt[item]))]
    return order


def _planned(policy: Policy, ledger: Ledger, item: Array) -> audit.Plan:
    """The cheapest audit of these items, by their doubts."""
    assert policy.target_error is not None
    allowed = certificate.allowed(len(ledger), policy.target_error)
    return audit.plans(allowed, policy.risk, audit.error_profile(ledger.doubt[item]), policy.audit_staged)[0]
