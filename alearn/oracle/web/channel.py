"""The page as a way to people: a server beside the trial, for as long as the trial runs."""

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import waitress

from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store
from alearn.oracle.web import WebOracle, guard
from alearn.oracle.web.app import BODY, App
from alearn.oracle.web.guard import Guard
from alearn.oracle.web.room import Room

SLICE = 0.5
"""Seconds between two looks at whether somebody has pressed Ctrl-C."""
FAREWELL = 3.0
"""Seconds that the end waits for the pages to hear of it."""
LIMITS = {
    "threads": 8,
    "connection_limit": 200,
    "channel_timeout": 30,
    "cleanup_interval": 10,
    "backlog": 64,
    "max_request_header_size": 16 * 1024,
    "max_request_body_size": 2 * BODY,  # the application refuses from BODY on, and says so
    "ident": None,
    "log_socket_errors": False,
}


class Web:
    """A channel. The page is there from now on, whether something is asked or not."""

    def __init__(self, config: WebOracle, pool: ImageSet, store: Store, insight: Insight, folder: Path) -> None:
        """folder: the trial's. Raises AlearnError if the page cannot be served at this host and port."""
        secret = guard.token(folder)
        listener = _listener(config.host, config.port)
        try:
            address, port = listener.getsockname()[:2]
            keeper = Guard(config.host, address.split("%")[0], port, config.names, secret)
            self._room = Room(pool, store, insight, guard.derived(secret, "trial")[:16])
            self.app = App(self._room, keeper)
            logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a few requests waiting are nothing to say
            self._server: Any = waitress.create_server(self.app, sockets=[listener], **LIMITS)
        except BaseException:
            listener.close()
            raise
        self.where = f"http://{_reachable(config, address)}:{port}"
        """Where the page is, for people."""
        self.link = f"{self.where}/#{secret}" if keeper.closed else self.where
        """The same with the token, if one is needed: for the terminal alone."""
        self._thread: threading.Thread | None = threading.Thread(target=self._server.run, name="page", daemon=True)
        self._thread.start()

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """As `Channel.ask`. It waits in slices, so that Ctrl-C ends it."""
        self._room.open(batch)
        told, done = -1, False
        while not done:
            answered, total, done = self._room.wait(told, SLICE)
            if answered != told:
                told = answered
                report(answered, total)

    def close(self) -> None:
        """Tell the pages that are open, then stop."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._room.end()
            deadline = time.monotonic() + FAREWELL
            while self._room.unaware() and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            self._server.task_dispatcher.shutdown()
            self._server.trigger.pull_trigger(self._hang_up)  # sockets belong to the server's thread
            thread.join()

    def _hang_up(self) -> None:
        for connection in list(self._server.active_channels.values()):
            connection.handle_close()
        self._server.close()


def _listener(host: str, port: int) -> socket.socket:
    """A bound socket. Raises AlearnError that names the key to change."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host or "?", port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AlearnError(f"oracle.host={host}: is no address ({error}); 127.0.0.1 is this machine alone") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a trial that was killed starts again at once
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            why = "is in use by another program" if error.errno == errno.EADDRINUSE else "needs the rights of root"
            raise AlearnError(
                f"oracle.port={port}: {why} at oracle.host={host}; give another port, or 0 for any that is free"
            ) from None
        raise AlearnError(
            f"oracle.host={host}: is no address of this machine ({error.strerror}); 127.0.0.1 is this machine alone, "
            "0.0.0.0 all of its addresses"
        ) from None
    return listener


def _reachable(config: WebOracle, address: str) -> str:
    """What to write into a browser's address bar."""
    if address in ("0.0.0.0", "::"):
        return config.names[0] if config.names else socket.gethostname()
    return f"[{config.host}]" if ":" in config.host else config.host
