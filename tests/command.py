"""The command `alearn` as tests run it: in this process, which spares an import of torch, or in one of its own.

A process of its own is for tests whose subject is the process: signals, kills, limits.
"""

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from alearn import loop
from alearn.cli.main import main
from alearn.config.presets import CONF
from tests.apart import Apart

ROOT = CONF.parent
WIDE = {"COLUMNS": "200"}
"""Messages are not wrapped."""


REACHED = "the process waits for its end"


class Outcome(NamedTuple):
    """What a command line came to. Bytes that are no UTF-8 are in out and err as surrogates: see `raw`."""

    code: int
    out: str
    err: str


def alearn(*args: object, cwd: Path | None = None, **env: str) -> Outcome:
    """Run a command line in this process, and put back what it changed. env: more variables of the environment.

    What would be a traceback of a process is raised.
    """
    out, err = _stream(), _stream()
    with ExitStack() as stack:
        stack.enter_context(_undisturbed())
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        if cwd is not None:
            stack.enter_context(chdir(cwd))
        os.environ.update(WIDE | env)
        try:
            code: Any = main([str(arg) for arg in args])
        except SystemExit as left:
            code = left.code
        if isinstance(code, str):  # as Python does at the end of a process
            print(code, file=err)
            code = 1
    return Outcome(code or 0, _text(out), _text(err))


def raw(text: str) -> bytes:
    """Return the bytes that a command wrote."""
    return text.encode(errors="surrogateescape")


def start(*args: object, cwd: Path | None = None, **env: str) -> Apart:
    """Start a command line in a process of its own. env: more variables of the environment."""
    return Apart(run, *map(str, args), cwd=cwd, env=environment(**env))


def alearn_apart(*args: object, cwd: Path | None = None, **env: str) -> Outcome:
    """Run a command line in a process of its own to its end. env: more variables of the environment."""
    process = start(*args, cwd=cwd, **env)
    return Outcome(process.wait(), process.out, process.err)


def run(*args: str) -> NoReturn:
    """Be a process that runs a command line."""
    sys.exit(main(args))


def run_until(path: Path | str, *args: str) -> NoReturn:
    """Be a process that runs a command line, and waits for its end in the first training that finds a file there."""
    fit = loop.fit

    def fit_or_wait(*args: Any, **options: Any) -> Any:
        if Path(path).exists():
            print(REACHED)
            signal.pause()
        return fit(*args, **options)

    loop.fit = fit_or_wait
    run(*args)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a command, in which it finds this checkout from any folder."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "alearn" / "plugins")])
    return os.environ | {"PYTHONPATH": path} | WIDE | more


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(errors="surrogateescape")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put back, at the end of the block, whatever a command may change for its whole process."""
    environment, args, excepthook = dict(os.environ), sys.argv, threading.excepthook
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    threads = torch.get_num_threads()
    with _same_logging():
        try:
            yield
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None
            torch.set_num_threads(threads)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            threading.excepthook = excepthook
            sys.argv = args
            os.environ.clear()
            os.environ.update(environment)


@contextmanager
def _same_logging() -> Iterator[None]:
    """Put back handlers and levels of all loggers; close the handlers that came in between."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    before = {logger: (logger.handlers[:], logger.level) for logger in loggers}
    old = {handler for handlers, _ in before.values() for handler in handlers}
    try:
        yield
    finally:
        for logger in [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]:
            for handler in set(logger.handlers) - old:
                handler.close()
            logger.handlers[:], level = before.get(logger, ([], logging.NOTSET))
            logger.setLevel(level)
