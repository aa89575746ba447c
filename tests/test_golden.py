"""Labels, order and certificates as they were before the loop was rewritten: golden.json has their hashes, recorded
from the generator that the loop was at commit 04c5f3b (those of labels.csv, without confidences, at 0c35473). Those of
audits were recorded again on 2026-12-01, when the bound began to count corrections and certificates got more keys.
"""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from alearn.audit import certificate_file
from alearn.audit.protocol import terms
from alearn.files.labels_csv import to_csv
from alearn.oracle.truth import Truth
from tests.scripted import NAMES, TRUTH, Hasty, run, run_people, script

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
AUDIT = (
    "policy.finish=audit", "policy.audit.target_error=0.08", "policy.stop_rounds=2", "policy.audit.seed=7",
    "policy.threshold=0.9",
)  # fmt: skip
FEW = ("policy.init_count=20", "policy.hand_per_round=30", "policy.hand_budget=150", "policy.views=0", "train=fast")
OWN = (
    "policy=own",
    "policy.auto.check=0",
    "data=mnist",
    "model=small_cnn",
    "train=fast",
    "policy.views=0",
    "policy.memory_from=3",
    "policy.stop_yield=null",
)
CASES = {
    "source": (),
    "source, auto labels at the end": ("policy.finish=auto", "policy.threshold=0.99"),
    "frugal": (
        "policy=frugal",
        "policy.auto.check=0",
        *FEW,
        "policy.threshold=0.9",
        "policy.memory=0.5",
        "policy.memory_from=1",
    ),
    "margin": ("policy=margin", *FEW),
    "random": ("policy=random", *FEW),
    "ceal": ("policy=ceal", *FEW),
    "audit": AUDIT,
    "audit of classes": (*AUDIT, "policy.audit.target_error=0.2", "policy.audit.scope=class"),
    "audit above a cut": (*AUDIT, "policy.audit.target_error=0.2", "policy.audit.scope=auto", "policy.audit.cut=0.8"),
    "audit, two answers": (*AUDIT, "policy.audit.answers=2"),
    "audit, sequential": (*AUDIT, "policy.audit.kind=sequential", "policy.audit.target_error=0.06"),
    "audit when it pays": (
        *(word for word in AUDIT if "rounds" not in word),
        *("policy.stop_fraction=0.0", "policy.auto.permanent=false", "policy.hand_fraction=0.01"),
    ),
    "web": OWN,
    "web, audit": (
        *OWN,
        *("policy.finish=audit", "policy.audit.target_error=0.2", "policy.audit.seed=1", "policy.audit.answers=2"),
    ),
}


def hashed(text: str | bytes) -> str:
    return sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def without_confidence(labels: str) -> str:
    """Return labels.csv without its last column, whose last digits differ between processors."""
    return "".join(line.rpartition(",")[0] + "\n" for line in labels.splitlines())


def test_every_recorded_case_is_tested():
    assert CASES.keys() == GOLDEN.keys()


@pytest.mark.parametrize("name", CASES)
def test_labels_are_byte_for_byte_what_they_were(config, monkeypatch, tmp_path, name):
    script(monkeypatch)
    settings, names = config(*CASES[name]), NAMES
    if name.startswith("web"):
        ledger, names = run_people(settings, tmp_path)
    else:
        ledger, _ = run(settings, Hasty(TRUTH) if "two" in name else Truth(TRUTH))
    result = {
        "labels": hashed(without_confidence(to_csv(ledger, names.ids, names.classes))),
        "rounds": ledger.rounds,
        "hand": ledger.paid,
        "auto": int(ledger.auto.sum()),
        "order": hashed(ledger.order.astype(np.int64).tobytes()),
    }
    if ledger.audit is not None:
        asked = terms(settings.policy)
        certificate = certificate_file.build(ledger, asked, names)
        del certificate["alearn"]
        result["certificate"] = hashed(json.dumps(certificate, sort_keys=True))
        result["answers"] = hashed(certificate_file.answers_csv(ledger, asked, names))
    assert result == GOLDEN[name]
