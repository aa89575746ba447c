import subprocess
import sys


def test_a_certificate_is_checked_without_torch_and_without_hydra():
    code = "import sys, alearn.audit.verify; print([m for m in ('torch', 'hydra', 'omegaconf') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
