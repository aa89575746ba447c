"""One trial, from a config to a folder of results: checks it, builds the parts, drives the events into the sinks."""

import logging
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from alearn import oracle, trial
from alearn.audited import Names, terms
from alearn.config import Config, flatten, free
from alearn.data import sources
from alearn.decide import policy as decisions
from alearn.errors import AlearnError
from alearn.events import TrialDone
from alearn.learn import device, models
from alearn.record import certificate, checkpoint, console, files, model, row, status
from alearn.record.labels import LabelsCsv
from alearn.record.measure import measured
from alearn.record.metrics import MetricsJsonl
from alearn.record.report import Report
from alearn.record.row import UNKNOWN, Origin
from alearn.record.sink import Fanout
from alearn.record.tensorboard import projector
from alearn.record.tensorboard.sink import TensorBoard

log = logging.getLogger(__name__)


def run(config: Config, folder: Path, origin: Origin = UNKNOWN) -> dict[str, Any]:
    """Run a trial in a folder, or go on with the one that is there; returns its row. origin: recorded in the row.

    A finished trial of the same config is not run again. Raises AlearnError for everything that the user can mend.
    """
    check(config, folder)
    done = row.load(folder)
    try:
        if done is not None and done["digest"] == config.digest():
            print(f"{folder}: finished already")
            if config.record.projector:
                _project(config, folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            with status.lock(folder, "trial"):
                (folder / status.FAILED).unlink(missing_ok=True)
                done = _recorded(config, folder, origin)
    except OSError as error:
        raise AlearnError(f"{folder}: cannot be written ({error}); make room there, then resume") from error
    console.summary(done, folder)
    return done


def _recorded(config: Config, folder: Path, origin: Origin) -> dict[str, Any]:
    """Run it; if it fails, leave word of why before the sinks close: the report repeats it."""
    with ExitStack() as end:
        try:
            done = _run(config, folder, origin, end)
        except OSError:
            raise  # a disk that is full has no room for the word
        except AlearnError as error:
            log.error("%s", error)
            status.fail(folder, str(error))
            raise
        except Exception as error:  # a bug of ours: the traceback goes on, its last line stays
            status.fail(folder, f"{type(error).__name__}: {error}")
            raise
    row.save(folder, done)  # once all the rest is there
    return done


def _run(config: Config, folder: Path, origin: Origin, end: ExitStack) -> dict[str, Any]:
    """The row of the trial. end: closes the sinks, whatever happens."""
    runtime = device.choose(config.device, config.precision, config.threads, origin.job or 0)
    pool, test = sources.load(config)
    state = checkpoint.load(folder, config, len(pool))
    files.replace(folder / "config.yaml", config.yaml())
    pool, test = pool.to(runtime.device), test.to(runtime.device)
    log.info("%s", row.versions())

    names = Names(pool.ids, pool.classes)
    human = oracle.build(config.oracle, pool, config.seed)
    events = trial.label(config, runtime, pool.images, names, human, state.ledger)
    certificates = []
    if config.policy.finish == "audit":
        certificates = [certificate.Certificate(folder, terms(config.policy), names)]
    sinks = Fanout(
        [
            MetricsJsonl(folder, state.history),
            TensorBoard(folder, config, pool, state),
            LabelsCsv(folder, pool.ids, pool.classes),
            *certificates,
            checkpoint.Checkpoint(folder, config, state),  # after the files above: what it holds, they hold too
            model.ModelFile(folder, config, state, pool.classes, tuple(pool.images.shape[1:])),
            Report(folder, config, origin, pool, state, runtime),
            console.Console(config, folder, state.ledger, pool.classes, runtime.describe()),
        ]
    )
    end.callback(sinks.close)
    done: dict[str, Any] = {}
    for event in measured(events, pool.truth, test, runtime):
        if isinstance(event, TrialDone):
            if state.ledger.audit is not None:
                made = certificate.build(state.ledger, terms(config.policy), names)
                event.metrics["certificate"] = made["statement"]
            done = row.build(config, origin, state.history, event.metrics, runtime)
            event = replace(event, metrics=done)
        sinks.write(event)
    return done


def _project(config: Config, folder: Path) -> None:
    """The projector of a finished trial."""
    pool, _ = sources.load(config)
    projector.write(folder, config, pool, checkpoint.load(folder, config, len(pool)))


def check(config: Config, folder: Path) -> None:
    """Raises AlearnError if a trial cannot start: shares too small, a model or data set that cannot be had, folder in
    use or not writable. Changes nothing.
    """
    models.check(config.model)
    total = sources.check(config.data)
    if total is not None:
        decisions.check(config.policy, total)
    writable(folder)
    try:
        there = flatten(OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")))  # type: ignore[arg-type]
    except FileNotFoundError:
        return
    except Exception as error:  # whatever is wrong with it, it is not ours
        raise AlearnError(
            f"{folder}/config.yaml cannot be read ({type(error).__name__}): give another folder"
        ) from None
    here = config.identity()
    keys = sorted((there.keys() | here.keys()) - set(free(here)))
    differ = [key for key in keys if there.get(key) != here.get(key)]
    if differ:
        lines = [f"  {key}: {there.get(key)} there, {here.get(key)} now" for key in differ]
        raise AlearnError(
            "\n".join([f"{folder} holds a trial of another config; give another folder. They differ in", *lines])
        )


def writable(folder: Path) -> None:
    """Raises AlearnError if the folder, or the first of its parents that exists, cannot be written."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise AlearnError(f"{folder}: this output folder cannot be written; give another as hydra.run.dir=FOLDER")
