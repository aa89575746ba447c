"""metrics.jsonl: a line a round."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from alearn.files import atomic
from alearn.journal import Event, RoundDone

NAME = "metrics.jsonl"


class MetricsJsonl:
    """A sink that appends the metrics of every round."""

    def __init__(self, folder: Path, history: list[dict[str, Any]]) -> None:
        """history: what a resumed trial has done; the file is made to hold that and no more."""
        self._path = folder / NAME
        atomic.replace(self._path, "".join(json.dumps(metrics) + "\n" for metrics in history))

    def write(self, event: Event) -> None:
        """One line."""
        if isinstance(event, RoundDone):
            with self._path.open("a") as file:
                file.write(json.dumps(event.metrics) + "\n")

    def close(self) -> None:
        """Nothing is open."""


def load(folder: Path) -> list[dict[str, Any]]:
    """The rounds in a folder, up to the first line that is not whole; none if there is no file."""
    found: list[dict[str, Any]] = []
    with suppress(OSError, ValueError):
        found.extend(json.loads(line) for line in (folder / NAME).read_text().splitlines())
    return found
