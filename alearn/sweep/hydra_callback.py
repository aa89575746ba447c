"""Hydra's callback: it checks all jobs before the first one starts, and watches them until the last one ends."""

import os
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import Any, NoReturn

from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from alearn.config import hydra_front, parse, parse_search
from alearn.errors import AlearnError
from alearn.sweep import running_sweep

SEARCH = "hydra_plugins.alearn_search.OptunaSweeper"
"""The `_target_` of hydra/sweeper=optuna."""
MISTAKES = (AlearnError, OmegaConfBaseException, HydraException)
"""The exceptions that a wrong config raises."""


class Guard(Callback):
    """The callback. It ends the program with SystemExit, because Hydra turns other exceptions into warnings."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the trial before Hydra touches its folder."""
        given = {override.partition("=")[0] for override in config.hydra.overrides.task}
        if open_keys := [str(key) for key in config.hydra.sweeper.get("params") or {} if key not in given]:
            _refuse(f"this experiment is a sweep: run it with -m, or set {' and '.join(open_keys)} for one trial of it")
        try:
            _check(config, Path(config.hydra.run.dir))
        except (AlearnError, OSError, OmegaConfBaseException) as error:
            _refuse(str(error))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check every job of the sweep, lock its folder, and start to watch it.

        A search decides later which jobs it runs. Instead, jobs at the ends of what it may choose are checked.
        """
        from alearn.trial import resume

        try:
            folder = Path(os.path.abspath(config.hydra.sweep.dir))  # as Hydra has it: without ".."
            hydra_front.installed(config.hydra.launcher._target_)
            hydra_front.installed(config.hydra.sweeper._target_)
            resume.check_writable(folder)
            jobs = hydra_front.jobs(config)
            checked = [
                *(_problem(config, f"job {number} ({' '.join(job)})", job, number) for number, job in enumerate(jobs)),
                *(_problem(config, "the search", probe) for probe in probes(config)),
            ]
        except MISTAKES as error:
            _refuse(_explained(error))
        problems = dict.fromkeys(problem for problem in checked if problem)  # each message once
        if problems:
            _refuse("\n".join(["no job was started:", *problems]))
        if config.hydra.launcher.get("n_jobs") == -1:  # to joblib, one worker for each core; GPUs are fewer
            config.hydra.launcher.n_jobs = workers()
        try:
            _begin(config, folder, jobs)
        except AlearnError as error:
            _refuse(str(error))
        except OSError as error:  # Hydra would only warn, and continue without this callback
            _refuse(f"{folder}: cannot be written ({error.strerror})")

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Report the job, in a sweep that runs its jobs in this process."""
        sweep = running_sweep.current()
        if sweep is not None and hydra_front.in_process(config.hydra.launcher._target_):
            sweep.update(Path(config.hydra.runtime.output_dir))


def workers() -> int:
    """Return how many jobs to run at once: one for each GPU that this process may use, or else one for each core."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = glob("/dev/nvidia[0-9]*")
    if seen is not None:
        gpus = [name for name in seen.partition("-")[0].split(",") if name]
    return len(gpus) or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


def probes(config: DictConfig) -> list[list[str]]:
    """Return the overrides of jobs at the ends of what a search may choose; [] if the sweep is not a search."""
    if config.hydra.sweeper._target_ != SEARCH:
        return []
    parse_search(config)
    return hydra_front.space(config).probes()


def _begin(config: DictConfig, folder: Path, jobs: Iterable[list[str]]) -> None:
    """Lock the sweep's folder, and start to watch its jobs.

    Raises:
        AlearnError: Another sweep is running in the folder.
    """
    from alearn.sweep.sweep_progress import Progress

    sweep = running_sweep.current()
    assert sweep is not None
    sweep.lock(folder)
    overrides = [set(job) for job in jobs]
    fixed = set.intersection(*overrides) if overrides else set(config.hydra.overrides.task)
    total = len(overrides) or config.hydra.sweeper.get("n_trials")
    progress = Progress(folder, total, fixed, search=not overrides)
    sweep.begin(progress, watch=not hydra_front.in_process(config.hydra.launcher._target_))


def _problem(config: DictConfig, name: str, overrides: list[str], number: int | None = None) -> str | None:
    """Return what is wrong with a job of a sweep, None if nothing is.

    Args:
        config: The config of the sweep.
        name: The name of the job in the message.
        overrides: The overrides of the job.
        number: The number of the job, None for a job that will not run and has no folder.
    """
    try:
        job = hydra_front.job(config, overrides, number)
        folder = Path(job.hydra.sweep.dir)
        if number is not None:
            folder /= job.hydra.sweep.subdir
        _check(job, folder, sweep=True)
    except MISTAKES as error:
        return f"{name}: {_explained(error)}"
    return None


def _check(composed: DictConfig, folder: Path, sweep: bool = False) -> None:
    from alearn.trial import run

    config = parse(composed)
    run.check(config.in_sweep() if sweep else config, folder)


def _explained(error: Exception) -> str:
    return hydra_front.explain(error) if isinstance(error, HydraException) else str(error)


def _refuse(message: str) -> NoReturn:
    raise SystemExit(f"error: {message}")
