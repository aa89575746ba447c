"""alearn-audit: a certificate for a finished label file, made by whatever tool.

The same command again and again: it freezes and draws, writes a sheet of items to label (blind), reads the answers,
asks for more where that is cheaper, and ends with labels.csv, certificate.json and what `alearn-verify` reads.
"""

import argparse
import csv
import io
import json
import sys
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import numpy as np

from alearn.certify import options
from alearn.certify.tables import read_answers, table
from alearn.decide import audit, certificate
from alearn.errors import AlearnError
from alearn.events import Array
from alearn.record import files
from alearn.record.certificate import ANSWERS, FROZEN, LABELS, answers_csv, build, save

STATE, SHEET, REST, NEXT = "audit.json", "sheet.csv", "rest.csv", "next.txt"


@dataclass(frozen=True)
class Labels:
    """A label file. id, label: of all items, in file order. hand: bool [n], which are a human's already. confidence:
    float64 [n], that the label is right; only its order matters. classes: the labels that there are.
    """

    id: list[str]
    label: list[str]
    hand: Array
    confidence: Array
    classes: frozenset[str]


@dataclass(frozen=True)
class State:
    """An audit that has begun: what was asked for, and what is fixed since."""

    source: str
    source_sha256: str
    frozen_sha256: str
    seed: str
    target_error: float
    risk: float
    number: int
    stages: list[list[int]]


def read(path: Path, columns: dict[str, str], classes: list[str]) -> Labels:
    """Read a label file. columns: the names of its columns for id, label, confidence and source (which may be missing:
    then no label is a human's). classes: labels that an answer may have besides those in the file.
    """
    need = [columns[key] for key in ("id", "label", "confidence")]
    lines = table(path, need)
    if not lines:
        raise AlearnError(f"{path}: has no labels")
    names = [line[columns["id"]] for line in lines]
    seen: set[str] = set()
    for number, (name, line) in enumerate(zip(names, lines, strict=True), 2):
        if name in seen:
            raise AlearnError(f"{path}: line {number}: {columns['id']}={name} is there twice; must be unique")
        seen.add(name)
        if not line[columns["label"]]:
            raise AlearnError(f"{path}: line {number}: {name} has no {columns['label']}; every item needs one")
    hand = np.array([line.get(columns["source"], "") == "hand" for line in lines], bool)
    confidence = np.array([options.number(path, n, columns["confidence"], line) for n, line in enumerate(lines, 2)])
    labels = [line[columns["label"]] for line in lines]
    return Labels(names, labels, hand, confidence, frozenset(labels) | set(classes))


def begin(
    folder: Path, path: Path, labels: Labels, target_error: float, risk: float, number: int, seed: str | None
) -> State:
    """Freeze, plan, and only then draw. number: of the audit, see `alearn.decide.certificate.risk_of`. Raises
    AlearnError where no audit can prove the target at any saving.
    """
    here = certificate.risk_of(risk, number)
    order = np.array([i for i in np.lexsort((-labels.confidence,)) if not labels.hand[i]], np.int64)
    if not len(order):
        raise AlearnError(f"{path}: every label is a human's; there is nothing to audit")
    allowed = certificate.allowed(len(labels.id), target_error)
    options.reachable(len(order), allowed, here, None)
    doubt = np.log(np.clip(1 - labels.confidence[order], 1e-12, 1.0))
    plan = audit.plans(allowed, here, audit.error_profile(doubt))[0]
    frozen = audit.frozen_text((labels.id[i] for i in order), (labels.label[i] for i in order))
    files.replace(folder / FROZEN, frozen)
    state = State(
        source=str(path),
        source_sha256=sha256(path.read_bytes()).hexdigest(),
        frozen_sha256=sha256(frozen.encode()).hexdigest(),
        seed=token_hex(16) if seed is None else seed,
        target_error=target_error,
        risk=risk,
        number=number,
        stages=[list(stage) for stage in plan.stages],
    )
    files.replace(folder / STATE, json.dumps(asdict(state), indent=1) + "\n")
    print(
        f"{len(order):,} labels of {len(labels.id):,} are frozen and will be audited, from most to least confident; "
        f"{allowed:,} may be wrong in the end.\nplan: "
        + ", ".join(f"{size:,} checked may have {tolerated} wrong" for size, tolerated in plan.stages)
        + f"; some {plan.mean:,.0f} labels by hand are expected, beyond the cut included (90 % of the time at most "
        f"{plan.high:,.0f})"
    )
    return state


def go_on(folder: Path, labels: Labels, state: State) -> bool:
    """Read what is answered, and do the next thing. True once the certificate is there."""
    frozen = table(folder / FROZEN, ["item", "label"])
    item, label = [line["item"] for line in frozen], [line["label"] for line in frozen]
    if sha256((folder / FROZEN).read_bytes()).hexdigest() != state.frozen_sha256:
        raise AlearnError(f"{folder / FROZEN}: was changed since it was frozen; begin anew in another folder")
    drawn = audit.draw(state.frozen_sha256, state.seed, len(item))
    stages = tuple((size, tolerated) for size, tolerated in state.stages)

    for size, _ in stages:
        wanted = [item[place] for place in drawn[:size]]
        given = read_answers(folder / SHEET, labels.classes)
        if not _all_there(folder / SHEET, wanted, given, "check"):
            return False
        wrong = np.array([given[item[place]] != label[place] for place in drawn[:size]], bool)
        result = audit.outcome(len(item), stages, drawn[:size], wrong)
        print(f"{result.audited:,} labels checked, {result.errors:,} of them wrong")
        if audit.enough(len(item), stages, result):
            break

    beyond = [one for one in item[result.cut :] if one not in given]
    rest = read_answers(folder / REST, labels.classes) if beyond else {}
    if beyond and not _all_there(folder / REST, beyond, rest, "label: they lie beyond the cut,"):
        return False

    checked = [(item[place], label[place], given[item[place]]) for place in drawn[: result.audited]]
    files.replace(folder / ANSWERS, answers_csv(checked))
    answered = {name: (answer, "audit") for name, _, answer in checked} | {one: (rest[one], "rest") for one in beyond}
    files.replace(folder / LABELS, _delivered(labels, answered))
    made = build(
        total=len(labels.id),
        target_error=state.target_error,
        risk=state.risk,
        digest=state.frozen_sha256,
        seed=state.seed,
        items=len(item),
        stages=stages,
        places=drawn[: result.audited].tolist(),
        wrong=wrong.tolist(),
        number=state.number,
        hand={"given": int(labels.hand.sum()), "audit": len(checked), "rest": len(beyond)},
        classes=None,
    )
    save(folder, made)
    print(made["statement"])
    print(f"labels: {folder / LABELS}\nproof: {folder / 'certificate.json'}; check it: alearn-verify {folder}")
    return True


def _number(words: argparse.Namespace) -> int:
    """Of the audit that begins: 0 for the only one, 1 for the first of many, one more than that of --after."""
    if words.after is None:
        return int(words.repeatable)
    try:
        before = State(**json.loads((words.after / STATE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise AlearnError(f"--after {words.after}: holds no audit ({type(error).__name__})") from error
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


def _all_there(path: Path, wanted: list[str], given: dict[str, str], what: str) -> bool:
    """Whether all are answered; if not, the sheet asks for those that are missing, and keeps the answers it has."""
    missing = [name for name in wanted if name not in given]
    if not missing:
        return True
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(("item", "answer"))
    asked = dict.fromkeys([*given, *wanted])  # an answer that was given is never dropped
    for name in asked:
        write((name, given.get(name, "")))
    files.replace(path, text.getvalue())
    print(
        f"{len(missing):,} items to {what} without looking at their labels: {path}, column answer; then run this again"
    )
    return False


def _delivered(labels: Labels, answered: dict[str, tuple[str, str]]) -> str:
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(("id", "label", "source", "purpose", "confidence"))
    for name, label, hand, confidence in zip(labels.id, labels.label, labels.hand, labels.confidence, strict=True):
        if name in answered:
            answer, purpose = answered[name]
            write((name, answer, "hand", purpose, 1))
        else:
            write((name, label, "hand" if hand else "auto", "given" if hand else "", f"{confidence:.15g}"))
    return text.getvalue()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="alearn-audit",
        description="Certify a finished label file: at most a stated share of its labels is wrong. Run it, fill in the "
        "sheet that it writes, run it again, until it ends with a certificate.",
    )
    parser.add_argument("labels", type=Path, help="a CSV file with a line an item")
    options.add_target(parser)
    parser.add_argument(
        "--repeatable", action="store_true", help="leave risk for audits of later versions of the labels (see --after)"
    )
    parser.add_argument(
        "--after", type=Path, metavar="DIR", help="the --repeatable audit of the version before this one"
    )
    parser.add_argument("--out", type=Path, help="the audit's folder (default: LABELS.audit)")
    parser.add_argument(
        "--seed", help="the draw's, any text that was public before the labels (default: fresh entropy)"
    )
    for key, default in (("id", "id"), ("label", "label"), ("confidence", "confidence"), ("source", "source")):
        parser.add_argument(f"--{key}-column", default=default, metavar="NAME", help=f"default: {default}")
    parser.add_argument("--classes", default="", help="labels that an answer may be besides those in the file: a,b,c")
    words = parser.parse_args()
    try:
        run(words)
    except AlearnError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def run(words: argparse.Namespace) -> None:
    """One call of the command."""
    folder = words.out or words.labels.with_name(words.labels.name + ".audit")
    columns = {key: getattr(words, f"{key}_column") for key in ("id", "label", "confidence", "source")}
    labels = read(words.labels, columns, [name for name in words.classes.split(",") if name])
    if (folder / STATE).exists():
        state = State(**json.loads((folder / STATE).read_text()))
        now = sha256(words.labels.read_bytes()).hexdigest()
        if (now, words.target_error, words.risk) != (state.source_sha256, state.target_error, state.risk):
            raise AlearnError(
                f"{folder}: holds an audit of other labels, or for another target or risk. An audit proves something "
                "of the labels that were frozen for it, and only once: after any change begin a new one (--out), with "
                "--after if this one was --repeatable; if not, the risks of the two add up"
            )
    else:
        number = _number(words)
        folder.mkdir(parents=True, exist_ok=True)
        state = begin(folder, words.labels, labels, words.target_error, words.risk, number, words.seed)
        if words.after is not None:
            files.replace(words.after / NEXT, f"{folder}\n")  # its half of the risk is taken, once
    go_on(folder, labels, state)
