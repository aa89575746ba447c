"""A small real trial, for all tests that read its files."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from alearn.config import Config
from alearn.report.reporters import run_shown
from alearn.trial.row import Origin
from tests.conftest import SMALL, compose


class Trial(NamedTuple):
    """A trial: its folder, config and row, the metrics of its rounds, and its events as TensorBoard reads them."""

    folder: Path
    config: Config
    row: dict[str, Any]
    rounds: list[dict[str, Any]]
    events: EventAccumulator


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "histograms": 0, "tensors": 0})
    events.Reload()
    return events


@pytest.fixture(scope="package")
def trial(tmp_path_factory, mnist_root) -> Trial:
    folder = tmp_path_factory.mktemp("trial")
    config = compose(
        *SMALL,
        "data.limit=600",
        f"data.root='{mnist_root}'",
        "policy.threshold=0.5",
        "policy.init_fraction=0.1",
        "policy.hand_fraction=0.1",
        "train.steps=60",
        "record.projector=50",
    )
    row = run_shown(config, folder, Origin(("policy.threshold=0.5",)))
    rounds = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return Trial(folder, config, row, rounds, read(folder))
