"""An audit of finished labels, made by whatever tool, in a folder.

Each call takes it as far as the answers go: it freezes and draws, writes a sheet of items to label (blind), reads the
answers, asks for more where that is cheaper, and ends with labels.csv, certificate.json and what `alearn verify` reads.
It is the audit of a trial (`alearn.audit.protocol`) with a human who answers on sheets.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alearn.audit import certificate_file, finished_labels, plan, rules
from alearn.audit.finished_labels import Labels
from alearn.audit.protocol import Names, audit, digest, order
from alearn.audit.rules import Terms
from alearn.audit.sheets import Sheets
from alearn.audit.statement import FROZEN, NAME
from alearn.errors import AlearnError
from alearn.files import atomic, csv_tables, labels_csv
from alearn.journal import AuditDrawn, AuditFrozen, AuditStage, Entry, Progress
from alearn.ledger import Audit, Ledger

STATE, NEXT = "audit.json", "next.txt"


@dataclass(frozen=True)
class Request:
    """What a call asks for. Its fields are the options of `alearn audit`, so messages name them.

    labels: a CSV file, or a folder of class folders. out: the audit's folder. columns: names of the file's columns for
    id, label, confidence and perhaps source. classes: labels that an answer may be besides those given. repeatable:
    whether to leave risk for audits of later versions of the labels. after: the audit of the version before this one.
    """

    labels: Path
    out: Path
    terms: Terms
    columns: Mapping[str, str]
    classes: Collection[str] = ()
    repeatable: bool = False
    after: Path | None = None


@dataclass(frozen=True)
class State:
    """An audit that has begun: what it is about, what was asked for, and what is fixed since. The frozen labels are in
    frozen.csv. stages, allowed: as in `alearn.ledger.Audit`. seed: "" before the draw.
    """

    source: str
    source_sha256: str
    terms: dict[str, Any]
    frozen_sha256: str
    stages: list[list[int]]
    allowed: list[int]
    seed: str

    @classmethod
    def load(cls, folder: Path) -> "State":
        """Read it from a folder. Raises AlearnError if it cannot be read."""
        try:
            state = cls(**json.loads((folder / STATE).read_text()))
            Terms(**state.terms)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise AlearnError(f"{folder / STATE}: holds no audit that can be read ({type(error).__name__})") from error
        return state

    @classmethod
    def of(cls, request: Request, given: Labels, terms: Terms, ledger: Ledger, names: Names) -> "State":
        """Return where an audit in a ledger stands."""
        frozen = ledger.audit
        assert frozen is not None
        return cls(
            source=str(request.labels),
            source_sha256=given.sha256,
            terms=asdict(terms),
            frozen_sha256=digest(frozen, names),
            stages=frozen.stages.tolist(),
            allowed=frozen.allowed.tolist(),
            seed=frozen.seed.tobytes().decode(),
        )

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        atomic.replace(folder / STATE, json.dumps(asdict(self), indent=1) + "\n")

    def audit(self, folder: Path, names: Names) -> Audit:
        """Return what was frozen. Raises AlearnError if frozen.csv is not what it was."""
        lines = csv_tables.read(folder / FROZEN, ("item", "label")).values()
        item = {name: i for i, name in enumerate(names.ids)}
        label = {name: k for k, name in enumerate(names.classes)}
        changed = AlearnError(f"{folder / FROZEN}: was changed since it was frozen; begin anew in another folder")
        try:
            frozen = Audit(
                item=np.array([item[line["item"]] for line in lines], np.int64),
                label=np.array([label[line["label"]] for line in lines], np.int64),
                stages=np.array(self.stages, np.int64).reshape(-1, 3),
                allowed=np.array(self.allowed, np.int64),
                seed=np.frombuffer(self.seed.encode(), np.uint8).copy(),
                first=np.full(len(lines), -1, np.int64),
            )
        except KeyError:
            raise changed from None
        except (ValueError, TypeError, AttributeError) as error:
            raise AlearnError(f"{folder / STATE}: cannot be read ({type(error).__name__}: {error})") from error
        if digest(frozen, names) != self.frozen_sha256:
            raise changed
        return frozen


def advance(request: Request, say: Callable[[str], None]) -> dict[str, Any]:
    """Take an audit as far as the answers on its sheets go, and return its certificate.

    Args:
        request: What is asked for; the same in every call.
        say: Takes a line of text about what has been done.

    Raises:
        WaitingError: Answers are missing; the message says where they go.
        AlearnError: The labels, the answers or the request are wrong.
    """
    path, folder = request.labels, request.out
    given = finished_labels.read(path, request.columns)
    names = Names(given.ids, sorted({*request.classes, *given.label}))
    if given.root is not None and folder.resolve().is_relative_to(given.root):
        raise AlearnError(f"--out {folder}: lies in {given.root}, whose files are the items; give another folder")
    ledger = given.ledger(names.classes)
    if (folder / STATE).exists():
        state = State.load(folder)
        terms = _same_audit(folder, state, request.terms, given)
        ledger.audit = state.audit(folder, names)
    else:
        terms = replace(request.terms, number=_number(request))
        _require_reachable(path, terms, given, ledger)
        folder.mkdir(parents=True, exist_ok=True)

    human = Sheets(folder, given.ids, names.classes, given.root)
    audit(terms, names, human, ledger, AuditJournal(request, given, terms, names, say))
    labels_csv.write(folder, ledger, given.ids, names.classes)
    certificate_file.write_answers(folder, ledger, terms, names)
    certificate_file.save(folder, certificate_file.build(ledger, terms, names))
    written: dict[str, Any] = json.loads((folder / NAME).read_text())
    return written


@dataclass(frozen=True)
class AuditJournal:
    """Keeps an audit in its folder: frozen.csv and audit.json are there before anything is drawn or asked.

    terms: as they are for this call; request.terms may leave the seed out. say: takes a line of text.
    """

    request: Request
    given: Labels
    terms: Terms
    names: Names
    say: Callable[[str], None]

    def progress(self, step: Progress) -> None:
        """Show nothing: the sheets say what is asked."""

    def commit(self, entry: Entry) -> None:
        """Write what the entry fixes, and say where the audit stands."""
        folder, after = self.request.out, self.request.after
        if isinstance(entry, AuditFrozen):
            certificate_file.write_frozen(folder, entry.ledger, self.names)
            self.say(_frozen_text(entry.ledger, entry.expected))
        if isinstance(entry, AuditFrozen | AuditDrawn):
            State.of(self.request, self.given, self.terms, entry.ledger, self.names).save(folder)
            if after is not None:
                atomic.replace(after / NEXT, f"{folder}\n")  # its half of the risk is taken, once
        if isinstance(entry, AuditStage):
            self.say(f"{entry.audited:,} labels checked, {entry.errors:,} of them wrong")


def _same_audit(folder: Path, state: State, terms: Terms, given: Labels) -> Terms:
    """Return the terms of the audit in a folder, if it is of these labels and was asked for the same."""
    began = Terms(**state.terms)
    if state.seed and terms.seed not in (None, rules.WAIT, state.seed):
        raise AlearnError(f"--seed {terms.seed}: the draw was made already, with the seed {state.seed}, and stays")
    asked = replace(terms, number=began.number, seed=None)
    if (given.sha256, asked) != (state.source_sha256, replace(began, seed=None)):
        raise AlearnError(
            f"{folder}: holds an audit of other labels, or for another target, risk or scope. An audit proves "
            "something of the labels that were frozen for it, and only once: after any change begin a new one (--out), "
            "with --after if this one was --repeatable; if not, the risks of the two add up"
        )
    return began if terms.seed is None else replace(began, seed=terms.seed)  # "wait" goes on waiting


def _number(request: Request) -> int:
    """Return the number of the audit that begins: 0 for the only one, 1 for the first of many, then one more each."""
    if request.after is None:
        return int(request.repeatable)
    before = Terms(**State.load(request.after).terms)
    if before.number == 0:
        raise AlearnError(
            f"--after {request.after}: that audit took all of the risk of {before.risk}, for it was not --repeatable. "
            "There is none left: a certificate for other labels would come on top of it"
        )
    if before.risk != request.terms.risk:
        raise AlearnError(
            f"--risk {request.terms.risk}: must be {before.risk}, which {request.after} shares with its successors"
        )
    if (request.after / NEXT).exists():
        successor = (request.after / NEXT).read_text().strip()
        raise AlearnError(f"--after {request.after}: it has a successor, {successor}: give that one")
    return before.number + 1


def _require_reachable(path: Path, terms: Terms, given: Labels, ledger: Ledger) -> None:
    """Raise AlearnError where no audit can prove the target at any saving."""
    if ledger.hand.all():
        raise AlearnError(f"{path}: every label is a human's; there is nothing to audit")
    item = order(terms, ledger)
    if not len(item):
        raise AlearnError(f"--cut {terms.cut}: no label of {path} has a higher confidence")
    groups = rules.places(terms.scope, [given.label[i] for i in item]).values()
    plan.reachable(terms.promise(len(ledger), len(groups)), [len(place) for place in groups])


def _frozen_text(ledger: Ledger, expected: float) -> str:
    """Say what is frozen and what the plan is. expected: hand labels in all."""
    frozen = ledger.audit
    assert frozen is not None
    text = (
        f"{len(frozen.item):,} labels of {len(ledger):,} are frozen and will be audited, from most to least confident."
    )
    if len(frozen.allowed) == 1:
        stages = ", ".join(f"{size:,} checked may have {tolerated} wrong" for _, size, tolerated in frozen.stages)
        text += f" {frozen.allowed[0]:,} may be wrong in the end.\nplan: {stages}"
    else:
        first = sum(frozen.stages[frozen.stages[:, 0] == g][0, 1] for g in range(len(frozen.allowed)))
        text += f" Each of {len(frozen.allowed)} classes has a bound of its own.\nplan: at least {first:,} to check"
    new = expected - float(ledger.hand.sum())
    return f"{text}; some {new:,.0f} labels by hand are expected, those beyond the cut included"
