"""What happens around Hydra's jobs: all are checked before the first one starts, and watched to the last."""

import os
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
from alearn.trial.status import lock

SEARCH = "hydra_plugins.alearn_search.OptunaSweeper"
"""The `_target_` of hydra/sweeper=optuna."""


class Guard(Callback):
    """Hydra's callback. It ends the program by SystemExit, which Hydra does not turn into a warning."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the trial before Hydra touches its folder."""
        given = {word.partition("=")[0] for word in config.hydra.overrides.task}
        if open_keys := [str(key) for key in config.hydra.sweeper.get("params") or {} if key not in given]:
            _refuse(f"this experiment is a sweep: run it with -m, or set {' and '.join(open_keys)} for one trial of it")
        try:
            _check(config, Path(config.hydra.run.dir))
        except (AlearnError, OSError, OmegaConfBaseException) as error:
            _refuse(str(error))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check every job of the sweep (of a search, the ends of what it may choose), take its folder, watch it."""
        from alearn.sweep.sweep_progress import Progress
        from alearn.trial import resume

        try:
            folder = Path(os.path.abspath(config.hydra.sweep.dir))  # as Hydra has it: without ".."
            hydra_front.installed(config.hydra.launcher._target_)
            hydra_front.installed(config.hydra.sweeper._target_)
            resume.check_writable(folder)
            planned, probed = hydra_front.jobs(config), probes(config)
        except (AlearnError, OmegaConfBaseException) as error:
            _refuse(str(error))
        except HydraException as error:
            _refuse(hydra_front.explain(error))
        named: list[tuple[str, list[str], int | None]] = []
        named += [(f"job {number} ({' '.join(words)})", words, number) for number, words in enumerate(planned)]
        named += [("the search", words, None) for words in probed]
        found = [(name, _problem(config, words, number)) for name, words, number in named]
        problems = dict.fromkeys(f"{name}: {problem}" for name, problem in found if problem)  # each once
        if problems:
            _refuse("\n".join(["no job was started:", *problems]))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = lock(folder, "sweep")
        except AlearnError as error:
            _refuse(str(error))
        except OSError as error:  # Hydra would turn it into a warning, and go on without us
            _refuse(f"{folder}: cannot be written ({error.strerror})")
        if config.hydra.launcher.get("n_jobs") == -1:  # joblib's word for every core: GPUs are fewer
            config.hydra.launcher.n_jobs = workers()
        fixed = set.intersection(*map(set, planned)) if planned else set(config.hydra.overrides.task)
        total, search = len(planned) or config.hydra.sweeper.get("n_trials"), not planned
        progress = Progress(folder, total, fixed, search)
        if not in_process(config.hydra.launcher._target_):
            progress.watch()
        sweep = running_sweep.current()
        assert sweep is not None
        sweep.begin(progress, held)

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """In a sweep that runs its jobs in this process: look at what came out."""
        sweep = running_sweep.current()
        if sweep is not None and sweep.progress is not None and in_process(config.hydra.launcher._target_):
            sweep.progress.update(Path(config.hydra.runtime.output_dir))


def workers() -> int:
    """Jobs that this machine runs at once: one a GPU that this process may see, one a core where there is none."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = (
        [name for name in seen.partition("-")[0].split(",") if name] if seen is not None else glob("/dev/nvidia[0-9]*")
    )
    return len(gpus) or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


def in_process(launcher: str) -> bool:
    """Whether a launcher runs the jobs where the sweep itself runs, one after the other."""
    return launcher.endswith("BasicLauncher")


def probes(config: DictConfig) -> list[list[str]]:
    """The overrides of jobs at the ends of what a search may choose; none for other sweepers."""
    if config.hydra.sweeper._target_ != SEARCH:
        return []
    parse_search(config)
    return hydra_front.space(config).probes()


def _problem(config: DictConfig, overrides: list[str], number: int | None) -> str | None:
    """What is wrong with a job of a sweep; number: None for one that only stands for others, and has no folder."""
    try:
        job = hydra_front.job(config, overrides, number)
        folder = Path(job.hydra.sweep.dir)
        if number is not None:
            folder /= job.hydra.sweep.subdir
        _check(job, folder, sweep=True)
    except (AlearnError, OmegaConfBaseException) as error:
        return str(error)
    except HydraException as error:
        return hydra_front.explain(error)
    return None


def _check(composed: DictConfig, folder: Path, sweep: bool = False) -> None:
    from alearn.trial import run

    config = parse(composed)
    run.check(config.in_sweep() if sweep else config, folder)


def _refuse(message: str) -> NoReturn:
    raise SystemExit(f"error: {message}")
