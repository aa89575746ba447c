"""How long tests wait: for an event, however slow the machine is, up to a limit that only a hang reaches."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 600.0
"""Seconds. A test that waits this long hangs; one that passes needs a small part of it on any machine."""


def until(condition: Callable[[], T], what: object = "") -> T:
    """Return what a condition returns, once that is true. what: what is waited for; it is shown after the limit."""
    end = time.monotonic() + LIMIT
    while not (value := condition()):
        assert time.monotonic() < end, f"waited for {LIMIT:.0f} seconds: {what}"
        time.sleep(0.05)
    return value
