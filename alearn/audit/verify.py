"""Check whether a certificate follows from the files beside it. It reads no model and no images, and needs only NumPy.

`alearn verify DIR`, or by itself: `python -m alearn.audit.verify DIR`.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np

from alearn.audit import bounds, rules
from alearn.audit.rules import Group, Scope, Terms
from alearn.audit.statement import ANSWERED, ANSWERS, FROZEN, LABELS, NAME, PURPOSES, words
from alearn.errors import AlearnError
from alearn.files import csv_tables
from alearn.files.labels_csv import HEADER
from alearn.ledger import CANNOT_TELL_TEXT

SHOWN = 3
"""Items that a message names."""


KEYS = (
    "statement", "alearn", "total", "scope", "target_error", "risk", "number", "answers", "hand", "given",
    "aside", "asked_twice", "auto",
    "items", "groups", "seed", "commitment_sha256", "frozen_sha256", "audit_sha256", "labels_sha256",
)  # fmt: skip
GROUP = "name", "items", "wrong_at_most", "stages", "audited", "errors", "errors_accepted", "cut"
LAST = 64
"""Numbers of audits that share a risk end here: risk / 2^64 is none."""


def verify(folder: Path) -> dict[str, Any]:
    """The certificate in a folder, if every number of it follows from the files beside it. Raises AlearnError for the
    first that does not, with what it is and what it should be.
    """
    made = _json(folder / NAME)
    try:
        _check(folder, made)
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError, AttributeError) as error:
        raise AlearnError(f"{folder / NAME}: cannot be checked ({type(error).__name__}: {error}); damaged") from error
    return made


def verdict(folder: Path) -> tuple[bool, str]:
    """Return whether the certificate in a folder is valid, and what was checked or why it is not, in words."""
    try:
        made = verify(folder)
    except AlearnError as error:
        return False, f"NOT VALID: {error}"
    groups = made["groups"]
    audited, errors, cut = (sum(group[key] for group in groups) for key in ("audited", "errors", "cut"))
    return True, (
        f"valid: {made['statement']}\n"
        f"checked: {made['items']:,} frozen labels and the plan (SHA-256 {made['commitment_sha256']}), the draw of "
        f"{audited:,} by its seed, {errors:,} of them wrong, {cut:,} accepted, {made['total']:,} delivered labels"
    )


def _check(folder: Path, made: dict[str, Any]) -> None:
    _same(folder / NAME, "its keys", sorted(made), sorted(KEYS))
    for name, key in ((FROZEN, "frozen_sha256"), (ANSWERS, "audit_sha256"), (LABELS, "labels_sha256")):
        _same(folder / name, "its SHA-256", sha256(_read(folder / name)).hexdigest(), made[key])
    frozen = csv_tables.read(folder / FROZEN, ("item", "label"), exact=True).values()
    item, label = [line["item"] for line in frozen], [line["label"] for line in frozen]
    if len(set(item)) != len(item):
        raise AlearnError(f"{folder / FROZEN}: an item is there twice")
    _same(folder / NAME, "items", made["items"], len(item))
    terms = _terms(folder, made)
    answers = _answers(folder, made, item, label)

    groups = _groups(folder, made, terms, label)
    committed = rules.commitment(made["frozen_sha256"], terms, made["total"], groups)
    _same(folder / NAME, "commitment_sha256", made["commitment_sha256"], committed)
    order = rules.draw(committed, made["seed"], len(item))
    checked, accepted = np.zeros(len(item), bool), np.zeros(len(item), bool)
    for group, said in zip(groups, made["groups"], strict=True):
        drawn = group.drawn(order)[: _count(folder, said["audited"], "audited")]
        checked[drawn] = True
        missing = [item[place] for place in drawn if item[place] not in answers]
        if missing:
            raise AlearnError(f"{folder / ANSWERS}: items that the seed draws have no answer: {missing[:SHOWN]}")
        wrong = np.array([answers[item[place]] != label[place] for place in drawn], bool)
        result = rules.outcome(group, drawn, wrong)
        found = {"items": len(group.place), "errors": result.errors, "errors_accepted": result.accepted_errors}
        for key, value in (found | {"cut": result.cut}).items():
            _same(folder / NAME, f"{key}{group.name and f' of {group.name}'}", said[key], value)
        accepted[group.place] = np.arange(len(group.place)) < result.cut
    drawn_items = [item[place] for place in order[checked[order]]]
    _same(folder / ANSWERS, "its items, in the order that the seed draws", list(answers), drawn_items)
    model = {item[place]: label[place] for place in np.flatnonzero(accepted & ~checked)}
    _check_delivered(folder, made, item, answers, model)
    _same(folder / NAME, "statement", made["statement"], words(made))


def _terms(folder: Path, made: dict[str, Any]) -> Terms:
    """What the audit was asked for."""
    target, risk = made["target_error"], made["risk"]
    if not all(type(share) in (int, float) and 0 < share < 1 for share in (risk, target)):
        raise AlearnError(f"{folder / NAME}: target_error={target}, risk={risk}: must lie between 0 and 1")
    for key, allowed in {"scope": get_args(Scope), "answers": (1, 2), "number": range(LAST)}.items():
        if type(made[key]) not in (int, str) or made[key] not in allowed:
            raise AlearnError(f"{folder / NAME}: {key}={made[key]}: must be one of {', '.join(map(str, allowed))}")
    _count(folder, made["total"], "total")
    return Terms(target, risk, made["scope"], answers=made["answers"], number=made["number"])


def _count(folder: Path, value: object, what: str) -> int:
    if type(value) is not int or value < 0:
        raise AlearnError(f"{folder / NAME}: {what}={value}: must be a whole number, and not below 0")
    return value


def _answers(folder: Path, made: dict[str, Any], item: list[str], label: list[str]) -> dict[str, str]:
    """What the human says of each audited item in the end, in the order of audit.csv."""
    path, frozen, found, twice = folder / ANSWERS, dict(zip(item, label, strict=True)), dict[str, str](), 0
    for number, line in csv_tables.read(path, ANSWERED, exact=True).items():
        one, where = line["item"], f"{path}: line {number}"
        if one not in frozen or one in found:
            raise AlearnError(f"{where}: item {one}: " + ("is there twice" if one in found else "was not frozen"))
        _same(where, f"the frozen label of item {one}", line["label"], frozen[one])
        again = made["answers"] == 2 and line["answer"] != line["label"]
        if not line["answer"] or bool(line["again"]) != again:
            few = again or not line["answer"]
            raise AlearnError(f"{where}: item {one}: has too {'few' if few else 'many'} answers")
        found[one] = line["again"] or line["answer"]
        twice += again
    _same(folder / NAME, "asked_twice", made["asked_twice"], twice)
    return found


def _groups(folder: Path, made: dict[str, Any], terms: Terms, label: list[str]) -> list[Group]:
    """The groups that the frozen labels have, if the stages of each keep what is promised."""
    places = rules.places(terms.scope, label)
    _same(folder / NAME, "the names of the groups", [said["name"] for said in made["groups"]], list(places))
    promise, found = terms.promise(made["total"], len(places)), []
    for said, place in zip(made["groups"], places.values(), strict=True):
        _same(folder / NAME, "the keys of a group", sorted(said), sorted(GROUP))
        stages = tuple((_count(folder, m, "stages"), _count(folder, k, "stages")) for m, k in said["stages"])
        allowed = _count(folder, said["wrong_at_most"], "wrong_at_most")
        most = promise.allowed(len(place), stages[-1][0] if stages else 0)
        if allowed > most:
            raise AlearnError(f"{folder / NAME}: wrong_at_most={allowed}: must be from 0 to {most} for this target")
        if not bounds.sound(len(place), allowed, promise.risk, stages):
            raise AlearnError(f"{folder / NAME}: stages={said['stages']}: accept too much for a risk of {promise.risk}")
        found.append(Group(said["name"], place, stages, allowed, promise.whole))
    return found


def _check_delivered(
    folder: Path, made: dict[str, Any], item: list[str], answers: dict[str, str], model: dict[str, str]
) -> None:
    """labels.csv has the answers of the audit, the model's labels where they are accepted, and a human's label for all
    else.
    """
    path = folder / LABELS
    lines = list(csv_tables.read(path, HEADER, exact=True).values())
    rows = {line["id"]: line for line in lines}
    _same(path, "lines", len(lines), made["total"])
    _same(path, "distinct items", len(rows), made["total"])
    _same(path, "its indices", [line["index"] for line in lines], list(map(str, range(len(lines)))))
    label = {one: "" if answer == CANNOT_TELL_TEXT else answer for one, answer in answers.items()}
    expected = {one: (label[one], "hand", "audit") for one in answers}
    expected |= {one: (label, "auto", "") for one, label in model.items()}
    for one in item:
        if one not in rows:
            raise AlearnError(f"{path}: item {one} was frozen, and has no line")
        if one in expected:
            for what, value in zip(("label", "source", "purpose"), expected[one], strict=True):
                _same(path, f"the {what} of item {one}", rows[one][what], value)
    others = [(one, line) for one, line in rows.items() if one not in expected]
    unproven = [one for one, line in others if line["source"] != "hand"]
    if unproven:
        raise AlearnError(f"{path}: items {unproven[:SHOWN]} have no human's label, and the audit does not cover them")
    purposes = [line["purpose"] for line in lines if line["source"] == "hand"]
    _same(folder / NAME, "hand", made["hand"], {purpose: purposes.count(purpose) for purpose in PURPOSES})
    _same(folder / NAME, "given", made["given"], purposes.count("given"))
    _same(folder / NAME, "hand labels", sum(made["hand"].values()) + made["given"], len(purposes))
    aside = sum(line["source"] == "hand" and not line["label"] for line in lines)
    _same(folder / NAME, "aside", made["aside"], aside)
    _same(folder / NAME, "hand labels to audit", made["hand"]["audit"], len(answers))
    _same(folder / NAME, "auto", made["auto"], len(lines) - len(purposes))


def _same(where: Path | str, what: str, found: object, expected: object) -> None:
    if type(found) is type(expected) and found == expected:
        return
    if isinstance(found, list) and isinstance(expected, list):
        at = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), None)
        if at is None:
            found, expected = f"{len(found)} of them", len(expected)
        else:
            found, expected = f"{found[at]} as number {at + 1}", expected[at]
    raise AlearnError(f"{where}: {what}: found {found}, must be {expected}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror})") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise AlearnError(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise AlearnError(f"{path}: not a certificate")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python -m alearn.audit.verify DIR", file=sys.stderr)
        sys.exit(2)
    valid, text = verdict(Path(sys.argv[1]))
    print(text, file=sys.stdout if valid else sys.stderr)
    sys.exit(not valid)
