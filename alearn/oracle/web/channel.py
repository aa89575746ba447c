"""The web page as a channel to people: a server that runs as long as the trial does."""

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
"""Seconds after which a wait returns, so that Ctrl-C takes effect."""
FAREWELL = 3.0
"""Seconds for which `close` waits until the open pages know that the trial has ended."""
LIMITS = {
    "threads": 8,
    "connection_limit": 200,
    "channel_timeout": 30,
    "cleanup_interval": 10,
    "backlog": 64,
    "max_request_header_size": 16 * 1024,
    "max_request_body_size": 2 * BODY,  # the application itself refuses more than BODY, with a message
    "ident": None,
    "log_socket_errors": False,
}


class Web:
    """A channel that serves the page from its construction until `close`, even while there is nothing to ask."""

    def __init__(self, config: WebOracle, pool: ImageSet, store: Store, insight: Insight, folder: Path) -> None:
        """Start the server.

        Args:
            config: the host, the port and the names of the page.
            pool: the images.
            store: where the answers go.
            insight: what people may know about the trial.
            folder: the trial's folder, which keeps the token.

        Raises:
            AlearnError: the page cannot be served at this host and port.
        """
        secret = guard.token(folder)
        listener = _listener(config.host, config.port)
        try:
            address, port = listener.getsockname()[:2]
            keeper = Guard(config.host, address.split("%")[0], port, config.names, secret)
            self._room = Room(pool, store, insight, guard.derived(secret, "trial")[:16])
            self.app = App(self._room, keeper)
            logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a few waiting requests need no warning
            self._server: Any = waitress.create_server(self.app, sockets=[listener], **LIMITS)
        except BaseException:
            listener.close()
            raise
        self.where = f"http://{_reachable(config, address)}:{port}"
        """The address of the page, without the token."""
        self.link = f"{self.where}/#{secret}" if keeper.closed else self.where
        """The address with the token if the page needs it. Only the terminal may show this."""
        self._thread: threading.Thread | None = threading.Thread(target=self._server.run, name="page", daemon=True)
        self._thread.start()

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Ask people, as `Channel.ask` does. It waits in slices, so that Ctrl-C ends it."""
        self._room.open(batch)
        reported = -1
        done = False
        while not done:
            answered, total, done = self._room.wait(reported, SLICE)
            if answered != reported and total:
                report(answered, total)
            reported = answered

    def close(self) -> None:
        """Tell the open pages that the trial has ended, then stop the server."""
        thread = self._thread
        self._thread = None
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
    """Return a socket that listens at this address. Raise an AlearnError that names the key to change."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host or "?", port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AlearnError(
            f"oracle.host={host}: this is not an address ({error}); 127.0.0.1 is reachable from this machine only"
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a killed trial can restart at once
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            why = "is in use by another program" if error.errno == errno.EADDRINUSE else "only root may use it"
            raise AlearnError(
                f"oracle.port={port}: {why} at oracle.host={host}; give another port, or 0 for any that is free"
            ) from None
        raise AlearnError(
            f"oracle.host={host}: this is not an address of this machine ({error.strerror}); 127.0.0.1 is reachable "
            "from this machine only, 0.0.0.0 is all of its addresses"
        ) from None
    return listener


def _reachable(config: WebOracle, address: str) -> str:
    """Return the host to type into the address bar of a browser."""
    if address in ("0.0.0.0", "::"):
        return config.names[0] if config.names else socket.gethostname()
    return f"[{config.host}]" if ":" in config.host else config.host
