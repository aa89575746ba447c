"""report.html: a page about a trial, which needs no server, no network and no script.

A trial writes its report while it runs. `alearn report DIR` writes the report of any trial or sweep, in any state; that
of a sweep is in `alearn.sweep.sweep_page`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from omegaconf import OmegaConf

from alearn.config import load
from alearn.data import sources
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.journal import Entry, Finished, Progress, Round
from alearn.learn.device import Runtime
from alearn.ledger import Ledger
from alearn.report.html import page, trial_page
from alearn.trial import checkpoint, measure, metrics_jsonl, row, status
from alearn.trial.checkpoint import State
from alearn.trial.folder_journal import Setting
from alearn.trial.row import Origin
from alearn.trial.status import Status

PAUSE = 60.0
"""The least seconds between two reports of a running trial. Writing a report takes about one second."""


class Report:
    """A reporter that keeps report.html up to date.

    It writes the report after the first round, then at most once a minute, and when the trial ends, however it ends.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._written = float("-inf")
        self._finished = False

    def progress(self, step: Progress) -> None:
        """Do nothing, because the report shows only whole rounds."""

    def committed(self, entry: Entry) -> None:
        """Write the report if it is time to."""
        if isinstance(entry, Finished):
            self._finished = True
            self._write(entry.metrics, (Status.FINISHED, ""))
        elif isinstance(entry, Round) and monotonic() - self._written > PAUSE:
            self._write(self._so_far(), (Status.RUNNING, ""))

    def close(self) -> None:
        """Write a last report if the trial did not finish. The reason must be on disk before."""
        if not self._finished:
            self._write(self._so_far(), status.stopped(self._setting.folder))

    def _so_far(self) -> dict[str, Any]:
        setting = self._setting
        state = self._setting.state
        final = state.history[-1] if state.history else measure.labels(state.ledger, setting.pool.truth, None)
        return row.build(setting.config, setting.origin, state.history, final, setting.runtime)

    def _write(self, values: dict[str, Any], standing: tuple[Status, str]) -> None:
        setting = self._setting
        trial(setting.folder, setting.config.yaml(), values, setting.state, setting.pool, standing)
        self._written = monotonic()


def trial(
    folder: Path,
    yaml: str,
    values: dict[str, Any],
    state: State,
    pool: ImageSet | None,
    standing: tuple[Status, str],
    missing: Sequence[str] = (),
) -> None:
    """Write a trial's report.html into its folder.

    Args:
        folder: The folder of the trial.
        yaml: The text of its config.
        values: Its row, see `alearn.trial.row.build`.
        state: Its state.
        pool: Its images, on any device; None if they are not available.
        standing: Its status and why it failed, see `alearn.trial.status.of`.
        missing: Sentences that say what the report lacks.
    """
    content = trial_page.content(folder, yaml, values, state, pool, standing)
    page.write(folder, "trial.html.j2", missing=missing, **content)


def rebuild(folder: Path) -> None:
    """Write the report of the trial in a folder from its files. The trial may be in any state.

    If anything other than the config is missing, the report says so.

    Raises:
        AlearnError: The config cannot be read.
    """
    config = load(folder / "config.yaml")
    done = row.load(folder)
    history = metrics_jsonl.load(folder)
    missing: list[str] = []
    pool: ImageSet | None = None
    try:
        pool, _ = sources.load(config.data, config.seed)
    except AlearnError as error:
        missing.append(
            f"The images cannot be loaded ({error}). So there are no pictures, and no truth to compare with."
        )
    last = done or (history[-1] if history else {})
    total = len(pool) if pool is not None else row.images_of(last)
    try:
        state = checkpoint.load(folder, config.digest(), total)
    except AlearnError as error:
        missing.append(f"There are no classes and no pictures: {error}.")
        state = State(Ledger.empty(total), history)
    if done is None:
        final = state.history[-1] if state.history else measure.labels(state.ledger, None, None)
        nobody = Runtime(torch.device("cpu"), bf16=False)
        unknown = dict.fromkeys(
            ("device", "hardware", "versions", "git_commit")
        )  # only the row of a finished trial has these
        done = row.build(config, _origin(folder), state.history, final, nobody) | unknown
    if pool is not None and len(state.classes) > len(pool.classes):
        pool = replace(pool, classes=state.classes)  # people have added classes
    trial(folder, config.yaml(), done, state, pool, status.of(folder), missing)


def _origin(folder: Path) -> Origin:
    try:
        overrides = tuple(map(str, OmegaConf.load(folder / ".hydra" / "overrides.yaml")))
        return Origin(overrides, OmegaConf.select(OmegaConf.load(folder / ".hydra" / "hydra.yaml"), "hydra.job.num"))
    except Exception:  # a damaged file can fail in any way, and is not needed
        return Origin()
