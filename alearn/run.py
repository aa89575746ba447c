"""One trial from a config to a folder of results: builds the parts, drives the events into the sinks."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alearn import oracle, trial
from alearn.config import Config
from alearn.data import sources
from alearn.decide import source
from alearn.errors import AlearnError
from alearn.events import TrialDone
from alearn.learn import device
from alearn.record import checkpoint, files, row
from alearn.record.console import Console
from alearn.record.labels import LabelsCsv
from alearn.record.measure import measured
from alearn.record.metrics import MetricsJsonl
from alearn.record.sink import Fanout
from alearn.record.tensorboard import TensorBoard

log = logging.getLogger(__name__)


def run(config: Config, folder: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Run a trial in a folder, or go on with the one that is there; returns its row. overrides: recorded in the row.

    A finished trial of the same config is not run again. Raises AlearnError for everything that the user can mend.
    """
    prepare(config, folder)
    done = row.load(folder)
    if done is not None and done["digest"] == config.digest():
        Console(config, folder, [], 0).already(done)
        return done

    runtime = device.choose(config.device, config.precision)
    pool, test = sources.load(config)
    source.check(config.policy, len(pool))
    state = checkpoint.load(folder, config, len(pool))
    pool, test = pool.to(runtime.device), test.to(runtime.device)
    log.info("alearn on %s, %s", runtime.describe(), row.versions())

    saved = checkpoint.Checkpoint(folder, config, state)
    events = trial.label(
        config, runtime, pool.images, len(pool.classes), oracle.build(config.oracle, pool), state.ledger
    )
    console = Console(config, folder, state.history, len(pool))
    sinks = Fanout(
        [
            MetricsJsonl(folder, state.history),
            TensorBoard(folder, config, pool, state.history),
            LabelsCsv(folder, pool.ids, pool.classes),
            saved,  # last of the files: what it holds, the others hold too
            console,
        ]
    )
    try:
        for event in measured(events, pool.truth, test, runtime):
            sinks.write(event)
            if isinstance(event, TrialDone):
                done = row.build(config, overrides, state.history, event.metrics, runtime.describe(), runtime.bf16)
        assert done is not None
        row.save(folder, done)
    except AlearnError as error:
        log.error("%s", error)
        raise
    finally:
        sinks.close()
    console.finished(done)
    return done


def prepare(config: Config, folder: Path) -> None:
    """Make the folder and put the config into it. Raises AlearnError if it cannot be written or holds a trial of another config."""
    conflict(config, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.replace(folder / "config.yaml", config.yaml())
    except OSError as error:
        raise AlearnError(f"{folder}: this output folder cannot be written: {error.strerror}; give another hydra.run.dir") from None


def conflict(config: Config, folder: Path) -> None:
    """Raises AlearnError if the folder holds a trial of another config, and says in which keys it differs."""
    from omegaconf import OmegaConf

    from alearn.config import FREE, flatten

    try:
        there = flatten(OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")))  # type: ignore[arg-type]
    except FileNotFoundError:
        return
    except Exception as error:
        raise AlearnError(f"{folder}/config.yaml cannot be read ({type(error).__name__}): give another folder") from None
    here = config.identity()
    differ = [key for key in sorted(there.keys() | here.keys()) if key not in FREE and there.get(key) != here.get(key)]
    if differ:
        lines = [f"  {key}: {there.get(key)} there, {here.get(key)} now" for key in differ]
        raise AlearnError("\n".join([f"{folder} holds a trial of another config; give another folder. They differ in:", *lines]))
