"""Run one trial, from a config to a folder of results: check it, build its parts, run the loop."""

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alearn import loop
from alearn.audit.protocol import Names
from alearn.config import AutoTrain, Config, Head
from alearn.data import sources
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic, csv_tables
from alearn.journal import Asked
from alearn.learn import device
from alearn.learn import embedding as embed
from alearn.learn.extract import extraction
from alearn.models import build
from alearn.models.pretrained import Pretrained
from alearn.oracle import Oracle
from alearn.oracle.context import Context, no_truth
from alearn.oracle.people import TOKEN, People
from alearn.registry import ORACLES
from alearn.trial import measure, resume, row, status
from alearn.trial.checkpoint import State
from alearn.trial.folder_journal import FolderJournal, Reporter, Setting
from alearn.trial.row import UNKNOWN, Origin
from alearn.trial.settle import settle, unhurried

log = logging.getLogger(__name__)
SKIPPED = "skipped.csv"

Reporters = Callable[[Setting], Sequence[Reporter]]
"""A function that returns the reporters of a trial that is about to begin."""


def nobody(setting: Setting) -> Sequence[Reporter]:
    """Return no reporters."""
    return ()


@dataclass(frozen=True)
class Prepared:
    """A trial that can run.

    Attributes:
        config: A config in which nothing is left to choose.
        folder: The folder of the trial.
        notes: Sentences that say what was chosen.
        row: The row of the trial if it has finished already, otherwise None.
    """

    config: Config
    folder: Path
    notes: Sequence[str]
    row: dict[str, Any] | None


def prepare(config: Config, folder: Path) -> Prepared:
    """Check a trial, and choose what its config leaves open.

    Raises:
        AlearnError: The trial cannot run for a reason that the user can correct.
    """
    check(config, folder)
    config = resume.as_before(config, folder)
    runtime = device.choose(config.device, config.precision, cuda_graphs=config.cuda_graphs)
    settled = settle(config.data, config.model, config.train, config.policy, runtime)
    oracle = unhurried(config.oracle, settled.train)
    config = config.model_copy(update=settled.sections() | {"oracle": oracle})
    simulated = ORACLES.get(config.oracle.name).simulated
    if simulated and not sources.known(config.data):
        raise no_truth(config.oracle.name)  # say so before any image is decoded
    done = row.load(folder)
    finished = done is not None and done["digest"] == config.digest()
    return Prepared(config, folder, settled.notes, done if finished else None)


def run(prepared: Prepared, origin: Origin = UNKNOWN, reporters: Reporters = nobody) -> dict[str, Any]:
    """Run or resume a trial in its folder, and return its row. A finished trial is not run again.

    Args:
        prepared: The trial.
        origin: What started it, for the row.
        reporters: A function that returns its reporters.

    Raises:
        AlearnError: The trial failed for a reason that the user can correct.
        WaitingError: The trial cannot continue until people have answered, or chosen a seed.
    """
    if prepared.row is not None:
        return prepared.row
    folder = prepared.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with status.lock(folder, "trial"):
            status.start(folder)
            return _run(prepared, origin, reporters)
    except OSError as error:
        raise AlearnError(f"{folder}: cannot be written ({error}); make room there, then resume") from error


def _run(prepared: Prepared, origin: Origin, reporters: Reporters) -> dict[str, Any]:
    """Run a trial. If it fails or waits, record why before the reporters close, because the report shows it."""
    folder = prepared.folder
    with ExitStack() as end:
        try:
            done = _label(prepared, origin, reporters, end)
        except OSError:
            raise  # a full disk has no room for a reason
        except WaitingError as waiting:
            status.wait(folder, str(waiting))
            raise
        except AlearnError as error:
            log.error("%s", error)
            status.fail(folder, str(error))
            raise
        except Exception as error:  # a bug in alearn: keep the last line of the traceback
            status.fail(folder, f"{type(error).__name__}: {error}")
            raise
    row.save(folder, done)  # only after everything else is written
    return done


def _label(prepared: Prepared, origin: Origin, reporters: Reporters, end: ExitStack) -> dict[str, Any]:
    """Build the parts of the trial, label, and return the row. `end` closes whatever was opened."""
    config = prepared.config
    folder = prepared.folder
    runtime = device.choose(
        config.device, config.precision, config.threads, origin.job or 0, cuda_graphs=config.cuda_graphs
    )
    extractor = None
    if isinstance(config.train, Head) and isinstance(config.model, Pretrained):
        extractor = extraction(config.model, config.data, runtime)
    pool, test = sources.load(config.data, config.seed, extractor)
    names = Names(pool.ids, pool.classes)  # before resume.state restores the classes that people added
    state = resume.state(config, folder, pool)
    notes = [*prepared.notes, *_skipped(folder, [*pool.skipped, *test.skipped])]
    atomic.replace(folder / "config.yaml", config.yaml())
    pool = pool.to(runtime.device)
    test = replace(test.to(runtime.device), classes=pool.classes)
    embedding = None
    if isinstance(config.train, Head):
        pool_features, embedding = embed.prepared(pool.inputs, config.train.smooth)
        pool = replace(pool, features=pool_features)
        if embedding is not None:
            test = replace(test, features=embedding(test.inputs))
    log.info("%s", row.versions())

    human = _oracle(config, folder, pool, state, lambda done, total: journal.progress(Asked(done, total, where)))
    where = getattr(human, "where", f"oracle={config.oracle.name}")
    if hasattr(human, "close"):
        end.callback(human.close)
    if isinstance(human, People):
        notes += _where(human, folder)
    backbone = None if extractor is None else extractor.backbone
    setting = Setting(folder, config, origin, pool, test, names, state, runtime, notes, backbone, embedding)
    journal = FolderJournal(setting, reporters(setting))
    end.callback(journal.close)
    loop.label(_trial(setting, human), journal)
    return journal.row


def _trial(setting: Setting, human: Oracle) -> loop.Trial:
    """Take the config apart: from here on, every function gets the section that it needs."""
    config = setting.config
    assert not isinstance(config.train, AutoTrain)  # settle has chosen
    return loop.Trial(
        images=setting.pool.inputs,
        names=setting.names,
        oracle=human,
        ledger=setting.state.ledger,
        policy=config.policy,
        train=config.train,
        network=partial(build.build, config.model),
        runtime=setting.runtime,
        seed=config.seed,
        distortion=config.data.augment,
        start=setting.state.model,
    )


def _oracle(config: Config, folder: Path, pool: ImageSet, state: State, report: Callable[[int, int], None]) -> Any:
    """Build the oracle that the config names."""
    context = Context(
        name=config.oracle.name,
        images=pool,
        seed=config.seed,
        folder=folder,
        ledger=state.ledger,
        estimate=partial(measure.estimated, state.ledger),
        report=report,
    )
    return ORACLES.get(config.oracle.name).build(config.oracle, context)


def _where(people: People, folder: Path) -> list[str]:
    """Return notes that say where people answer. On a terminal, print their link."""
    if people.link != people.where and sys.stdout.isatty():  # a link with a token must not get into a log
        print(f"open {people.link}", flush=True)
    notes = [f"people answer at {people.where}"]
    if people.link != people.where:
        token = folder / TOKEN
        notes.append(f"they need the whole link, {people.where}/#TOKEN, and the token is in {token}")
    return notes


def _skipped(folder: Path, skipped: list[tuple[str, str]]) -> list[str]:
    """Write skipped.csv: which files were skipped, and why. Return a note that says so, if there are any."""
    if skipped or (folder / SKIPPED).exists():
        atomic.replace(folder / SKIPPED, csv_tables.to_text(("path", "reason"), skipped))
    several = "1 file is" if len(skipped) == 1 else f"{len(skipped):,} files are"
    return [f"{several} skipped: {folder / SKIPPED} says why"] if skipped else []


def check(config: Config, folder: Path) -> None:
    """Check everything that can be checked before any time is spent on the trial. Change nothing.

    Raises:
        AlearnError: The trial cannot start: a share is too small, the model or the data set is not available, or the
            folder cannot be written or holds another trial.
    """
    config = resume.as_before(config, folder)
    build.check(config.model)
    loop.check(config.policy, sources.check(config.data))
    resume.check_writable(folder)
    resume.check_config(config, folder)
