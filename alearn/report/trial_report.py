"""report.html: a trial or a sweep on one page that needs no server, no network and no script to be read.

A trial writes its own while it runs; `alearn report DIR` makes that of any trial or sweep, in whatever state it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from omegaconf import OmegaConf

from alearn.config import Config, load
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
"""Seconds between two reports of a running trial, at least: each takes about one."""


class Report:
    """A reporter that keeps report.html up to date: after the first round, once a minute, and when the trial ends,
    however it ends.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting, self._written, self._finished = setting, float("-inf"), False

    def progress(self, step: Progress) -> None:
        """Write nothing: the page shows rounds."""

    def committed(self, entry: Entry) -> None:
        """Rewrite the file if it is time to."""
        if isinstance(entry, Finished):
            self._finished = True
            self._write(entry.metrics, (Status.FINISHED, ""))
        elif isinstance(entry, Round) and monotonic() - self._written > PAUSE:
            self._write(self._so_far(), (Status.RUNNING, ""))

    def close(self) -> None:
        """Say why the trial ended if it did not finish. The reason of a failure must have been left by now."""
        if not self._finished:
            reason = status.failure(self._setting.folder)
            standing = (Status.INTERRUPTED, "") if reason is None else (Status.FAILED, reason)
            self._write(self._so_far(), standing)

    def _so_far(self) -> dict[str, Any]:
        setting, state = self._setting, self._setting.state
        final = state.history[-1] if state.history else measure.labels(state.ledger, setting.pool.truth, None)
        return row.build(setting.config, setting.origin, state.history, final, setting.runtime)

    def _write(self, found: dict[str, Any], standing: tuple[Status, str]) -> None:
        setting = self._setting
        trial(setting.folder, setting.config, found, setting.state, setting.pool, standing)
        self._written = monotonic()


def trial(
    folder: Path,
    config: Config,
    found: dict[str, Any],
    state: State,
    pool: ImageSet | None,
    standing: tuple[Status, str],
    missing: Sequence[str] = (),
) -> None:
    """Write a trial's report.html into its folder.

    found: its row, as `alearn.trial.row.build` makes it. pool: the images, on any device, None where they cannot be
    had. standing: as `alearn.trial.status.of` says it. missing: what the report has to do without, in sentences.
    """
    content = trial_page.content(folder, config, found, state, pool, standing)
    page.write(folder, "trial.html.j2", missing=missing, **content)


def rebuild(folder: Path) -> None:
    """Write the report of the trial in a folder from its files, in whatever state it is.

    Raises AlearnError for a config that cannot be read; what else is missing is said in the report.
    """
    config = load(folder / "config.yaml")
    done, history, missing = row.load(folder), metrics_jsonl.load(folder), []
    pool: ImageSet | None = None
    try:
        pool, _ = sources.load(config.data, config.seed)
    except AlearnError as error:
        missing.append(f"No pictures, and no truth to compare with: the images cannot be had ({error}).")
    last = done or (history[-1] if history else {})
    total = len(pool) if pool is not None else row.images_of(last)
    try:
        state = checkpoint.load(folder, config.digest(), total)
    except AlearnError as error:
        missing.append(f"No classes and no pictures: {error}.")
        state = State(Ledger.empty(total), history)
    if done is None:
        final = state.history[-1] if state.history else measure.labels(state.ledger, None, None)
        nobody = Runtime(torch.device("cpu"), bf16=False)
        unknown = dict.fromkeys(("device", "hardware", "versions", "git_commit"))  # the row will know what it ran on
        done = row.build(config, _origin(folder), state.history, final, nobody) | unknown
    if pool is not None and len(state.classes) > len(pool.classes):
        pool = replace(pool, classes=state.classes)  # people added some
    trial(folder, config, done, state, pool, status.of(folder), missing)


def _origin(folder: Path) -> Origin:
    try:
        words = tuple(str(word) for word in OmegaConf.load(folder / ".hydra" / "overrides.yaml"))
        return Origin(words, OmegaConf.select(OmegaConf.load(folder / ".hydra" / "hydra.yaml"), "hydra.job.num"))
    except Exception:  # a damaged file can fail in any way, and is of no use then
        return Origin()
