"""alearn-verify: whether a certificate follows from the files beside it. It reads no model and no images."""

import argparse
import csv
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from alearn.decide import audit, certificate
from alearn.errors import AlearnError
from alearn.record.certificate import ANSWERS, FROZEN, LABELS, NAME, words

SHOWN = 3
"""Items that a message names."""


def verify(folder: Path) -> dict[str, Any]:
    """The certificate in a folder, if every number of it follows from the files beside it. Raises AlearnError for the
    first that does not, with what it is and what it should be.
    """
    made = _json(folder / NAME)
    try:
        _check(folder, made)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise AlearnError(f"{folder / NAME}: cannot be checked ({type(error).__name__}: {error}); damaged") from error
    return made


def _check(folder: Path, made: dict[str, Any]) -> None:
    for name, key in ((FROZEN, "frozen_sha256"), (ANSWERS, "audit_sha256"), (LABELS, "labels_sha256")):
        _same(folder / name, "its SHA-256", sha256(_read(folder / name)).hexdigest(), made[key])
    frozen = _table(folder / FROZEN, ("item", "label"))
    item, label = [line["item"] for line in frozen], [line["label"] for line in frozen]
    if len(set(item)) != len(item):
        raise AlearnError(f"{folder / FROZEN}: an item is there twice")
    _same(folder / NAME, "items", made["items"], len(item))

    answers = _table(folder / ANSWERS, ("item", "label", "answer"))
    drawn = audit.draw(made["frozen_sha256"], made["seed"], len(item))[: len(answers)]
    for number, (place, line) in enumerate(zip(drawn.tolist(), answers, strict=True)):
        where = f"{folder / ANSWERS}: row {number + 1}"
        _same(where, "the item that the seed draws", line["item"], item[place])
        _same(where, f"the frozen label of item {item[place]}", line["label"], label[place])

    total, target, risk = made["total"], made["target_error"], made["risk"]
    if not 0 < risk < 1 or not 0 <= target <= 1:
        raise AlearnError(f"{folder / NAME}: target_error={target}, risk={risk}: must lie between 0 and 1")
    allowed = certificate.allowed(total, target)
    _same(folder / NAME, "wrong_at_most", made["wrong_at_most"], allowed)
    stages = tuple((int(size), int(tolerated)) for size, tolerated in made["stages"])
    if not isinstance(made["number"], int) or made["number"] < 0:
        raise AlearnError(f"{folder / NAME}: number={made['number']}: must be 0, 1, 2, ...")
    here = certificate.risk_of(risk, made["number"])
    if not certificate.sound(len(item), allowed, here, stages):
        raise AlearnError(f"{folder / NAME}: stages={made['stages']}: accept too much for a risk of {here}")
    wrong = np.array([line["answer"] != line["label"] for line in answers], bool)
    result = audit.outcome(len(item), stages, drawn, wrong)
    found = {"audited": result.audited, "errors": result.errors, "errors_accepted": result.accepted_errors}
    for key, value in (found | {"cut": result.cut}).items():
        _same(folder / NAME, key, made[key], value)
    _check_delivered(folder, made, item, label, {line["item"]: line["answer"] for line in answers})
    _same(folder / NAME, "statement", made["statement"], words(made))


def _check_delivered(
    folder: Path, made: dict[str, Any], item: list[str], label: list[str], answers: dict[str, str]
) -> None:
    """labels.csv has what was frozen up to the cut, the answers, and a human's label for all else."""
    path, classes = folder / LABELS, made["classes"]
    lines = _table(path, ("id", "label", "source"))
    key = "index" if lines and "index" in lines[0] else "id"
    rows = {line[key]: line for line in lines}
    _same(path, "lines", len(lines), made["total"])
    _same(path, "distinct items", len(rows), made["total"])

    def name(text: str) -> str:
        return text if classes is None else str(classes[int(text)])

    expected = {one: (name(answer), "hand") for one, answer in answers.items()}
    accepted = zip(item[: made["cut"]], label[: made["cut"]], strict=True)
    expected |= {one: (name(what), "auto") for one, what in accepted if one not in answers}
    for one, (what, source) in expected.items():
        if one not in rows:
            raise AlearnError(f"{path}: item {one} was frozen, and has no line")
        _same(path, f"the label of item {one}", rows[one]["label"], what)
        _same(path, f"the source of item {one}", rows[one]["source"], source)
    others = [line for one, line in rows.items() if one not in expected]
    unproven = [line[key] for line in others if line["source"] != "hand" or not line["label"]]
    if unproven:
        raise AlearnError(f"{path}: items {unproven[:SHOWN]} have no human's label, and the audit does not cover them")
    purposes = [line.get("purpose", "") for line in lines if line["source"] == "hand"]
    for purpose, count in made["hand"].items():
        _same(folder / NAME, f"hand labels for {purpose}", count, purposes.count(purpose))
    _same(folder / NAME, "hand labels", sum(made["hand"].values()), len(purposes))
    _same(folder / NAME, "auto", made["auto"], len(lines) - len(purposes))


def _same(where: Path | str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise AlearnError(f"{where}: {what}: found {found}, must be {expected}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror})") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(path))
    except ValueError as error:
        raise AlearnError(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise AlearnError(f"{path}: not a certificate")
    return found


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        lines = list(csv.DictReader(_read(path).decode().splitlines(keepends=True), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise AlearnError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    for number, line in enumerate(lines):
        if any(line.get(column) is None for column in columns):
            raise AlearnError(f"{path}: row {number + 1} lacks one of the columns {', '.join(columns)}")
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="alearn-verify",
        description="Check a certificate against the files beside it: frozen labels, draw, answers, labels.",
    )
    parser.add_argument("folder", type=Path, help="the folder of a trial or of an audit")
    folder = parser.parse_args().folder
    try:
        made = verify(folder)
    except AlearnError as error:
        print(f"NOT VALID: {error}", file=sys.stderr)
        sys.exit(1)
    print(f"valid: {made['statement']}")
    print(
        f"checked: {made['items']:,} frozen labels (SHA-256 {made['frozen_sha256'][:16]}...), the draw of "
        f"{made['audited']:,} by its seed, {made['errors']:,} of them wrong, the cut at {made['cut']:,}, "
        f"{made['total']:,} delivered labels"
    )
