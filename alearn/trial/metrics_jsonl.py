"""metrics.jsonl: a line a round."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alearn.files import atomic

NAME = "metrics.jsonl"


def write(folder: Path, history: Sequence[dict[str, Any]]) -> None:
    """Write the file whole. history: the metrics of all rounds so far."""
    atomic.replace(folder / NAME, "".join(json.dumps(metrics) + "\n" for metrics in history))


def append(folder: Path, metrics: dict[str, Any]) -> None:
    """Append the line of a round."""
    with (folder / NAME).open("a") as file:
        file.write(json.dumps(metrics) + "\n")


def load(folder: Path) -> list[dict[str, Any]]:
    """The rounds in a folder, up to the first line that is not whole; none if there is no file."""
    found: list[dict[str, Any]] = []
    with suppress(OSError, ValueError):
        found.extend(json.loads(line) for line in (folder / NAME).read_text().splitlines())
    return found
