"""One trial, from a config to a folder of results: checks it, builds its parts, runs the loop."""

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from alearn import loop, oracle
from alearn.audit.protocol import Names
from alearn.config import SIMULATED, Config, Folder
from alearn.data import choose, sources
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic, csv_tables
from alearn.journal import Asked
from alearn.learn import device
from alearn.models import build
from alearn.oracle import Oracle
from alearn.oracle.people import TOKEN, Insight, People
from alearn.trial import measure, resume, row, status
from alearn.trial.checkpoint import State
from alearn.trial.folder_journal import FolderJournal, Reporter, Setting
from alearn.trial.row import UNKNOWN, Origin

log = logging.getLogger(__name__)
SKIPPED = "skipped.csv"

Reporters = Callable[[Setting], Sequence[Reporter]]
"""Makes the reporters of a trial that is about to begin."""


def nobody(setting: Setting) -> Sequence[Reporter]:
    """Report to nobody."""
    return ()


@dataclass(frozen=True)
class Prepared:
    """A trial that can run. config: nothing is left to choose in it. notes: what was chosen, in sentences. row: of a
    trial of this config that is finished in the folder, None if there is none.
    """

    config: Config
    folder: Path
    notes: Sequence[str]
    row: dict[str, Any] | None


def prepare(config: Config, folder: Path) -> Prepared:
    """Check a trial and settle what its config leaves open. Raises AlearnError for what the user can mend."""
    check(config, folder)
    cuda = torch.cuda.is_available() and config.device != "cpu"
    config = resume.as_before(config, folder)
    settled = choose.settle(config.data, config.train, config.model, cuda)
    config = config.model_copy(update=settled.sections())
    if isinstance(config.data, Folder) and config.oracle.name in SIMULATED and not sources.known(config.data):
        raise oracle.nobody(config.oracle)  # before images are decoded for it
    done = row.load(folder)
    finished = done is not None and done["digest"] == config.digest()
    return Prepared(config, folder, settled.notes, done if finished else None)


def run(prepared: Prepared, origin: Origin = UNKNOWN, reporters: Reporters = nobody) -> dict[str, Any]:
    """Run a trial in its folder, or go on with the one that is there; return its row.

    A trial that is finished is not run again. origin: recorded in the row. Raises AlearnError for everything that the
    user can mend, and WaitingError if the trial goes on only once people have answered.
    """
    if prepared.row is not None:
        return prepared.row
    folder = prepared.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with status.lock(folder, "trial"):
            (folder / status.FAILED).unlink(missing_ok=True)
            return _run(prepared, origin, reporters)
    except OSError as error:
        raise AlearnError(f"{folder}: cannot be written ({error}); make room there, then resume") from error


def _run(prepared: Prepared, origin: Origin, reporters: Reporters) -> dict[str, Any]:
    """Run it. If it fails, leave word of why before the reporters close: the report repeats it."""
    folder = prepared.folder
    with ExitStack() as end:
        try:
            done = _label(prepared, origin, reporters, end)
        except (OSError, WaitingError):
            raise  # a disk that is full has no room for the word
        except AlearnError as error:
            log.error("%s", error)
            status.fail(folder, str(error))
            raise
        except Exception as error:  # a bug of ours: the traceback goes on, its last line stays
            status.fail(folder, f"{type(error).__name__}: {error}")
            raise
    row.save(folder, done)  # once everything else is there
    return done


def _label(prepared: Prepared, origin: Origin, reporters: Reporters, end: ExitStack) -> dict[str, Any]:
    """Build the parts of the trial, label, and return the row. end: closes what is open, whatever happens."""
    config, folder = prepared.config, prepared.folder
    runtime = device.choose(config.device, config.precision, config.threads, origin.job or 0)
    pool, test = sources.load(config.data, config.seed)
    names = Names(pool.ids, pool.classes)  # before the classes that people added come back
    state = resume.state(config, folder, pool)
    notes = [*prepared.notes, *_skipped(folder, [*pool.skipped, *test.skipped])]
    atomic.replace(folder / "config.yaml", config.yaml())
    pool, test = pool.to(runtime.device), replace(test.to(runtime.device), classes=pool.classes)
    log.info("%s", row.versions())

    human: Oracle | None = oracle.simulated(config.oracle, pool, config.seed)
    if human is None:
        human = people = _people(
            config, folder, pool, state, lambda done, total: journal.progress(Asked(done, total, people.where))
        )
        end.callback(people.close)
        notes += _where(people, folder)
    setting = Setting(folder, config, origin, pool, test, names, state, runtime, notes)
    journal = FolderJournal(setting, reporters(setting))
    end.callback(journal.close)
    loop.label(_trial(setting, human), journal)
    return journal.row


def _trial(setting: Setting, human: Oracle) -> loop.Trial:
    """Take the config apart: from here on, every function gets the section that it needs."""
    config = setting.config
    return loop.Trial(
        images=setting.pool.images,
        names=setting.names,
        oracle=human,
        ledger=setting.state.ledger,
        policy=config.policy,
        train=config.train,
        network=partial(build.build, config.model),
        runtime=setting.runtime,
        seed=config.seed,
        distortion=config.data.augment,
    )


def _people(config: Config, folder: Path, pool: ImageSet, state: State, report: Callable[[int, int], None]) -> People:
    """Open the way to people."""
    insight = Insight(state.ledger, lambda: measure.estimated(state.ledger))
    people = oracle.people(config.oracle, pool, insight, folder, report)
    if people.link != people.where and sys.stdout.isatty():  # a link with a token is for a terminal, never for a log
        print(f"open {people.link}", flush=True)
    return people


def _where(people: People, folder: Path) -> list[str]:
    """Say where people answer."""
    notes = [f"people answer at {people.where}"]
    if people.link != people.where:
        token = folder / TOKEN
        notes.append(f"they need the whole link, {people.where}/#TOKEN, with the token that is in {token}")
    return notes


def _skipped(folder: Path, skipped: list[tuple[str, str]]) -> list[str]:
    """Write skipped.csv: files that are no images of the data set, and why. Return what to say of it, if anything."""
    if skipped or (folder / SKIPPED).exists():
        atomic.replace(folder / SKIPPED, csv_tables.to_text(("path", "reason"), skipped))
    several = "1 file is" if len(skipped) == 1 else f"{len(skipped):,} files are"
    return [f"{several} skipped: {folder / SKIPPED} says why"] if skipped else []


def check(config: Config, folder: Path) -> None:
    """Check what can be checked before anything is spent; change nothing.

    Raises AlearnError if the trial cannot start: shares too small, a model or data set that cannot be had, a folder
    that is in use, not writable, or holds another trial.
    """
    config = resume.as_before(config, folder)
    build.check(config.model)
    total = sources.check(config.data)
    if total is not None:
        loop.check(config.policy, total)
    resume.check_writable(folder)
    resume.check_config(config, folder)
