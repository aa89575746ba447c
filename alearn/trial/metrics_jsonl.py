"""metrics.jsonl: one line for each round."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alearn.files import atomic

NAME = "metrics.jsonl"


def write(folder: Path, history: Sequence[dict[str, Any]]) -> None:
    """Write the whole file. history: The metrics of all rounds so far."""
    atomic.replace(folder / NAME, "".join(json.dumps(metrics) + "\n" for metrics in history))


def append(folder: Path, metrics: dict[str, Any]) -> None:
    """Append the line of a round."""
    with (folder / NAME).open("a") as file:
        file.write(json.dumps(metrics) + "\n")


def load(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics of the rounds in a folder, up to the first incomplete line; [] if there is no file."""
    rounds: list[dict[str, Any]] = []
    with suppress(OSError, ValueError):
        rounds.extend(json.loads(line) for line in (folder / NAME).read_text().splitlines())
    return rounds
