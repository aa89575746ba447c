"""A process of its own for a test whose subject is a process: it is signalled, killed, or one of two.

Importing torch costs more than most tests. A server imports it once, and each process is a fork of that server. What a
process prints goes to files, so that no pipe can fill up or stay open.
"""

import atexit
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import LIMIT, until

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.preloaded"])


class Apart:
    """A function that runs in a process of its own.

    work: a function of a module, and what it is given; both are pickled. env: the whole environment of the process.
    """

    def __init__(
        self, work: Callable[..., Any], *args: Any, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="alearn-test-"))
        self._out, self._err = self._folder / "out", self._folder / "err"
        for path in (self._out, self._err):
            path.touch()
        place = (str(cwd or Path.cwd()), dict(os.environ if env is None else env))
        target = (work, args, *place, str(self._out), str(self._err))
        self._process = _SERVER.Process(target=_live, args=target)
        self._process.start()
        _started.append(self)

    @property
    def pid(self) -> int:
        """The number of the process."""
        pid = self._process.pid
        assert pid is not None
        return pid

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text(errors="surrogateescape")

    @property
    def err(self) -> str:
        """What it printed to standard error so far."""
        return self._err.read_text(errors="surrogateescape")

    @property
    def code(self) -> int | None:
        """Its exit code, less than 0 after a signal, None while it runs."""
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> int:
        """End it as `kill -9` does, if it has not ended; return its exit code."""
        if self.code is None:
            self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """Return its exit code, once it has one."""
        self._process.join(LIMIT)
        assert self.code is not None, str(self)
        return self.code

    def close(self) -> None:
        """Kill it if it runs, and forget what it printed."""
        self.kill()
        self._process.close()
        shutil.rmtree(self._folder)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition while the process runs; fail if it ends first."""

        def either() -> Any:
            ended = self.code is not None
            value = condition()
            assert value or not ended, str(self)
            return value

        return until(either, self)

    def until_printed(self, lines: int) -> None:
        """Wait until it has printed so many lines."""
        self.until(lambda: self.out.count("\n") >= lines)

    def __str__(self) -> str:
        """Say what became of it so far."""
        return f"exit code {self.code}\n{self.out}\n{self.err}"


_started: list[Apart] = []


@contextmanager
def none_left() -> Iterator[None]:
    """End, at the end of the block, the processes that were started in it, and forget what they printed."""
    before = len(_started)
    try:
        yield
    finally:
        for process in _started[before:]:
            process.close()
        del _started[before:]


def _live(work: Callable[..., Any], args: Any, cwd: str, env: dict[str, str], out: str, err: str) -> None:
    """Be the process."""
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()  # the server's is that of its own start
    os.environ.update(env)
    os.chdir(cwd)
    try:
        work(*args)
    finally:
        threading._shutdown()  # as an interpreter ends, and a fork of a server does not
        atexit._run_exitfuncs()
