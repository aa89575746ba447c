"""`kill -9` at every kind of step of a trial, and a resume: the same files as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill_points import CASES

pytestmark = pytest.mark.slow

WRITTEN = {"config.yaml", "metrics.jsonl", "labels.csv", "checkpoint.pt", "model.pt", "row.json"}
STEPS = {"inside fit", "inside score", "FIRST answers", "QUERY answers", "Round is committed", "Finished is committed"}
STEPS |= {f"{name} is written" for name in WRITTEN}
AUDIT = {"AUDIT answers", "AuditFrozen is committed", "AuditDrawn is committed", "AuditStage is committed"}
AUDIT |= {"frozen.csv is written", "audit.csv is written", "certificate.json is written"}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What came of killing each case at its steps."""
    root = Path(__file__).parents[1]
    args = [sys.executable, "-m", "tests.kill_points", str(tmp_path_factory.mktemp("killed"))]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(args, capture_output=True, text=True, cwd=root, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_a_trial_that_is_killed_at_any_step_ends_with_the_same_files(killed, case):
    assert killed[case]["wrong"] == []
    expected = STEPS | AUDIT if case == "audit" else STEPS
    assert expected <= set(killed[case]["steps"]), "every step of a round was one to be killed at"
