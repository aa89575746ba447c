"""What happens around Hydra's jobs: all are checked before the first one starts, and watched to the last."""

import os
import re
import shutil
from contextlib import nullcontext
from difflib import get_close_matches
from glob import glob
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
from filelock import FileLock
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from alearn.errors import AlearnError
from alearn.trial.status import lock

if TYPE_CHECKING:
    from alearn.sweep.sweep_progress import Progress

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(path for path in (_PACKAGE.parent / "conf", _PACKAGE / "conf") if (path / "config.yaml").exists())
"""The folder of the configs: beside the package in a checkout, inside it when installed."""
SEARCH = "hydra_plugins.alearn_search.OptunaSweeper"
"""The `_target_` of hydra/sweeper=optuna."""


EXTRAS = {"joblib": "joblib", "submitit": "submitit", "ray": "ray", "optuna": "optuna"}
"""What the name of a launcher or sweeper holds: the extra that brings it."""

running: "Progress | None" = None
"""The sweep that this process has started; None in the processes of its jobs."""
_held: FileLock | None = None
"""Its folder's lock, held until the process ends."""


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
        from alearn.trial import run

        global running, _held
        try:
            folder = Path(os.path.abspath(config.hydra.sweep.dir))  # as Hydra has it: without ".."
            installed(config.hydra.launcher._target_)
            installed(config.hydra.sweeper._target_)
            run.writable(folder)
            planned, probed = jobs(config), probes(config)
        except (AlearnError, OmegaConfBaseException) as error:
            _refuse(str(error))
        except HydraException as error:
            _refuse(explain(error))
        named: list[tuple[str, list[str], int | None]] = []
        named += [(f"job {number} ({' '.join(words)})", words, number) for number, words in enumerate(planned)]
        named += [("the search", words, None) for words in probed]
        found = [(name, _problem(config, words, number)) for name, words, number in named]
        problems = dict.fromkeys(f"{name}: {problem}" for name, problem in found if problem)  # each once
        if problems:
            _refuse("\n".join(["no job was started:", *problems]))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _held = lock(folder, "sweep")
        except AlearnError as error:
            _refuse(str(error))
        except OSError as error:  # Hydra would turn it into a warning, and go on without us
            _refuse(f"{folder}: cannot be written ({error.strerror})")
        if config.hydra.launcher.get("n_jobs") == -1:  # joblib's word for every core: GPUs are fewer
            config.hydra.launcher.n_jobs = workers()
        fixed = set.intersection(*map(set, planned)) if planned else set(config.hydra.overrides.task)
        total, search = len(planned) or config.hydra.sweeper.get("n_trials"), not planned
        running = Progress(folder, total, fixed, search)
        if not in_process(config.hydra.launcher._target_):
            running.watch()

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """In a sweep that runs its jobs in this process: look at what came out."""
        if running is not None and in_process(config.hydra.launcher._target_):
            running.update(Path(config.hydra.runtime.output_dir))


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


def installed(plugin: str) -> None:
    """Raises AlearnError with the line that installs it for a plugin of Hydra's (a dotted name) that is not there."""
    package = ".".join(plugin.split(".")[:2])
    try:
        there = find_spec(package) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise AlearnError(_missing(package))
    if plugin.endswith("SlurmLauncher") and shutil.which("sbatch") is None:
        raise AlearnError("hydra/launcher: there is no SLURM here (no sbatch); start it on a login node of the cluster")


def _missing(name: str) -> str:
    extra = next((extra for word, extra in EXTRAS.items() if word in name), None)
    return f"{name}: " + (f"not installed; pip install 'alearn[{extra}]' brings it" if extra else "not installed")


def jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of each job, as Hydra's own sweeper expands them; none for a sweeper that decides as it goes."""
    if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
        return []
    params = config.hydra.sweeper.get("params") or {}
    words = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    parsed = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader()).parse_overrides(words)
    return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]


def probes(config: DictConfig) -> list[list[str]]:
    """The overrides of jobs at the ends of what a search may choose; none for other sweepers."""
    if config.hydra.sweeper._target_ != SEARCH:
        return []
    from alearn.config import parse_search
    from alearn.sweep import search_space

    parse_search(config)
    return search_space.read(config).probes()


def _problem(config: DictConfig, overrides: list[str], number: int | None) -> str | None:
    """What is wrong with a job of a sweep; number: None for one that only stands for others, and has no folder."""
    try:
        job = GlobalHydra.instance().config_loader().load_sweep_config(config, overrides)
        folder = Path(job.hydra.sweep.dir)
        if number is not None:
            with open_dict(job):
                job.hydra.job.num = number
            folder /= job.hydra.sweep.subdir
        _check(job, folder, sweep=True)
    except (AlearnError, OmegaConfBaseException) as error:
        return str(error)
    except HydraException as error:
        return explain(error)
    return None


def _check(composed: DictConfig, folder: Path, sweep: bool = False) -> None:
    from alearn.config import parse
    from alearn.trial import run

    config = parse(composed)
    run.check(config.in_sweep() if sweep else config, folder)


def _refuse(message: str) -> NoReturn:
    raise SystemExit(f"error: {message}")


def explain(error: Exception) -> str:
    """Hydra's message, its cause, and the key that was probably meant."""
    lines = [line for line in str(error).partition("Config search path:")[0].splitlines() if line.strip()]
    cause = error.__cause__ or error.__context__
    missing = getattr(cause, "full_key", None) or ""
    if "Could not override" in str(error) and missing:
        from alearn.config import flatten

        there = GlobalHydra.instance().is_initialized()
        with nullcontext() if there else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            known = flatten(OmegaConf.to_container(hydra.compose("config"), resolve=False))  # type: ignore[arg-type]
        near = get_close_matches(missing, known, n=1)
        lines = [
            f"{missing}: there is no such key" + (f"; did you mean {near[0]}?" if near else "; alearn --help lists all")
        ]
    unknown = re.search(r"Could not find 'hydra/(?:launcher|sweeper)/(\w+)'", str(error))
    if unknown and any(word in unknown[1] for word in EXTRAS):
        lines = [_missing(unknown[1])]
    return "\n".join(lines)
