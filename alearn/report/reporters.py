"""The reporters of a trial, and a trial that runs with all of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alearn import __version__
from alearn.config import Config
from alearn.data import sources
from alearn.report import console
from alearn.report.tensorboard import projector
from alearn.report.tensorboard.event_file import TensorBoard
from alearn.report.trial_report import Report
from alearn.trial import checkpoint
from alearn.trial.folder_journal import Reporter, Setting
from alearn.trial.row import UNKNOWN, Origin
from alearn.trial.run import prepare, run


def reporters(setting: Setting) -> Sequence[Reporter]:
    """Return the reporters of a trial. The console comes last, because it names the files that the others write."""
    state = setting.state
    threshold = setting.config.policy.threshold
    trusted = state.history[-1]["trusted_threshold"] if state.history else threshold
    lines = console.Console(state.ledger, setting.pool.classes, heading(setting), threshold, trusted)
    return TensorBoard(setting), Report(setting), lines


def heading(setting: Setting) -> list[str]:
    """Return the sentences to show before a trial begins."""
    config = setting.config
    names = " ".join(f"{key}={getattr(config, key).name}" for key in ("trial", "policy", "model", "train"))
    images = f"{len(setting.pool):,} images of {config.data.name}"
    hardware = setting.runtime.describe()
    return [
        f"alearn {__version__}: {images}, {names} seed={config.seed}, {hardware}",
        f"folder: {setting.folder}",
        *setting.notes,
    ]


def run_shown(config: Config, folder: Path, origin: Origin = UNKNOWN) -> dict[str, Any]:
    """Run a trial as the command does, with every reporter, and print its outcome. See `alearn.trial.run`."""
    prepared = prepare(config, folder)
    if prepared.row is not None:
        print(f"{folder}: finished already")
        if prepared.config.record.projector:
            project(prepared.config, folder)
    done = run(prepared, origin, reporters)
    console.summary(done, folder)
    return done


def project(config: Config, folder: Path) -> None:
    """Write the projector of a finished trial."""
    pool, _ = sources.load(config.data, config.seed)
    state = checkpoint.load(folder, config.digest(), len(pool))
    pool = replace(pool, classes=state.classes)
    projector.write(folder, config.record.projector, config.model, config.seed, pool, state)
