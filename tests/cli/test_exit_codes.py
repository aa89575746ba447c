"""Each exception leads to a message and an exit code."""

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from alearn.cli.exit_codes import Terminated, UsageError, guard
from alearn.errors import AlearnError, WaitingError
from tests.command import ROOT


def guarded(error: BaseException) -> tuple[int, str, str]:
    """Return the code, standard output and standard error of a command that raises an exception."""

    def command() -> int:
        raise error

    before, out, err = signal.getsignal(signal.SIGTERM), io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = guard(command)
    finally:
        signal.signal(signal.SIGTERM, before)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AlearnError("seed=x: no"), (1, "", "error: seed=x: no\n")),
        (UsageError("--seed x: no"), (2, "", "error: --seed x: no\n")),
        (WaitingError("3 answers are missing"), (3, "3 answers are missing\n", "")),
        (FileNotFoundError(2, "No such file", "/a"), (1, "", "error: /a: No such file\n")),
        (OSError(28, "No space left"), (1, "", "error: [Errno 28] No space left\n")),
        (BrokenPipeError(32, "Broken pipe"), (1, "", "")),
        (KeyboardInterrupt(), (130, "", "\ninterrupted\n")),
        (KeyboardInterrupt("alearn resume=a"), (130, "", "\ninterrupted; to go on: alearn resume=a\n")),
        (Terminated(), (143, "", "\ninterrupted\n")),
    ],
    ids=repr,
)
def test_an_exception_for_the_user_is_a_message_and_a_code(error, outcome):
    assert guarded(error) == outcome


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        guarded(ZeroDivisionError())


def test_a_reader_that_has_read_enough_is_no_error_to_speak_of():
    """`alearn plan ... | head -1` prints nothing on standard error, not even while Python exits."""
    read, write = os.pipe()
    os.close(read)
    args = [sys.executable, "-m", "alearn", "plan", "--items", "1000", "--target-error", "0.1"]
    done = subprocess.run(args, stdout=write, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_any_subcommand_with_one_line(number, code):
    command = f"import os; os.kill(os.getpid(), {int(number)})"
    code_ = f"from alearn.cli.exit_codes import guard\ndef command():\n    {command}\n    return 0\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code_}import sys; sys.exit(guard(command))"],
        capture_output=True, text=True, cwd=ROOT, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "\ninterrupted\n")
