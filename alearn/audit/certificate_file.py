"""Write certificate.json and the files that it rests on.

frozen.csv has the frozen labels in their order, and audit.csv has the answers in the order of the draw. `alearn verify`
(alearn.audit.verify) needs only these files and labels.csv.
"""

import json
from hashlib import file_digest
from pathlib import Path
from typing import Any

from alearn import __version__
from alearn.audit import protocol, rules, verify
from alearn.audit.protocol import Names
from alearn.audit.rules import Group, Terms
from alearn.audit.verify import ANSWERS, ANSWERS_COLUMNS, FROZEN, LABELS, NAME, PURPOSES
from alearn.files import atomic, csv_tables
from alearn.ledger import Audit, Ledger, Source
from alearn.values import Array


def write_frozen(folder: Path, ledger: Ledger, names: Names) -> None:
    """Write frozen.csv, the labels that are frozen before the draw."""
    frozen = ledger.audit
    assert frozen is not None
    with atomic.replacing(folder / FROZEN) as file:
        for text in rules.frozen_text(*protocol.texts(frozen, names)):
            file.write(text.encode())


def write_answers(folder: Path, ledger: Ledger, terms: Terms, names: Names) -> None:
    """Write audit.csv, the answers so far."""
    atomic.replace(folder / ANSWERS, answers_csv(ledger, terms, names))


def build(ledger: Ledger, terms: Terms, names: Names) -> dict[str, Any]:
    """Return the content of certificate.json for a finished audit. Only the hashes of files are missing: see `save`."""
    frozen = ledger.audit
    assert frozen is not None
    order = protocol.draw(terms, names, ledger)
    groups = protocol.groups(terms, names, frozen)
    hand = {purpose: ledger.count(Source[purpose.upper()]) for purpose in PURPOSES}
    again = protocol.repeated(terms, names, ledger) & (frozen.second != -1)
    certificate: dict[str, Any] = {
        "alearn": __version__,
        "total": len(ledger),
        "scope": terms.scope,
        "target_error": terms.target_error,
        "risk": terms.risk,
        "number": terms.number,
        "after": terms.after,
        "answers": terms.answers,
        "repeat": terms.repeat,
        "hand": hand,
        "given": ledger.count(Source.GIVEN),
        "aside": int(ledger.aside.sum()),
        "asked_twice": int((frozen.second != -1).sum()),
        "repeated": int(again.sum()),
        "changed": int((frozen.first != frozen.second)[again].sum()),
        "auto": int(ledger.auto.sum()),
        "items": len(frozen.item),
        "groups": [_group(ledger, frozen, group, _checked(ledger, frozen, order)) for group in groups],
        "seed": frozen.seed.tobytes().decode(),
        "commitment_sha256": protocol.commitment(terms, names, ledger),
        "frozen_sha256": protocol.digest(frozen, names),
    }
    return {"statement": verify.in_words(certificate)} | certificate


def _checked(ledger: Ledger, frozen: Audit, order: Array) -> Array:
    """Return the places that the audit has checked, in the order of the draw, int64 [m]."""
    checked: Array = order[ledger.source[frozen.item[order]] == Source.AUDIT]
    return checked


def _group(ledger: Ledger, frozen: Audit, group: Group, checked: Array) -> dict[str, Any]:
    mine = group.drawn(checked)
    result = rules.outcome(group, mine, ledger.label[frozen.item[mine]] != frozen.label[mine])
    return {
        "name": group.name,
        "items": len(group.place),
        "stages": [list(stage) for stage in group.stages],
        "audited": result.audited,
        "errors": result.errors,
        "errors_accepted": result.accepted_errors,
        "wrong_at_most": result.allowed,
        "cut": result.cut,
    }


def answers_csv(ledger: Ledger, terms: Terms, names: Names) -> str:
    """Return the text of audit.csv, in the order of the draw.

    Each line has the item, its frozen label, the first answer of the human, and the second answer if there was one.
    """
    frozen = ledger.audit
    assert frozen is not None
    rows = list[tuple[str, ...]]()
    for place in _checked(ledger, frozen, protocol.draw(terms, names, ledger)):
        item = frozen.item[place]
        if frozen.second[place] == -1:
            answers = names.answer(ledger.label[item]), ""
        else:
            answers = names.answer(frozen.first[place]), names.answer(frozen.second[place])
        rows.append((names.ids[item], names.classes[frozen.label[place]], *answers))
    return csv_tables.to_text(ANSWERS_COLUMNS, rows)


def save(folder: Path, certificate: dict[str, Any]) -> None:
    """Write certificate.json with the hashes of the files that it rests on."""
    hashed = {"audit_sha256": ANSWERS, "labels_sha256": LABELS}
    hashes = {key: _sha256(folder / name) for key, name in hashed.items()}
    atomic.replace(folder / NAME, json.dumps(certificate | hashes, indent=1) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
