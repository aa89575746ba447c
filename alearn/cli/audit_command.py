"""alearn-audit: a certificate for finished labels, made by whatever tool.

The same command again and again: it freezes and draws, writes a sheet of items to label (blind), reads the answers,
asks for more where that is cheaper, and ends with labels.csv, certificate.json and what `alearn-verify` reads. It is
the audit of a trial (`alearn.audit.protocol`) with a human who answers on sheets.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alearn.audit import finished_labels, rules
from alearn.audit.certificate_file import Certificate
from alearn.audit.finished_labels import Labels
from alearn.audit.protocol import Names, audited, digest, order
from alearn.audit.rules import Terms
from alearn.audit.sheets import Sheets
from alearn.audit.statement import FROZEN, NAME
from alearn.cli import audit_options
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic, csv_tables
from alearn.files.labels_csv import LabelsCsv
from alearn.journal import AuditDrawn, AuditStage, AuditStarted, TrialDone
from alearn.ledger import Audit, Ledger
from alearn.report.sink import Fanout

STATE, NEXT = "audit.json", "next.txt"
COLUMNS = "id", "label", "confidence", "source"


@dataclass(frozen=True)
class State:
    """An audit that has begun: what it is about, what was asked for, and what is fixed since. The frozen labels stand
    in frozen.csv. stages, allowed: as in `alearn.ledger.Audit`. seed: "" before the draw.
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
        """From a folder; raises AlearnError if it cannot be read."""
        try:
            state = cls(**json.loads((folder / STATE).read_text()))
            Terms(**state.terms)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise AlearnError(f"{folder / STATE}: holds no audit that can be read ({type(error).__name__})") from error
        return state

    def audit(self, folder: Path, names: Names) -> Audit:
        """What was frozen. Raises AlearnError if frozen.csv is not what it was."""
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


def run(words: argparse.Namespace) -> None:
    """One call of the command."""
    path = words.labels.resolve()
    columns = {key: name for key in COLUMNS if (name := getattr(words, f"{key}_column")) is not None}
    given = finished_labels.read(path, columns)
    more = {name.strip() for name in words.classes.split(",") if name.strip()}
    names = Names(given.ids, sorted(more | set(given.label)))
    folder = words.out or path.with_name(path.name + ".audit")
    if given.root is not None and folder.resolve().is_relative_to(given.root):
        raise AlearnError(f"--out {folder}: lies in {given.root}, whose files are the items; give another folder")
    terms, ledger = _terms(words), given.ledger(names.classes)
    state = None
    if (folder / STATE).exists():
        state = State.load(folder)
        terms = _same_audit(folder, state, terms, given)
        ledger.audit = state.audit(folder, names)
    else:
        terms = replace(terms, number=_number(words))
        _reachable(path, terms, given, ledger)
        folder.mkdir(parents=True, exist_ok=True)

    sinks = Fanout([LabelsCsv(folder, tuple(given.ids), tuple(names.classes)), Certificate(folder, terms, names)])
    human = Sheets(folder, given.ids, names.classes, given.root)
    try:
        for event in audited(terms, names, human, ledger):
            if isinstance(event, AuditStarted | AuditDrawn):
                if isinstance(event, AuditStarted):
                    sinks.write(event)
                    print(_begun(ledger, event.expected))
                _save(folder, path, given, terms, ledger, names)
                if words.after is not None:
                    atomic.replace(words.after / NEXT, f"{folder}\n")  # its half of the risk is taken, once
            if isinstance(event, AuditStage):
                print(f"{event.audited:,} labels checked, {event.errors:,} of them wrong", flush=True)
    except WaitingError as waiting:
        print(waiting)
        return
    sinks.write(TrialDone(ledger, {}))
    print(json.loads((folder / NAME).read_text())["statement"])
    print(f"labels: {folder / 'labels.csv'}\nproof: {folder / NAME}; check it: alearn-verify {folder}")


def _terms(words: argparse.Namespace) -> Terms:
    return Terms(
        target_error=words.target_error,
        risk=words.risk,
        scope=words.scope,
        kind=words.kind,
        answers=words.answers,
        cut=words.cut,
        seed=words.seed,
    )


def _same_audit(folder: Path, state: State, terms: Terms, given: Labels) -> Terms:
    """The terms of the audit in a folder, if it is of these labels and was asked for the same."""
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


def _reachable(path: Path, terms: Terms, given: Labels, ledger: Ledger) -> None:
    """Raises AlearnError where no audit can prove the target at any saving."""
    if ledger.hand.all():
        raise AlearnError(f"{path}: every label is a human's; there is nothing to audit")
    item = order(terms, ledger)
    if not len(item):
        raise AlearnError(f"--cut {terms.cut}: no label of {path} has a higher confidence")
    groups = rules.places(terms.scope, [given.label[i] for i in item]).values()
    promise = terms.promise(len(ledger), len(groups))
    audit_options.reachable(promise, [len(place) for place in groups], None)


def _begun(ledger: Ledger, expected: float) -> str:
    frozen = ledger.audit
    assert frozen is not None
    text = (
        f"{len(frozen.item):,} labels of {len(ledger):,} are frozen and will be audited, from most to least confident."
    )
    if len(frozen.allowed) == 1:
        plan = ", ".join(f"{size:,} checked may have {tolerated} wrong" for _, size, tolerated in frozen.stages)
        text += f" {frozen.allowed[0]:,} may be wrong in the end.\nplan: {plan}"
    else:
        first = sum(frozen.stages[frozen.stages[:, 0] == g][0, 1] for g in range(len(frozen.allowed)))
        text += f" Each of {len(frozen.allowed)} classes has a bound of its own.\nplan: at least {first:,} to check"
    new = expected - float(ledger.hand.sum())
    return f"{text}; some {new:,.0f} labels by hand are expected, those beyond the cut included"


def _save(folder: Path, path: Path, given: Labels, terms: Terms, ledger: Ledger, names: Names) -> None:
    frozen = ledger.audit
    assert frozen is not None
    state = State(
        source=str(path),
        source_sha256=given.sha256,
        terms=asdict(terms),
        frozen_sha256=digest(frozen, names),
        stages=frozen.stages.tolist(),
        allowed=frozen.allowed.tolist(),
        seed=frozen.seed.tobytes().decode(),
    )
    atomic.replace(folder / STATE, json.dumps(asdict(state), indent=1) + "\n")


def _number(words: argparse.Namespace) -> int:
    """Of the audit that begins: 0 for the only one, 1 for the first of many, one more than that of --after."""
    if words.after is None:
        return int(words.repeatable)
    before = Terms(**State.load(words.after).terms)
    if before.number == 0:
        raise AlearnError(
            f"--after {words.after}: that audit took all of the risk of {before.risk}, for it was not --repeatable. "
            "There is none left: a certificate for other labels would come on top of it"
        )
    if before.risk != words.risk:
        raise AlearnError(f"--risk {words.risk}: must be {before.risk}, which {words.after} shares with its successors")
    if (words.after / NEXT).exists():
        raise AlearnError(
            f"--after {words.after}: it has a successor, {(words.after / NEXT).read_text().strip()}: give that one"
        )
    return before.number + 1


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="alearn-audit",
        description="Certify finished labels: at most a stated share of them is wrong. Run it, fill in the sheet that "
        "it writes, run it again, until it ends with a certificate.",
    )
    parser.add_argument("labels", type=Path, help="a CSV file with a line an item, or a folder of class folders")
    audit_options.add_target(parser)
    parser.add_argument(
        "--cut", type=audit_options.share, help="audit only labels with more confidence; label the others"
    )
    parser.add_argument(
        "--answers", type=int, choices=(1, 2), default=1, help="2: ask once more where the answer is not the label"
    )
    parser.add_argument(
        "--repeatable", action="store_true", help="leave risk for audits of later versions of the labels (see --after)"
    )
    parser.add_argument(
        "--after", type=Path, metavar="DIR", help="the --repeatable audit of the version before this one"
    )
    parser.add_argument("--out", type=Path, help="the audit's folder (default: LABELS.audit)")
    parser.add_argument(
        "--seed",
        help="the draw's: text that was fixed only after the labels were frozen. 'wait' freezes and says the SHA-256 "
        "to publish before that (default: fresh entropy)",
    )
    for key in COLUMNS:
        default = None if key == "source" else key
        parser.add_argument(f"--{key}-column", default=default, metavar="NAME", help=f"default: {key}")
    parser.add_argument("--classes", default="", help="labels that an answer may be besides those given: a,b,c")
    words = parser.parse_args()
    try:
        run(words)
    except (AlearnError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
