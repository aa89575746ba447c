"""One trial, from a config to a folder of results: checks it, builds the parts, drives the events into the sinks."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from alearn import loop, oracle
from alearn.audit import certificate_file
from alearn.audit.protocol import Names, terms
from alearn.config import SIMULATED, Auto, Config, Folder, flatten, free, load
from alearn.data import choose, sources
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic, csv_tables, labels_csv
from alearn.files.labels_csv import LabelsCsv
from alearn.journal import Asked, Event, TrialDone
from alearn.learn import device
from alearn.ledger import Source
from alearn.models import build
from alearn.oracle import Oracle
from alearn.oracle.people import TOKEN, Insight
from alearn.policy import decide as decisions
from alearn.report import console
from alearn.report.sink import Fanout
from alearn.report.tensorboard import projector
from alearn.report.tensorboard.event_file import TensorBoard
from alearn.report.trial_report import Report
from alearn.trial import checkpoint, measure, model_file, row, status
from alearn.trial.measure import measured
from alearn.trial.metrics_jsonl import MetricsJsonl
from alearn.trial.row import UNKNOWN, Origin

log = logging.getLogger(__name__)
SKIPPED = "skipped.csv"
MISSING = "???"
"""What Hydra has where a value must be given."""


def run(config: Config, folder: Path, origin: Origin = UNKNOWN) -> dict[str, Any]:
    """Run a trial in a folder, or go on with the one that is there; returns its row. origin: recorded in the row.

    A finished trial of the same config is not run again. Raises AlearnError for everything that the user can mend, and
    WaitingError if it goes on only once people have answered.
    """
    check(config, folder)
    config, chosen = choose.settle(as_before(config, folder), torch.cuda.is_available() and config.device != "cpu")
    if isinstance(config.data, Folder) and config.oracle.name in SIMULATED and not sources.known(config.data):
        raise oracle.nobody(config.oracle)  # before images are decoded for it
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
                done = _recorded(config, folder, origin, chosen)
    except OSError as error:
        raise AlearnError(f"{folder}: cannot be written ({error}); make room there, then resume") from error
    console.summary(done, folder)
    return done


def _recorded(config: Config, folder: Path, origin: Origin, chosen: Sequence[str]) -> dict[str, Any]:
    """Run it; if it fails, leave word of why before the sinks close: the report repeats it."""
    with ExitStack() as end:
        try:
            done = _run(config, folder, origin, chosen, end)
        except (OSError, WaitingError):
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


def _run(config: Config, folder: Path, origin: Origin, chosen: Sequence[str], end: ExitStack) -> dict[str, Any]:
    """The row of the trial. chosen: what was chosen from the data, in sentences. end: closes what is open, whatever
    happens.
    """
    runtime = device.choose(config.device, config.precision, config.threads, origin.job or 0)
    pool, test = sources.load(config)
    names = Names(pool.ids, pool.classes)
    state = _state(config, folder, pool)
    notes = [*chosen, *_skipped(folder, [*pool.skipped, *test.skipped])]
    atomic.replace(folder / "config.yaml", config.yaml())
    pool, test = pool.to(runtime.device), test.to(runtime.device)
    log.info("%s", row.versions())

    human: Oracle | None = oracle.simulated(config.oracle, pool, config.seed)
    people = None
    if human is None:
        insight = Insight(state.ledger, lambda: measure.estimated(state.ledger))
        human = people = oracle.people(
            config.oracle, pool, insight, folder, lambda done, total: sinks.write(Asked(done, total, where))
        )
        end.callback(people.close)
        where = people.where
        notes.append(f"people answer at {where}")
        if people.link != where:
            notes.append(f"they need the whole link, {where}/#TOKEN, with the token that is in {folder / TOKEN}")
        _show(people.link, where)
    test = replace(test, classes=pool.classes)
    events: Iterator[Event] = loop.label(config, runtime, pool.images, names, human, state.ledger)
    certificates = []
    if config.policy.finish == "audit":
        certificates = [certificate_file.Certificate(folder, terms(config.policy), names)]
    sinks = Fanout(
        [
            MetricsJsonl(folder, state.history),
            TensorBoard(folder, config, pool, state),
            LabelsCsv(folder, pool.ids, pool.classes),
            *certificates,
            checkpoint.Checkpoint(folder, config, state),  # after the files above: what it holds, they hold too
            model_file.ModelFile(folder, config, state, pool.classes, tuple(pool.images.shape[1:])),
            Report(folder, config, origin, pool, state, runtime),
            console.Console(config, folder, state.ledger, pool.classes, runtime.describe(), notes),
        ]
    )
    end.callback(sinks.close)
    if people is not None:
        events = people.with_all_answers(events)
    done: dict[str, Any] = {}
    for event in measured(events, pool.truth, test, runtime):
        if isinstance(event, TrialDone):
            if state.ledger.audit is not None:
                made = certificate_file.build(state.ledger, terms(config.policy), names)
                event.metrics["certificate"] = made["statement"]
            done = row.build(config, origin, state.history, event.metrics, runtime)
            event = replace(event, metrics=done)
        sinks.write(event)
    return done


def _state(config: Config, folder: Path, pool: ImageSet) -> checkpoint.State:
    """Where the trial stands; at its start, with the labels that are there already. Raises AlearnError if its images
    are not these.
    """
    before = labels_csv.ids(folder)
    came, went = (set(), set()) if before is None else (set(pool.ids) - set(before), set(before) - set(pool.ids))
    if before is not None and (came or went):
        raise AlearnError(
            f"{folder}: this trial is of {len(before):,} images, and data.root={config.data.root} has changed since: "
            f"{len(came):,} came{_such(came)}, {len(went):,} went{_such(went)}. Put them back, or start anew in "
            "another folder; alearn-export --format csv writes a data.labels with what humans labeled so far, to which "
            "a line for each new image can be added"
        )
    if before is not None and before != list(pool.ids):
        raise AlearnError(
            f"{folder}: the images come in another order than when this trial began; give data.labels its old order"
        )
    state = checkpoint.load(folder, config, len(pool))
    if state.classes and list(state.classes[: len(pool.classes)]) != list(pool.classes):
        raise AlearnError(
            f"{folder}: this trial began with the classes {', '.join(state.classes)}, and now they are "
            f"{', '.join(pool.classes)}; a label or a folder has a new name. Undo that, or start anew in another folder"
        )
    if isinstance(pool.classes, list):  # those that people added; the store knows them, too, if it is still there
        pool.classes.extend(state.classes[len(pool.classes) :])
    state.classes = pool.classes
    if pool.given is not None and not state.ledger.source.any():
        index = np.flatnonzero(pool.given >= 0)
        state.ledger.write(index, pool.given[index], Source.GIVEN, round=0)
    return state


def _such(ids: set[str]) -> str:
    return f" ({min(ids)}{', ...' if len(ids) > 1 else ''})" if ids else ""


def _skipped(folder: Path, skipped: list[tuple[str, str]]) -> list[str]:
    """Write skipped.csv: files that are no images of the data set, and why. Return what to say of it, if anything."""
    if skipped or (folder / SKIPPED).exists():
        atomic.replace(folder / SKIPPED, csv_tables.to_text(("path", "reason"), skipped))
    several = "1 file is" if len(skipped) == 1 else f"{len(skipped):,} files are"
    return [f"{several} skipped: {folder / SKIPPED} says why"] if skipped else []


def _show(link: str, where: str) -> None:
    """A link with a token is for a terminal, never for a log."""
    if link != where and sys.stdout.isatty():
        print(f"open {link}", flush=True)


def _project(config: Config, folder: Path) -> None:
    """The projector of a finished trial."""
    pool, _ = sources.load(config)
    state = checkpoint.load(folder, config, len(pool))
    projector.write(folder, config, replace(pool, classes=state.classes), state)


def check(config: Config, folder: Path) -> None:
    """Raises AlearnError if a trial cannot start: shares too small, a model or data set that cannot be had, folder in
    use or not writable. Changes nothing.
    """
    config = as_before(config, folder)
    build.check(config.model)
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


def as_before(config: Config, folder: Path) -> Config:
    """The config, with what it leaves open as the trial in the folder has it, if there is one. A folder of images gets
    its whole path: what reads config.yaml later may run elsewhere.
    """
    if isinstance(config.data, Folder) and config.data.root != MISSING:
        root = str(Path(config.data.root).expanduser().absolute())
        config = config.model_copy(update={"data": config.data.model_copy(update={"root": root})})
    try:
        before = load(folder / "config.yaml")
    except AlearnError:
        return config
    data = {key: getattr(before.data, key, "auto") for key in ("layout", "size", "channels", "augment")}
    data = {key: value for key, value in data.items() if getattr(config.data, key, None) == "auto"}
    changed: dict[str, Any] = {"data": config.data.model_copy(update=data)}
    if config.train.augment == "auto":
        changed["train"] = config.train.model_copy(update={"augment": before.train.augment})
    if isinstance(config.model, Auto) and before.model in (config.model.small, config.model.large):
        changed["model"] = before.model
    return config.model_copy(update=changed)


def writable(folder: Path) -> None:
    """Raises AlearnError if the folder, or the first of its parents that exists, cannot be written."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise AlearnError(f"{folder}: this output folder cannot be written; give another as hydra.run.dir=FOLDER")
