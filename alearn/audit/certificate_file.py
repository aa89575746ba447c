"""certificate.json and what it rests on: frozen.csv, the labels in their order, and audit.csv, the answers in the order
of the draw. `alearn-verify` (alearn.audit.verify) needs nothing else but labels.csv.
"""

import json
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from alearn import __version__
from alearn.audit import protocol, rules
from alearn.audit.protocol import Names
from alearn.audit.rules import Group, Terms
from alearn.files import atomic, csv_tables
from alearn.journal import AuditStage, AuditStarted, Event, TrialDone
from alearn.ledger import Audit, Ledger, Source
from alearn.values import Array

NAME, FROZEN, ANSWERS, LABELS = "certificate.json", "frozen.csv", "audit.csv", "labels.csv"
ANSWERED = ("item", "label", "answer", "again")
"""Columns of audit.csv."""
PURPOSES = {"first": Source.FIRST, "query": Source.QUERY, "audit": Source.AUDIT, "rest": Source.REST}
"""Of hand labels that were asked for."""
NAMED = 3
"""Classes that a sentence names."""


class Certificate:
    """A sink that writes down an audit as it goes. Comes after labels.csv, whose hash it takes."""

    def __init__(self, folder: Path, terms: Terms, names: Names) -> None:
        self._folder, self._terms, self._names = folder, terms, names

    def write(self, event: Event) -> None:
        """What is frozen before the draw; answers after each stage; the certificate at the end."""
        if not isinstance(event, AuditStarted | AuditStage | TrialDone) or event.ledger.audit is None:
            return
        frozen = event.ledger.audit
        atomic.replace(self._folder / FROZEN, rules.frozen_text(*protocol.texts(frozen, self._names)))
        if not isinstance(event, AuditStarted):
            atomic.replace(self._folder / ANSWERS, answers_csv(event.ledger, self._terms, self._names))
        if isinstance(event, TrialDone):
            save(self._folder, build(event.ledger, self._terms, self._names))

    def close(self) -> None:
        """Everything is on disk already."""


def build(ledger: Ledger, terms: Terms, names: Names) -> dict[str, Any]:
    """What certificate.json says of an audit that is over, but for the files' hashes: see `save`."""
    frozen = ledger.audit
    assert frozen is not None
    order, groups = protocol.draw(terms, names, ledger), protocol.groups(terms, names, frozen)
    hand = {name: ledger.count(source) for name, source in PURPOSES.items()}
    made: dict[str, Any] = {
        "alearn": __version__,
        "total": len(ledger),
        "scope": terms.scope,
        "target_error": terms.target_error,
        "risk": terms.risk,
        "number": terms.number,
        "answers": terms.answers,
        "hand": hand,
        "given": ledger.count(Source.GIVEN),
        "aside": int(ledger.aside.sum()),
        "asked_twice": int((frozen.first != -1).sum()),
        "auto": int(ledger.auto.sum()),
        "items": len(frozen.item),
        "groups": [_group(ledger, frozen, group, _checked(ledger, frozen, order)) for group in groups],
        "seed": frozen.seed.tobytes().decode(),
        "commitment_sha256": protocol.commitment(terms, names, ledger),
        "frozen_sha256": protocol.digest(frozen, names),
    }
    return {"statement": words(made)} | made


def _checked(ledger: Ledger, frozen: Audit, order: Array) -> Array:
    """int64 [m]: the places that the audit has checked, in the order of the draw."""
    checked: Array = order[ledger.source[frozen.item[order]] == Source.AUDIT]
    return checked


def _group(ledger: Ledger, frozen: Audit, group: Group, checked: Array) -> dict[str, Any]:
    mine = group.drawn(checked)
    result = rules.outcome(group, mine, ledger.label[frozen.item[mine]] != frozen.label[mine])
    return {
        "name": group.name,
        "items": len(group.place),
        "wrong_at_most": group.allowed,
        "stages": [list(stage) for stage in group.stages],
        "audited": result.audited,
        "errors": result.errors,
        "errors_accepted": result.accepted_errors,
        "cut": result.cut,
    }


def answers_csv(ledger: Ledger, terms: Terms, names: Names) -> str:
    """The text of audit.csv, in the order of the draw: item, the label that was frozen, the human's answer, and the
    second one where there was one.
    """
    frozen, rows = ledger.audit, list[tuple[str, ...]]()
    assert frozen is not None
    for place in _checked(ledger, frozen, protocol.draw(terms, names, ledger)):
        item, last = frozen.item[place], names.answer(ledger.label[frozen.item[place]])
        first = frozen.first[place]
        answers = (last, "") if first == -1 else (names.answer(first), last)
        rows.append((names.ids[item], names.classes[frozen.label[place]], *answers))
    return csv_tables.to_text(ANSWERED, rows)


def words(made: dict[str, Any]) -> str:
    """The certificate in a sentence or two, and what it cost."""
    hand, groups = made["hand"], made["groups"]
    confidence = f"with {(100 - 100 * Decimal(repr(made['risk']))).normalize():f} % confidence"  # never rounded up
    wrong, total = sum(g["wrong_at_most"] for g in groups), made["total"]
    if not groups:
        promise = f"All {total:,} labels are a human's"
    elif made["scope"] == "total":
        promise = f"At most {wrong:,} of {total:,} labels are wrong, {confidence}"
    elif made["scope"] == "auto":
        promise = f"At most {wrong:,} of the {made['auto']:,} labels that are the model's are wrong, {confidence}"
        if not made["auto"]:
            promise = f"The model's labels were too often wrong: all {total:,} labels are a human's now"
    else:
        each = [f"{g['wrong_at_most']:,} of {g['items']:,} for {g['name']}" for g in groups]
        shown = "; ".join(each[:NAMED]) + (f"; ... ({len(each)} classes)" if len(each) > NAMED else "")
        promise = (
            f"Of the images that the model put into a class, at most a share of {made['target_error']:.4g} has a wrong "
            f"label, for all {len(groups)} classes at once {confidence}: {shown}"
        )
    train = sum(count for name, count in hand.items() if name not in ("audit", "rest"))
    cost = f"{train:,} to train, {hand['audit']:,} to audit, {hand['rest']:,} beyond the cut"
    if made["asked_twice"]:
        cost += f"; {made['asked_twice']:,} of them asked twice"
    if made["given"]:
        cost += f"; {made['given']:,} labels were there before"
    if made["aside"]:
        cost += f"; {made['aside']:,} images have no label, for the human could not tell"
    return f"{promise}; {sum(hand.values()):,} labels by hand: {cost}."


def save(folder: Path, made: dict[str, Any]) -> None:
    """Write certificate.json, with the hashes of the files that it rests on."""
    hashed = {"audit_sha256": ANSWERS, "labels_sha256": LABELS}
    hashes = {key: sha256((folder / name).read_bytes()).hexdigest() for key, name in hashed.items()}
    atomic.replace(folder / NAME, json.dumps(made | hashes, indent=1) + "\n")
