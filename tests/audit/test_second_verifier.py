"""Two verifiers agree: ours, and one that somebody wrote from docs/reference/certificate.md without seeing our code."""

import json
from pathlib import Path

import numpy as np
import pytest

from alearn.audit import verify
from tests.audit import second_verifier
from tests.audit.test_verify import certify, rehash

AUDITS = 90


def both(folder: Path) -> tuple[bool, bool]:
    """Return whether each verifier takes a certificate for valid."""
    return verify.verdict(folder)[0], second_verifier.check(folder) is None


def change(folder: Path, name: str, random: np.random.Generator) -> None:
    """Change a field of a line of a table, or a number of the certificate."""
    path = folder / name
    if name != verify.NAME:
        lines = path.read_text().splitlines()
        row = int(random.integers(1, len(lines)))
        fields = lines[row].split(",")
        column = int(random.integers(len(fields)))
        fields[column] = str(random.choice(["cat", "dog", "", "hand", "auto", "7", "rest", "given"]))
        lines[row] = ",".join(fields)
        path.write_text("\n".join(lines) + "\n")
        return
    certificate = json.loads(path.read_text())
    places = [(certificate, key) for key in certificate if key != "statement"]
    places += [(group, key) for group in certificate["groups"] for key in group]
    places += [(stage, i) for group in certificate["groups"] for stage in group["stages"] for i in range(3)]
    inside, key = places[random.integers(len(places))]
    old = inside[key]
    if type(old) is int:
        inside[key] = old + int(random.choice([-1, 1]))
    elif type(old) is float:
        inside[key] = old / 2
    else:
        inside[key] = str(old) + "x"
    path.write_text(json.dumps(certificate))


@pytest.mark.slow
@pytest.mark.usefixtures("quick_plans")
@pytest.mark.parametrize("part", range(6))
def test_they_agree_on_random_audits_and_on_what_was_changed_in_each(tmp_path, part):
    """The hashes and the statement fit again after each change, as if the forger knew how certificates are made."""
    refused = 0
    for number in range(part, AUDITS, 6):
        folder = tmp_path / str(number)
        certify(folder, number, slips=0.1, total=100 + number)
        assert both(folder) == (True, True), second_verifier.check(folder)
        random = np.random.default_rng(number)
        name = str(random.choice([verify.FROZEN, verify.ANSWERS, verify.LABELS, verify.NAME]))
        change(folder, name, random)
        if name != verify.NAME:
            rehash(folder)
        ours, theirs = both(folder)
        assert ours == theirs, (number, name, verify.verdict(folder)[1], second_verifier.check(folder))
        refused += not ours
    assert refused > 0.8 * AUDITS / 6, "most changes matter"
