"""certificate.json and what it rests on: frozen.csv, the labels in their order, and audit.csv, the answers in the order
of the draw. `alearn-verify` (alearn.certify.verify) needs nothing else but labels.csv.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from alearn import __version__
from alearn.audited import frozen_digest
from alearn.config import Policy
from alearn.decide import audit, certificate
from alearn.events import AuditStage, AuditStarted, Event, TrialDone
from alearn.ledger import Audit, Ledger, Source
from alearn.record import files

NAME, FROZEN, ANSWERS, LABELS = "certificate.json", "frozen.csv", "audit.csv", "labels.csv"
PURPOSES = {"first": Source.FIRST, "query": Source.QUERY, "audit": Source.AUDIT, "rest": Source.REST}


class Certificate:
    """A sink that writes down an audit as it goes. Comes after labels.csv, whose hash it takes."""

    def __init__(self, folder: Path, policy: Policy, classes: Sequence[str]) -> None:
        self._folder, self._policy, self._classes = folder, policy, classes

    def write(self, event: Event) -> None:
        """What is frozen before the draw; answers after each stage; the certificate at the end."""
        if not isinstance(event, AuditStarted | AuditStage | TrialDone) or event.ledger.audit is None:
            return
        frozen = event.ledger.audit
        items, labels = frozen.item.tolist(), frozen.label.tolist()
        files.replace(self._folder / FROZEN, audit.frozen_text(map(str, items), map(str, labels)))
        if not isinstance(event, AuditStarted):
            files.replace(self._folder / ANSWERS, answers_csv(answers(event.ledger, frozen)))
        if isinstance(event, TrialDone):
            made = of_trial(event.ledger, frozen, self._policy, self._classes)
            save(self._folder, made)

    def close(self) -> None:
        """Everything is on disk already."""


def answers(ledger: Ledger, frozen: Audit) -> list[tuple[str, str, str]]:
    """(item, frozen label, answer) of all labels that the audit has checked, in the order of the draw."""
    order = audit.draw(frozen_digest(frozen), frozen.seed.tobytes().decode(), len(frozen.item))
    drawn = [place for place in order.tolist() if ledger.source[frozen.item[place]] == Source.AUDIT]
    return [(str(frozen.item[p]), str(frozen.label[p]), str(ledger.label[frozen.item[p]])) for p in drawn]


def of_trial(ledger: Ledger, frozen: Audit, policy: Policy, classes: Sequence[str]) -> dict[str, Any]:
    """The certificate of a trial whose audit is over, without the files' hashes: see `save`."""
    assert policy.target_error is not None
    checked = answers(ledger, frozen)
    place = {str(item): number for number, item in enumerate(frozen.item.tolist())}
    stages = tuple((int(size), int(tolerated)) for size, tolerated in frozen.stages)
    hand = {name: ledger.count(source) for name, source in PURPOSES.items()}
    return build(
        total=len(ledger),
        target_error=policy.target_error,
        risk=policy.risk,
        digest=frozen_digest(frozen),
        seed=frozen.seed.tobytes().decode(),
        items=len(frozen.item),
        stages=stages,
        places=[place[item] for item, _, _ in checked],
        wrong=[label != answer for _, label, answer in checked],
        hand=hand,
        classes=list(classes),
    )


def build(
    *,
    total: int,
    target_error: float,
    risk: float,
    digest: str,
    seed: str,
    items: int,
    stages: certificate.Stages,
    places: Sequence[int],
    wrong: Sequence[bool],
    hand: dict[str, int],
    classes: list[str] | None,
    number: int = 0,
) -> dict[str, Any]:
    """What certificate.json says, but for the files' hashes.

    places: in the order of trust, of the checked labels in the order of the draw; wrong: which of them. hand: hand
    labels by purpose. classes: names by the numbers in frozen.csv, None where it has names. number: of
    the audit, see `alearn.decide.certificate.risk_of`.
    """
    result = audit.outcome(items, stages, np.array(places, np.int64), np.array(wrong, bool))
    made: dict[str, Any] = {
        "alearn": __version__,
        "total": total,
        "target_error": target_error,
        "risk": risk,
        "number": number,
        "wrong_at_most": certificate.allowed(total, target_error),
        "hand": hand,
        "auto": total - sum(hand.values()),
        "items": items,
        "stages": [list(stage) for stage in stages],
        "audited": result.audited,
        "errors": result.errors,
        "errors_accepted": result.accepted_errors,
        "cut": result.cut,
        "seed": seed,
        "frozen_sha256": digest,
        "classes": classes,
    }
    return {"statement": words(made)} | made


def words(made: dict[str, Any]) -> str:
    """The certificate in a sentence, and what it cost."""
    hand = made["hand"]
    train = sum(count for name, count in hand.items() if name not in ("audit", "rest"))
    cost = f"{train:,} to train, {hand['audit']:,} to audit, {hand['rest']:,} beyond the cut"
    confidence = f"{100 * (1 - made['risk']):.4g} % confidence"
    return (
        f"At most {made['wrong_at_most']:,} of {made['total']:,} labels are wrong, with {confidence}; "
        f"{sum(hand.values()):,} labels by hand: {cost}."
    )


def save(folder: Path, made: dict[str, Any]) -> None:
    """Write certificate.json, with the hashes of the files that it rests on."""
    hashed = {"audit_sha256": ANSWERS, "labels_sha256": LABELS}
    hashes = {key: sha256((folder / name).read_bytes()).hexdigest() for key, name in hashed.items()}
    files.replace(folder / NAME, json.dumps(made | hashes, indent=1) + "\n")


def answers_csv(checked: Iterable[tuple[str, str, str]]) -> str:
    """The text of audit.csv: item, the label that was frozen, the human's answer; in the order of the draw."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    write.writerow(("item", "label", "answer"))
    write.writerows(checked)
    return text.getvalue()
