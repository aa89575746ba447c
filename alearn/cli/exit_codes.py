"""The exit codes, and the one way from an exception that the user can mend to a message and a code."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from alearn.errors import AlearnError, WaitingError

DONE, ERROR, USAGE = 0, 1, 2
INTERRUPTED, TERMINATED = 130, 143
"""128 and the signal's number, as shells have it."""


class UsageError(AlearnError):
    """The command line is wrong: an option, its value, or two options that exclude each other."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does."""


def guard(command: Callable[[], int]) -> int:
    """Run a command and return its exit code. What the user can mend is one message; a bug keeps its traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = command()
        sys.stdout.flush()  # if the reader of a pipe has gone, notice it here and not while Python exits
    except (AlearnError, WaitingError, OSError, KeyboardInterrupt) as error:
        return report(error)
    return code


def report(error: BaseException) -> int:
    """Print the one message of an exception and return the exit code that stands for it.

    A KeyboardInterrupt may have an argument: how to go on.
    """
    match error:
        case WaitingError():
            print(error, flush=True)
            return DONE
        case BrokenPipeError():  # the reader, `head` for example, has read enough
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
    """Send what is still in the buffer to nowhere: Python flushes it once more when it exits."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
