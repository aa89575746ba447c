"""What happens around Hydra's jobs: all are checked before the first one starts, the table is rebuilt after each."""

from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from alearn.errors import AlearnError

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(path for path in (_PACKAGE.parent / "conf", _PACKAGE / "conf") if (path / "config.yaml").exists())
"""The folder of the configs: beside the package in a checkout, inside it when installed."""
SEARCH = "hydra_plugins.alearn_search.OptunaSweeper"
"""The `_target_` of hydra/sweeper=optuna."""


class Guard(Callback):
    """Hydra's callback. It ends the program by SystemExit, which Hydra does not turn into a warning."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the trial before Hydra touches its folder."""
        if config.hydra.sweeper.get("params"):
            _refuse("this experiment is a sweep: run it with -m")
        try:
            _check(config, Path(config.hydra.run.dir))
        except AlearnError as error:
            _refuse(str(error))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check every job of the sweep; of a search, the ends of what it may choose."""
        from alearn import run

        try:
            run.writable(Path(config.hydra.sweep.dir))
            planned = [
                (f"job {number} ({' '.join(words)})", words, number) for number, words in enumerate(jobs(config))
            ]
            probed = [("the search", words, None) for words in probes(config)]
        except AlearnError as error:
            _refuse(str(error))
        except HydraException as error:
            _refuse(explain(error))
        found = [(name, _problem(config, words, number)) for name, words, number in [*planned, *probed]]
        problems = dict.fromkeys(f"{name}: {problem}" for name, problem in found if problem)  # each once
        if problems:
            _refuse("\n".join(["no job was started:", *problems]))

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """In a sweep: the table so far."""
        if config.hydra.mode.name == "MULTIRUN":
            from alearn.record import table

            table.rebuild(Path(config.hydra.sweep.dir))


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
    from alearn.search import space

    parse_search(config)
    return space.read(config).probes()


def _problem(config: DictConfig, overrides: list[str], number: int | None) -> str | None:
    """What is wrong with a job of a sweep; number: None for one that only stands for others, and has no folder."""
    try:
        job = GlobalHydra.instance().config_loader().load_sweep_config(config, overrides)
        folder = Path(job.hydra.sweep.dir)
        if number is not None:
            with open_dict(job):
                job.hydra.job.num = number
            folder /= job.hydra.sweep.subdir
        _check(job, folder)
    except AlearnError as error:
        return str(error)
    except HydraException as error:
        return explain(error)
    return None


def _check(composed: DictConfig, folder: Path) -> None:
    from alearn import run
    from alearn.config import parse

    run.check(parse(composed), folder)


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
    return "\n".join(lines)
