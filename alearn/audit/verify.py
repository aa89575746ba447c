"""Check whether a certificate follows from the files beside it. This needs no model, no images, and only NumPy.

The command is `alearn verify DIR`, or without the rest of alearn: `python -m alearn.audit.verify DIR`.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np

from alearn.audit import bounds, rules
from alearn.audit.rules import Group, Scope, Terms
from alearn.audit.statement import ANSWERED, ANSWERS, FROZEN, LABELS, NAME, PURPOSES, in_words
from alearn.errors import AlearnError
from alearn.files import csv_tables
from alearn.files.labels_csv import HEADER
from alearn.ledger import CANNOT_TELL_TEXT

SHOWN = 3
"""The most items that a message names."""

KEYS = (
    "statement", "alearn", "total", "scope", "target_error", "risk", "number", "answers", "hand", "given",
    "aside", "asked_twice", "auto",
    "items", "groups", "seed", "commitment_sha256", "frozen_sha256", "audit_sha256", "labels_sha256",
)  # fmt: skip
GROUP = "name", "items", "wrong_at_most", "stages", "audited", "errors", "errors_accepted", "cut"
LAST = 64
"""Numbers of audits that share a risk are below this, because hardly any risk is left at risk / 2^64."""


def verify(folder: Path) -> dict[str, Any]:
    """Return the certificate in a folder if every number in it follows from the files beside it.

    Otherwise raise AlearnError for the first number that does not, with its value and the right value.
    """
    certificate = _json(folder / NAME)
    try:
        _check(folder, certificate)
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError, AttributeError) as error:
        raise AlearnError(f"{folder / NAME}: cannot be checked ({type(error).__name__}: {error}); damaged") from error
    return certificate


def verdict(folder: Path) -> tuple[bool, str]:
    """Return whether the certificate in a folder is valid, and in words what was checked, or why it is not valid."""
    try:
        certificate = verify(folder)
    except AlearnError as error:
        return False, f"NOT VALID: {error}"
    groups = certificate["groups"]
    audited, errors, cut = (sum(group[key] for group in groups) for key in ("audited", "errors", "cut"))
    return True, (
        f"valid: {certificate['statement']}\n"
        f"checked: {certificate['items']:,} frozen labels and the plan (SHA-256 {certificate['commitment_sha256']}), "
        f"the draw of {audited:,} by its seed, {errors:,} of them wrong, {cut:,} accepted, "
        f"{certificate['total']:,} delivered labels"
    )


def _check(folder: Path, certificate: dict[str, Any]) -> None:
    _same(folder / NAME, "its keys", sorted(certificate), sorted(KEYS))
    for name, key in ((FROZEN, "frozen_sha256"), (ANSWERS, "audit_sha256"), (LABELS, "labels_sha256")):
        _same(folder / name, "its SHA-256", sha256(_read(folder / name)).hexdigest(), certificate[key])
    frozen = csv_tables.read(folder / FROZEN, ("item", "label"), exact=True).values()
    item = [line["item"] for line in frozen]
    label = [line["label"] for line in frozen]
    if len(set(item)) != len(item):
        raise AlearnError(f"{folder / FROZEN}: an item occurs twice")
    _same(folder / NAME, "items", certificate["items"], len(item))
    terms = _terms(folder, certificate)
    answers = _answers(folder, certificate, item, label)

    groups = _groups(folder, certificate, terms, label)
    committed = rules.commitment(certificate["frozen_sha256"], terms, certificate["total"], groups)
    _same(folder / NAME, "commitment_sha256", certificate["commitment_sha256"], committed)
    order = rules.draw(committed, certificate["seed"], len(item))
    checked = np.zeros(len(item), bool)
    accepted = np.zeros(len(item), bool)
    for group, stated in zip(groups, certificate["groups"], strict=True):
        drawn = group.drawn(order)[: _count(folder, stated["audited"], "audited")]
        checked[drawn] = True
        missing = [item[place] for place in drawn if item[place] not in answers]
        if missing:
            raise AlearnError(f"{folder / ANSWERS}: items that the seed draws have no answer: {missing[:SHOWN]}")
        wrong = np.array([answers[item[place]] != label[place] for place in drawn], bool)
        result = rules.outcome(group, drawn, wrong)
        computed = {"items": len(group.place), "errors": result.errors, "errors_accepted": result.accepted_errors}
        of = f" of {group.name}" if group.name else ""
        for key, value in (computed | {"cut": result.cut}).items():
            _same(folder / NAME, f"{key}{of}", stated[key], value)
        accepted[group.place] = np.arange(len(group.place)) < result.cut
    drawn_items = [item[place] for place in order[checked[order]]]
    _same(folder / ANSWERS, "its items, in the order that the seed draws", list(answers), drawn_items)
    model = {item[place]: label[place] for place in np.flatnonzero(accepted & ~checked)}
    _check_delivered(folder, certificate, item, answers, model)
    _same(folder / NAME, "statement", certificate["statement"], in_words(certificate))


def _terms(folder: Path, certificate: dict[str, Any]) -> Terms:
    """Return the terms of the audit, as the certificate states them."""
    target = certificate["target_error"]
    risk = certificate["risk"]
    if not all(type(share) in (int, float) and 0 < share < 1 for share in (risk, target)):
        raise AlearnError(f"{folder / NAME}: target_error={target}, risk={risk}: must lie between 0 and 1")
    for key, allowed in {"scope": get_args(Scope), "answers": (1, 2), "number": range(LAST)}.items():
        if type(certificate[key]) not in (int, str) or certificate[key] not in allowed:
            choices = ", ".join(map(str, allowed))
            raise AlearnError(f"{folder / NAME}: {key}={certificate[key]}: must be one of {choices}")
    _count(folder, certificate["total"], "total")
    return Terms(target, risk, certificate["scope"], answers=certificate["answers"], number=certificate["number"])


def _count(folder: Path, value: object, what: str) -> int:
    if type(value) is not int or value < 0:
        raise AlearnError(f"{folder / NAME}: {what}={value}: must be a whole number, and not below 0")
    return value


def _answers(folder: Path, certificate: dict[str, Any], item: list[str], label: list[str]) -> dict[str, str]:
    """Return the final answer of the human for each audited item, in the order of audit.csv."""
    path = folder / ANSWERS
    frozen = dict(zip(item, label, strict=True))
    answers = dict[str, str]()
    twice = 0
    for number, line in csv_tables.read(path, ANSWERED, exact=True).items():
        name = line["item"]
        where = f"{path}: line {number}"
        if name not in frozen:
            raise AlearnError(f"{where}: item {name}: was not frozen")
        if name in answers:
            raise AlearnError(f"{where}: item {name}: occurs twice")
        _same(where, f"the frozen label of item {name}", line["label"], frozen[name])
        again = certificate["answers"] == 2 and line["answer"] != line["label"]
        if not line["answer"] or bool(line["again"]) != again:
            few = again or not line["answer"]
            raise AlearnError(f"{where}: item {name}: has too {'few' if few else 'many'} answers")
        answers[name] = line["again"] or line["answer"]
        twice += again
    _same(folder / NAME, "asked_twice", certificate["asked_twice"], twice)
    return answers


def _groups(folder: Path, certificate: dict[str, Any], terms: Terms, label: list[str]) -> list[Group]:
    """Return the groups of the frozen labels. Raise AlearnError if the stages of one do not keep the promise."""
    places = rules.places(terms.scope, label)
    _same(folder / NAME, "the names of the groups", [stated["name"] for stated in certificate["groups"]], list(places))
    promise = terms.promise(certificate["total"], len(places))
    groups = []
    for stated, place in zip(certificate["groups"], places.values(), strict=True):
        _same(folder / NAME, "the keys of a group", sorted(stated), sorted(GROUP))
        stages = tuple((_count(folder, m, "stages"), _count(folder, k, "stages")) for m, k in stated["stages"])
        allowed = _count(folder, stated["wrong_at_most"], "wrong_at_most")
        most = promise.allowed(len(place), stages[-1][0] if stages else 0)
        if allowed > most:
            raise AlearnError(f"{folder / NAME}: wrong_at_most={allowed}: must be from 0 to {most} for this target")
        if not bounds.sound(len(place), allowed, promise.risk, stages):
            raise AlearnError(
                f"{folder / NAME}: stages={stated['stages']}: accept too much for a risk of {promise.risk}"
            )
        groups.append(Group(stated["name"], place, stages, allowed, promise.whole))
    return groups


def _check_delivered(
    folder: Path, certificate: dict[str, Any], item: list[str], answers: dict[str, str], model: dict[str, str]
) -> None:
    """Check labels.csv: it has the answers of the audit, the accepted labels of the model, and otherwise hand labels.

    item: the frozen items. answers: the human's answers, by item. model: the accepted unchecked labels, by item.
    """
    path = folder / LABELS
    lines = list(csv_tables.read(path, HEADER, exact=True).values())
    rows = {line["id"]: line for line in lines}
    _same(path, "lines", len(lines), certificate["total"])
    _same(path, "distinct items", len(rows), certificate["total"])
    _same(path, "its indices", [line["index"] for line in lines], list(map(str, range(len(lines)))))
    label = {name: "" if answer == CANNOT_TELL_TEXT else answer for name, answer in answers.items()}
    expected = {name: (label[name], "hand", "audit") for name in answers}
    expected |= {name: (label, "auto", "") for name, label in model.items()}
    for name in item:
        if name not in rows:
            raise AlearnError(f"{path}: item {name} was frozen, but has no line")
        if name in expected:
            for what, value in zip(("label", "source", "purpose"), expected[name], strict=True):
                _same(path, f"the {what} of item {name}", rows[name][what], value)
    unproven = [name for name, line in rows.items() if name not in expected and line["source"] != "hand"]
    if unproven:
        raise AlearnError(f"{path}: items {unproven[:SHOWN]} have no human's label, and the audit does not cover them")
    purposes = [line["purpose"] for line in lines if line["source"] == "hand"]
    _same(folder / NAME, "hand", certificate["hand"], {purpose: purposes.count(purpose) for purpose in PURPOSES})
    _same(folder / NAME, "given", certificate["given"], purposes.count("given"))
    _same(folder / NAME, "hand labels", sum(certificate["hand"].values()) + certificate["given"], len(purposes))
    aside = sum(line["source"] == "hand" and not line["label"] for line in lines)
    _same(folder / NAME, "aside", certificate["aside"], aside)
    _same(folder / NAME, "hand labels to audit", certificate["hand"]["audit"], len(answers))
    _same(folder / NAME, "auto", certificate["auto"], len(lines) - len(purposes))


def _same(where: Path | str, what: str, actual: object, expected: object) -> None:
    """Raise AlearnError if two values differ. where, what: the file and what is compared, for the message."""
    if type(actual) is type(expected) and actual == expected:
        return
    if isinstance(actual, list) and isinstance(expected, list):
        at = next((i for i, (a, b) in enumerate(zip(actual, expected, strict=False)) if a != b), None)
        if at is None:
            actual = f"{len(actual)} of them"
            expected = len(expected)
        else:
            actual = f"{actual[at]} as number {at + 1}"
            expected = expected[at]
    raise AlearnError(f"{where}: {what}: found {actual}, must be {expected}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror})") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise AlearnError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise AlearnError(f"{path}: not a certificate")
    return content


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python -m alearn.audit.verify DIR", file=sys.stderr)
        sys.exit(2)
    valid, text = verdict(Path(sys.argv[1]))
    print(text, file=sys.stdout if valid else sys.stderr)
    sys.exit(not valid)
