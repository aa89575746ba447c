"""The exit codes, and how an exception that the user can fix becomes a message and an exit code."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from alearn.errors import AlearnError, WaitingError

DONE = 0
ERROR = 1
USAGE = 2
WAITING = 3
"""Nothing is wrong, and people have to do something before the same command can go on."""
INTERRUPTED = 130
"""128 plus the number of SIGINT, as in shells."""
TERMINATED = 143
"""128 plus the number of SIGTERM, as in shells."""


class UsageError(AlearnError):
    """The command line is wrong: an option, its value, or two options that exclude each other."""


class Terminated(KeyboardInterrupt):
    """Raised at SIGTERM, which ends a command as Ctrl-C does."""


def guard(command: Callable[[], int]) -> int:
    """Run a command and return its exit code. An error of the user becomes one message; a bug keeps its traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = command()
        sys.stdout.flush()  # so that a broken pipe raises here and not while Python exits
    except (AlearnError, WaitingError, OSError, KeyboardInterrupt) as error:
        return report(error)
    return code


def report(error: BaseException) -> int:
    """Print the message of an exception and return its exit code.

    A KeyboardInterrupt may have an argument: the command that resumes the work.
    """
    match error:
        case WaitingError():
            print(error, flush=True)
            return WAITING
        case BrokenPipeError():  # the reader of the output, such as `head`, has ended
            _discard_output()
            return ERROR
        case KeyboardInterrupt():
            hint = f"; to go on: {error}" if error.args else ""
            print(f"\ninterrupted{hint}", file=sys.stderr, flush=True)
            return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        case OSError(filename=str() | bytes() as path, strerror=str() as reason):
            message = f"{os.fsdecode(path)}: {reason}"
        case _:
            message = str(error)
    print(f"error: {message}", file=sys.stderr, flush=True)
    return USAGE if isinstance(error, UsageError) else ERROR


def _discard_output() -> None:
    """Discard the rest of the buffer, because Python flushes it again when it exits."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
