"""The verifier stands alone, agrees with the code that makes certificates, and refuses forgeries."""

import ast
import csv
import json
import subprocess
import sys
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from alearn.audit import bounds, certificate_file, designs, rules, verify
from alearn.audit.bounds import Claim, Stage
from alearn.audit.protocol import Names, audit
from alearn.audit.rules import Terms
from alearn.files import labels_csv
from alearn.journal import MemoryJournal
from alearn.ledger import CANNOT_TELL, Ledger, Source

FILE = Path(verify.__file__)
CLASSES = ("cat", "dog", "Größe, groß")


class Human:
    """Answers with the truth, but for the slips; of some images the human cannot tell."""

    def __init__(self, truth, random, slips: float = 0.0) -> None:
        self.truth = truth
        self.random = random
        self.slips = slips

    def label(self, index, purpose, again=False):
        slip = self.random.random(len(index)) < self.slips
        answer = np.where(slip, (self.truth[index] + 1) % len(CLASSES), self.truth[index])
        return np.where(index % 97 == 5, CANNOT_TELL, answer)


def certify(folder: Path, number: int, terms: Terms | None = None, total: int = 0, slips: float = 0.0) -> dict:
    """Audit labels of a random model to the end, and write the certificate into a folder."""
    random = np.random.default_rng(number)
    total = total or int(random.integers(300, 900))
    truth = random.integers(len(CLASSES), size=total)
    ledger = Ledger.empty(total)
    ledger.doubt = (-random.exponential(random.uniform(1, 6), total)).astype(np.float32)
    wrong = random.random(total) < np.exp(ledger.doubt) * random.uniform(0, 0.5)
    ledger.guess = np.where(wrong, (truth + 1) % len(CLASSES), truth)
    given = np.flatnonzero(random.random(total) < 0.1)
    ledger.write(given, truth[given], Source.GIVEN if number % 2 else Source.FIRST, 0)
    terms = terms or Terms(
        target_error=float(random.choice([0.04, 0.07, 0.1])),
        risk=float(random.choice([0.05, 0.1, 0.003])),
        scope=str(random.choice(["total", "auto", "class"])),
        kind=str(random.choice(["auto", "single", "staged", "sequential"])),
        answers=int(random.choice([1, 2])),
        cut=random.choice([None, 0.3]),
        seed=f"seed {number} é",
        number=int(random.choice([0, 1])),
        repeat=float(random.choice([0.0, 0.1])),
    )
    names = Names([f"{i}, é.png" for i in range(total)], CLASSES)
    audit(terms, names, Human(truth, random, slips), ledger, MemoryJournal())
    folder.mkdir(exist_ok=True, parents=True)
    certificate_file.write_frozen(folder, ledger, names)
    labels_csv.write(folder, ledger, names.ids, names.classes)
    certificate_file.write_answers(folder, ledger, terms, names)
    certificate_file.save(folder, certificate_file.build(ledger, terms, names))
    return json.loads((folder / verify.NAME).read_text())


def rehash(folder: Path, **changed: object) -> None:
    """Change keys of a certificate, and make the hashes and the statement fit again, as a forger would."""
    certificate = json.loads((folder / verify.NAME).read_text()) | changed
    for key, name in (("frozen", verify.FROZEN), ("audit", verify.ANSWERS), ("labels", verify.LABELS)):
        certificate[f"{key}_sha256"] = sha256((folder / name).read_bytes()).hexdigest()
    certificate["statement"] = verify.in_words(certificate)
    (folder / verify.NAME).write_text(json.dumps(certificate))


def test_it_is_one_file_that_needs_only_the_standard_library(tmp_path):
    tree = ast.parse(FILE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
    assert len(FILE.read_text().splitlines()) < 1000

    certificate = certify(tmp_path / "made", 1)
    copy = tmp_path / "copy.py"
    copy.write_bytes(FILE.read_bytes())
    done = subprocess.run([sys.executable, "-I", "-S", copy, tmp_path / "made"], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"valid: {certificate['statement']}\n")
    assert f"\ncommitment: {certificate['commitment_sha256']}\nseed: seed 1 é\n" in done.stdout
    (tmp_path / "made" / "audit.csv").unlink()
    done = subprocess.run([sys.executable, "-I", "-S", copy, tmp_path / "made"], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (1, "")
    assert "audit.csv: cannot be read" in done.stderr


def test_the_command_imports_neither_torch_nor_hydra():
    code = (
        "import sys; from alearn.cli import verify_command; verify_command.parser(); "
        "print([m for m in ('torch', 'hydra', 'omegaconf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("number", range(12))
def test_every_certificate_is_valid(tmp_path, number):
    certificate = certify(tmp_path, number, slips=0.05)
    assert verify.verify(tmp_path) == certificate
    truth = np.random.default_rng(number)
    total = int(truth.integers(300, 900))
    assert certificate["total"] == total


@pytest.mark.parametrize("number", range(12))
def test_its_arithmetic_is_that_of_the_certificate(number):
    """They are written independently: NumPy and matrices here, plain Python there."""
    random = np.random.default_rng(number)
    items = int(random.choice([40, 700, 30_000, 300_000]))
    most = max(1, int(items * random.choice([0.0005, 0.002, 0.01])))
    share = float(most / items) if number % 3 == 0 else None
    claim = Claim(items, bounds.allowed(items, share) if share else most, share)
    for stages in (designs.staged(claim, 0.05, 0, 4), designs.sequential(claim, 0.05)):
        plain = [tuple(stage) for stage in stages]
        expected = bounds.missed(claim, stages)
        assert verify.missed(items, plain, claim.whole) == pytest.approx(expected, rel=1e-8)
        assert verify.sound(items, plain, claim.whole, 0.05)
        worse = [(m - max(1, m // 20), k, a) for m, k, a in plain]
        if all(a[0] < b[0] for a, b in pairwise(worse)) and worse[0][0] >= 0 and not claim.whole:
            again = tuple(Stage(*stage) for stage in worse)
            assert verify.sound(items, worse, False, 0.05) == bounds.sound(claim, 0.05, again)
    assert verify.draw("c", "s", 500) == rules.draw("c", "s", 500).tolist()
    again = [place for place in range(500) if rules.repeated("c", "s", place, 0.1)]
    assert [place for place in range(500) if verify.is_repeated("c", "s", place, 0.1)] == again


@pytest.mark.parametrize(("found", "asked"), [(0, 20), (3, 60), (7, 7), (40, 2500)])
def test_the_interval_is_that_of_clopper_and_pearson(found, asked):
    low = beta.ppf(0.025, found, asked - found + 1) if found else 0.0
    high = beta.ppf(0.975, found + 1, asked - found) if found < asked else 1.0
    assert verify.interval(found, asked) == pytest.approx((low, high), rel=1e-6)


def test_slips_are_measured_and_change_nothing_else(tmp_path):
    """A human errs in 10 % of the answers. 30 % of the questions are asked again."""
    terms = Terms(0.05, 0.05, kind="single", seed="s", repeat=0.3)
    certificate = certify(tmp_path, 5, terms, total=20_000, slips=0.1)
    asked, changed = certificate["repeated"], certificate["changed"]
    assert asked == certificate["asked_twice"] > 20
    low, high = verify.interval(changed, asked)
    assert low < 2 * 0.1 * 0.9 + 0.1**2 * 0 < high, "two answers differ if exactly one is a slip"
    assert f"Asked again at random, {changed} of {asked} answers changed" in certificate["statement"]
    with (tmp_path / "audit.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert sum(bool(line["again"]) for line in lines) == asked
    assert sum(line["answer"] != line["label"] for line in lines) == certificate["groups"][0]["errors"]
    (tmp_path / "audit.csv").write_text(
        (tmp_path / "audit.csv").read_text().replace(",cat,cat,cat\n", ",cat,cat,\n", 1)
    )
    rehash(tmp_path)
    with pytest.raises(verify.NotValidError, match="has too few answers"):
        verify.verify(tmp_path)


def test_with_two_answers_it_speaks_of_the_model_s_labels_alone(tmp_path):
    certificate = certify(tmp_path, 3, Terms(0.05, 0.05, answers=2, seed="s"))
    assert f"of the {certificate['auto']:,} labels that are the model's are wrong" in certificate["statement"]
    assert "the human's labels count as right" in certificate["statement"]


def test_an_audit_in_a_series_names_the_one_before(tmp_path):
    first = certify(tmp_path / "1", 1, Terms(0.07, 0.05, seed="a", number=1))
    after = first["commitment_sha256"]
    certify(tmp_path / "2", 2, Terms(0.07, 0.05, seed="b", number=2, after=after))
    certify(tmp_path / "x", 3, Terms(0.07, 0.05, seed="c", number=2, after="0" * 64))
    valid, text = verify.verdict(tmp_path / "2", after=tmp_path / "1")
    assert valid
    assert f"number 2 of a series, after {after}, which is valid too" in text
    valid, text = verify.verdict(tmp_path / "x", after=tmp_path / "1")
    assert not valid
    assert f"found {'0' * 64}, must be {after}" in text
    rehash(tmp_path / "2", after="")
    with pytest.raises(verify.NotValidError, match="after=: must be a SHA-256"):
        verify.verify(tmp_path / "2")


def test_what_was_published_is_compared(tmp_path):
    certificate = certify(tmp_path, 1)
    assert verify.verdict(tmp_path, certificate["commitment_sha256"], certificate["seed"])[0]
    for commitment, seed in (("0" * 64, None), (None, "another")):
        valid, text = verify.verdict(tmp_path, commitment, seed)
        assert not valid
        assert "compared with the published one" in text


FORGERIES = {
    "a label beyond the cut was given before": lambda labels: labels.replace(",hand,rest,", ",hand,given,", 1),
    "a label beyond the cut was asked to train": lambda labels: labels.replace(",hand,rest,", ",hand,first,", 1),
    "an audited label was given before": lambda labels: labels.replace(",hand,audit,", ",hand,given,", 1),
    "a model's label is a human's": lambda labels: labels.replace(",auto,,", ",hand,rest,", 1),
    "a byte order mark": lambda labels: "\ufeff" + labels,
    "a column twice": lambda labels: labels.replace("index,id,label,", "index,id,label,label,").replace(
        ",cat,", ",cat,cat,"
    ),
    "quotes that are not needed": lambda labels: labels.replace("\n0,", '\n"0",', 1),
    "line ends of another system": lambda labels: labels.replace("\n", "\r\n"),
    "no line feed at the end": lambda labels: labels.removesuffix("\n"),
    "a blank line": lambda labels: labels + "\n",
    "a line twice": lambda labels: labels + labels.splitlines()[-1] + "\n",
    "a confidence for nobody's label": lambda labels: labels.replace(",hand,rest,0,1\n", ",hand,rest,0,0.5\n", 1),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_table_is_refused_though_all_hashes_and_counts_fit(tmp_path, name):
    terms = Terms(0.04, 0.05, kind="single", seed="2")
    certificate = certify(tmp_path, 8, terms)
    assert certificate["hand"]["rest"]
    path = tmp_path / verify.LABELS
    forged = FORGERIES[name](path.read_text())
    assert forged != path.read_text()
    path.write_text(forged)
    rows = list(csv.DictReader(forged.lstrip("\ufeff").splitlines()))
    purposes = [row["purpose"] for row in rows if row["source"] == "hand"]
    counts = {"given": purposes.count("given"), "auto": sum(row["source"] == "auto" for row in rows)}
    rehash(tmp_path, hand={purpose: purposes.count(purpose) for purpose in verify.PURPOSES}, **counts)
    with pytest.raises(verify.NotValidError):
        verify.verify(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"total"', '"total": 5, "total"', "has the key total twice"),
        ('"cut"', '"cut": 5, "cut"', "has the key cut twice"),
        ('"alearn": "', '"alearn": "certified by the ministry ', "must be a version"),
        ("{", "\ufeff{", "begins with a byte order mark"),
    ],
)
def test_a_certificate_that_can_be_read_in_two_ways_is_refused(tmp_path, old, new, message):
    certify(tmp_path, 1)
    path = tmp_path / verify.NAME
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(verify.NotValidError, match=message):
        verify.verify(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say how much memory was used")
@pytest.mark.usefixtures("quick_plans")
def test_two_hundred_thousand_labels_fit_into_200_megabytes(tmp_path):
    certify(tmp_path, 1, Terms(0.004, 0.05, kind="single", seed="s"), total=200_000)
    code = (
        "import runpy, sys; sys.argv = ['verify.py', sys.argv[1]]\n"
        f"try: runpy.run_path({str(FILE)!r}, run_name='__main__')\n"
        "except SystemExit as end: print(end.code, open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code, tmp_path], capture_output=True, text=True, check=True)
    status, kilobytes = done.stdout.splitlines()[-1].split()
    assert status == "0"
    assert int(kilobytes) < 200_000
