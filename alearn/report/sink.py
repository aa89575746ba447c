"""Where events go. A sink takes every event, cares for some, and is closed once, whatever happened."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from alearn.journal import Event


class Sink(Protocol):
    """A listener to a trial."""

    def write(self, event: Event) -> None:
        """Take one event; its arrays are only valid during the call."""

    def close(self) -> None:
        """No more events: the trial is done, failed or interrupted."""


class Fanout:
    """Hands every event to several sinks, in order."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def write(self, event: Event) -> None:
        """To each of them."""
        for sink in self._sinks:
            sink.write(event)

    def close(self) -> None:
        """Each of them, even if one fails."""
        with ExitStack() as stack:
            for sink in reversed(self._sinks):
                stack.callback(sink.close)
