"""Audit the finished labels of any tool, in a folder.

Each call takes the audit as far as the answers on its sheets go. It freezes the labels and draws from them, writes a
sheet of items to label blind, reads the answers, and asks for more where that is cheaper. In the end it writes
labels.csv, certificate.json and the other files that `alearn verify` reads. The audit is that of a trial
(`alearn.audit.protocol`) with a human who answers on sheets.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alearn.audit import audit_series, certificate_file, class_names, finished_labels, known_audits, plan, rules
from alearn.audit.audit_folder import alone
from alearn.audit.audit_request import Request
from alearn.audit.finished_labels import Labels
from alearn.audit.forecast import order
from alearn.audit.protocol import Names, audit, commitment, digest
from alearn.audit.rules import Terms
from alearn.audit.sheets import Sheets
from alearn.audit.verify import FROZEN, NAME
from alearn.errors import AlearnError
from alearn.files import atomic, csv_tables, labels_csv
from alearn.journal import AuditDrawn, AuditFrozen, AuditStage, Entry, Progress
from alearn.ledger import Audit, Ledger
from alearn.values import Array

STATE = "audit.json"
SHOWN = 5
"""The most sizes of a plan that are shown."""


@dataclass(frozen=True)
class State:
    """An audit that has begun: its labels, its terms, and everything that is fixed.

    Attributes:
        source: The file or folder of the labels.
        source_sha256: The SHA-256 of its content.
        columns: As in `Request`.
        after: The folder of the audit of the version before this one, None if there is none.
        terms: The fields of `Terms`.
        expected_errors: As in `Request`.
        commitment: What is fixed before the draw, see `alearn.audit.rules.commitment`.
        frozen_sha256: The SHA-256 of frozen.csv, which has the frozen labels.
        stages: As in `alearn.ledger.Audit`.
        seed: The seed of the draw, "" before the draw.
    """

    source: str
    source_sha256: str
    columns: dict[str, str]
    after: str | None
    terms: dict[str, Any]
    expected_errors: float | None
    commitment: str
    frozen_sha256: str
    stages: list[list[int]]
    seed: str

    @classmethod
    def load(cls, folder: Path) -> "State":
        """Read the state from a folder. Raise AlearnError if that fails."""
        try:
            state = cls(**json.loads((folder / STATE).read_text()))
            Terms(**state.terms)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise AlearnError(f"{folder / STATE}: holds no readable audit ({type(error).__name__})") from error
        return state

    @classmethod
    def of(cls, request: Request, given: Labels, terms: Terms, ledger: Ledger, names: Names) -> "State":
        """Return the state of the audit in a ledger."""
        frozen = ledger.audit
        assert frozen is not None
        return cls(
            source=str(request.labels),
            source_sha256=given.sha256,
            columns=dict(request.columns),
            after=request.predecessor,
            terms=asdict(terms),
            expected_errors=request.expected_errors,
            commitment=commitment(terms, names, ledger),
            frozen_sha256=digest(frozen, names),
            stages=frozen.stages.tolist(),
            seed=frozen.seed.tobytes().decode(),
        )

    def save(self, folder: Path) -> None:
        """Write the state into a folder."""
        atomic.replace(folder / STATE, json.dumps(asdict(self), indent=1) + "\n")

    def audit(self, folder: Path, names: Names) -> Audit:
        """Return the frozen audit. Raise AlearnError if frozen.csv was changed."""
        lines = csv_tables.read(folder / FROZEN, ("item", "label")).values()
        item = {name: i for i, name in enumerate(names.ids)}
        label = {name: k for k, name in enumerate(names.classes)}
        changed = AlearnError(f"{folder / FROZEN}: was changed after it was frozen; begin again in another folder")
        try:
            frozen = Audit(
                item=np.array([item[line["item"]] for line in lines], np.int64),
                label=np.array([label[line["label"]] for line in lines], np.int64),
                stages=np.array(self.stages, np.int64).reshape(-1, 4),
                seed=np.frombuffer(self.seed.encode(), np.uint8).copy(),
                first=np.full(len(lines), -1, np.int64),
                second=np.full(len(lines), -1, np.int64),
            )
        except KeyError:
            raise changed from None
        except (ValueError, TypeError, AttributeError) as error:
            raise AlearnError(f"{folder / STATE}: cannot be read ({type(error).__name__}: {error})") from error
        if digest(frozen, names) != self.frozen_sha256:
            raise changed
        return frozen


def advance(request: Request, say: Callable[[str], None], warn: Callable[[str], None]) -> dict[str, Any]:
    """Take an audit as far as the answers on its sheets go, and return its certificate.

    Args:
        request: What is asked for. It must be the same in every call.
        say: Called with lines of text about what has been done.
        warn: Called with lines of text about what may be wrong.

    Raises:
        WaitingError: Answers are missing. The message says where to give them.
        AlearnError: The labels, the answers or the request are wrong.
    """
    folder = request.out
    given = finished_labels.read(request.labels, request.columns)
    names = Names(given.ids, sorted({*request.classes, *given.label} - {""}))
    if given.root is not None and folder.resolve().is_relative_to(given.root):
        raise AlearnError(f"--out {folder}: lies in {given.root}, whose files are the items; give another folder")
    ledger = given.ledger(names.classes)
    if not (folder / STATE).exists():
        _new_terms(request, given, ledger)  # raises before anything is written
        folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        if (folder / STATE).exists():
            state = State.load(folder)
            terms = _same_audit(request, state, given)
            after = None if state.after is None else Path(state.after)
            request = replace(request, after=after, expected_errors=state.expected_errors)
            ledger.audit = state.audit(folder, names)
        else:
            terms = _new_terms(request, given, ledger)
            say(class_names.counted(given.label))
            for warning in class_names.twins(names.classes):
                warn(warning)

        human = Sheets(folder, given.ids, names.classes, given.root)
        journal = AuditJournal(request, given, terms, names, say, warn)
        audit(terms, names, human, ledger, journal, request.expected_errors)
        labels_csv.write(folder, ledger, given.ids, names.classes)
        certificate_file.write_answers(folder, ledger, terms, names)
        certificate_file.save(folder, certificate_file.build(ledger, terms, names))
        written: dict[str, Any] = json.loads((folder / NAME).read_text())
        return written


@dataclass(frozen=True)
class AuditJournal:
    """A journal that keeps an audit in its folder. frozen.csv and audit.json exist before anything is drawn or asked.

    terms: the terms of this call, unlike request.terms with the number of the audit and, once it is known, its seed.
    say, warn: called with lines of text.
    """

    request: Request
    given: Labels
    terms: Terms
    names: Names
    say: Callable[[str], None]
    warn: Callable[[str], None]

    def progress(self, step: Progress) -> None:
        """Show nothing, because the sheets say what is asked."""

    def commit(self, entry: Entry) -> None:
        """Write what the entry fixes, and report it to the user."""
        folder = self.request.out
        after = self.request.after
        if isinstance(entry, AuditFrozen):
            certificate_file.write_frozen(folder, entry.ledger, self.names)
            self.say(_frozen_text(entry.ledger, entry.expected))
        if isinstance(entry, AuditDrawn):
            if after is not None:
                audit_series.take_risk(after, folder)
            for warning in known_audits.enter(self.request.labels, self.given.sha256, folder, _series(after)):
                self.warn(warning)
        if isinstance(entry, AuditFrozen | AuditDrawn):
            State.of(self.request, self.given, self.terms, entry.ledger, self.names).save(folder)
        if isinstance(entry, AuditStage):
            self.say(f"{entry.audited:,} labels checked, {entry.errors:,} of them wrong")


def _series(after: Path | None) -> list[str]:
    """Return the folders of an audit and of those before it, as far as they are still there."""
    folders = list[str]()
    while after is not None and (after / STATE).exists():
        folders.append(str(after.resolve()))
        before = State.load(after).after
        after = None if before is None else Path(before)
    return folders


def _same_audit(request: Request, state: State, given: Labels) -> Terms:
    """Return the terms of an audit that has begun. Raise AlearnError if it is not the audit that is asked for.

    given: the labels of this call.
    """
    folder, terms = request.out, request.terms
    frozen_terms = Terms(**state.terms)
    if state.seed and terms.seed not in (None, rules.WAIT, state.seed):
        raise AlearnError(f"--seed {terms.seed}: the draw was made with the seed {state.seed} already; omit --seed")
    comparable = replace(terms, number=frozen_terms.number, after=frozen_terms.after, seed=None)
    if (given.sha256, comparable) != (state.source_sha256, replace(frozen_terms, seed=None)):
        raise AlearnError(
            f"{folder}: holds an audit of other labels, or for another target, risk or scope. An audit proves "
            "something about the labels that were frozen for it, and only once. After any change, begin a new audit "
            "(--out), with --after if this audit was --repeatable; otherwise the risks of the two audits add up"
        )
    request.check_same(frozen_terms.number, state.after, state.columns)
    return frozen_terms if terms.seed is None else replace(frozen_terms, seed=terms.seed)  # "wait" keeps waiting


def _number(request: Request) -> int:
    """Return the number of the audit that begins: 0 for a single audit, 1, 2, ... for the audits of a series."""
    if request.after is None:
        return int(request.repeatable)
    before = Terms(**State.load(request.after).terms)
    if before.number == 0:
        raise AlearnError(
            f"--after {request.after}: that audit took all of the risk of {before.risk}, because it was not "
            "--repeatable. No risk is left for a certificate of other labels"
        )
    if before.risk != request.terms.risk:
        raise AlearnError(
            f"--risk {request.terms.risk}: must be {before.risk}, the risk that {request.after} shares with its "
            "successors"
        )
    audit_series.require_last(request.after)
    return before.number + 1


def _new_terms(request: Request, given: Labels, ledger: Ledger) -> Terms:
    """Return the terms of an audit that begins.

    Raise AlearnError if no audit can prove the target with less work than labeling everything by hand.
    """
    path = request.labels
    before = "" if request.after is None else State.load(request.after).commitment
    terms = replace(request.terms, number=_number(request), after=before)
    if ledger.hand.all():
        raise AlearnError(f"{path}: every label is a human's; there is nothing to audit")
    item = order(terms, ledger)
    if not len(item):
        raise AlearnError(f"--cut {terms.cut}: no label of {path} has a higher confidence")
    there = sorted({*given.label})
    number = {name: at for at, name in enumerate(there)}
    groups = rules.places(terms.scope, np.array([number[given.label[i]] for i in item]), there).values()
    claims = [terms.claim(len(ledger), len(place)) for place in groups]
    plan.reachable(claims, terms.group_risk(len(groups)))
    return terms


def _frozen_text(ledger: Ledger, expected: float) -> str:
    """Return what is frozen and what the plan is, in words. expected: an estimate of all hand labels in the end."""
    frozen = ledger.audit
    assert frozen is not None
    text = (
        f"{len(frozen.item):,} labels of {len(ledger):,} are frozen and will be audited, from most to least confident."
    )
    groups = len(np.unique(frozen.stages[:, 0]))
    if groups == 1:
        text += f" At most {frozen.stages[0, 3]:,} may be wrong in the end.\nplan: {_plan_text(frozen.stages)}"
    else:
        first = sum(frozen.stages[frozen.stages[:, 0] == g][0, 1] for g in range(groups))
        text += f" Each of {groups} classes has a bound of its own.\nplan: at least {first:,} to check"
    new = expected - float(ledger.hand.sum())
    return f"{text}; about {new:,.0f} hand labels are expected, including those beyond the cut"


def _plan_text(stages: Array) -> str:
    shown = [f"{size:,} checked may have {tolerated} wrong" for _, size, tolerated, _ in stages[:SHOWN].tolist()]
    return ", ".join(shown) + (f", ... ({len(stages)} sizes)" if len(stages) > SHOWN else "")
