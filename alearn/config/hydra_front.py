"""The front end to Hydra: compose a command line, list the jobs of a sweep, and explain errors.

Nothing else in `alearn.config` imports Hydra.
"""

import math
import re
import shutil
from collections.abc import Iterable
from contextlib import nullcontext
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from alearn.config import packaged_conf
from alearn.config.parse import parse
from alearn.config.presets import CONF
from alearn.config.renamed import refuse_old_overrides
from alearn.config.search_space import Dimension, Interval, Options, Space
from alearn.config.trial_config import Config, flatten
from alearn.errors import AlearnError

SEED = "policy.audit.seed"
EXTRAS = {"joblib": "joblib", "submitit": "submitit", "ray": "ray", "optuna": "optuna"}
"""The extra that installs a launcher or sweeper, by a part of its name."""


def compose(*overrides: str) -> Config:
    """Return the config of a command line. Raise AlearnError or an exception of Hydra if it is wrong."""
    return parse(composed(*overrides))


def composed(*overrides: str) -> DictConfig:
    """Return what Hydra composes for a command line, unchecked. Raise an exception of Hydra if it cannot."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=list(overrides))


def refuse_respelled_seed(overrides: Iterable[str]) -> None:
    """Raise AlearnError if Hydra would not take a seed of the draw as it is written, but as a number or a truth value.

    To Hydra, 2025_11 is the number 202511.
    """
    for override in overrides:
        key, _, text = override.partition("=")
        if key.lstrip("+") != SEED:
            continue
        value = OverridesParser.create().parse_override(override).value()
        seeds: list[Any] = value.list if isinstance(value, ChoiceSweep) else [value]
        written = re.findall(r"[^\s,()]+", text)
        for seed in seeds:
            if isinstance(seed, float | bool) or (isinstance(seed, int) and str(seed) not in written):
                quoted = text.strip() if len(seeds) == 1 else "SEED"
                raise AlearnError(
                    f"{override}: would be read as {seed}; to take a seed as it is written, quote it for Hydra and for "
                    f"the shell: {SEED}=\"'{quoted}'\""
                )


def jobs(config: DictConfig) -> list[list[str]]:
    """Return the overrides of each job of a sweep, or nothing for a sweeper that chooses jobs while it runs."""
    if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
        return []
    return [list(job) for batch in BasicSweeper.split_arguments(_overrides(config), None) for job in batch]


def job(config: DictConfig, overrides: list[str], number: int | None = None) -> DictConfig:
    """Compose a job of a sweep. number: the number of the job, None for a job without its own folder."""
    composed: DictConfig = GlobalHydra.instance().config_loader().load_sweep_config(config, overrides)
    if number is not None:
        with open_dict(composed):
            composed.hydra.job.num = number
    return composed


def space(config: DictConfig) -> Space:
    """Return what a composed search may choose. If there are several overrides of a key, the last one counts.

    Raises:
        AlearnError: an override is wrong, or there is nothing to choose.
        HydraException: an override cannot be parsed.
    """
    last = {override.get_key_element(): override for override in _overrides(config)}
    read = Space(
        {key: _dimension(override) for key, override in last.items() if override.is_sweep_override()},
        tuple(str(override.input_line) for override in last.values() if not override.is_sweep_override()),
    )
    if not read.dimensions:
        raise AlearnError(
            "hydra/sweeper=optuna: there is nothing to choose; give ranges in hydra.sweeper.params or as overrides, "
            "e.g. 'policy.init_fraction=tag(log, interval(0.01, 0.1))' policy.threshold=0.99,0.999"
        )
    return read


def _overrides(config: DictConfig) -> list[Override]:
    """Return the overrides of a sweep: those of hydra.sweeper.params, then those of the command line."""
    params = config.hydra.sweeper.get("params") or {}
    lines = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    refuse_old_overrides(lines)
    return OverridesParser.create(config_loader=GlobalHydra.instance().config_loader()).parse_overrides(lines)


def _dimension(override: Override) -> Dimension:
    line = override.input_line
    sweep = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    if tags - {"log"} or (tags and not isinstance(sweep, IntervalSweep)):
        raise AlearnError(f"{line}: the one tag is log, for intervals")
    if not isinstance(sweep, IntervalSweep):
        return _options(override)
    low = sweep.start
    high = sweep.end
    log = "log" in tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise AlearnError(f"{line}: an interval goes from a finite number to a greater one")
    if log and low <= 0:
        raise AlearnError(f"{line}: an interval with tag log starts above 0")
    return Interval(low, high, log, whole=isinstance(low, int))


def _options(override: Override) -> Options:
    try:
        values = list(override.sweep_iterator())
    except (HydraException, ValueError) as error:  # a range whose step is 0
        raise AlearnError(f"{override.input_line}: {error}") from None
    if not values:
        raise AlearnError(f"{override.input_line}: there is no value in it")
    ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if ordered:
        values.sort()
    return Options(tuple(dict.fromkeys(map(Transformer.str, values))), ordered)


def in_process(launcher: str) -> bool:
    """Return whether a launcher (a dotted name) runs the jobs one after the other in the process of the sweep."""
    return launcher.endswith("BasicLauncher")


def installed(plugin: str) -> None:
    """Raise AlearnError if a plugin of Hydra (a dotted name) is missing. The message says how to install it."""
    package = ".".join(plugin.split(".")[:2])
    try:
        exists = find_spec(package) is not None
    except ModuleNotFoundError:
        exists = False
    if not exists:
        raise AlearnError(_missing(package))
    if plugin.endswith("SlurmLauncher") and shutil.which("sbatch") is None:
        raise AlearnError("hydra/launcher: there is no SLURM here (no sbatch); start it on a login node of the cluster")


def _missing(name: str) -> str:
    extra = next((extra for part, extra in EXTRAS.items() if part in name), None)
    return f"{name}: " + (f"not installed; pip install 'alearn[{extra}]' brings it" if extra else "not installed")


def explain(error: Exception) -> str:
    """Return the message of an error of Hydra, its cause, and the key that the user probably meant."""
    message = str(error)
    key = getattr(error.__cause__ or error.__context__, "full_key", None)
    if "Could not override" in message and key:
        known = _keys()
        if key in known:  # another option of its group has it
            group = key.partition(".")[0]
            return f"{key}: the chosen {group} has no such key; give {group}=NAME, too (alearn --help lists the names)"
        near = get_close_matches(key, known, n=1)
        return f"{key}: there is no such key" + (f"; did you mean {near[0]}?" if near else "; alearn --help lists all")
    plugin = re.search(r"Could not find 'hydra/(?:launcher|sweeper)/(\w+)'", message)
    if plugin and any(part in plugin[1] for part in EXTRAS):
        return _missing(plugin[1])
    lines = [line for line in message.partition("Config search path:")[0].splitlines() if line.strip()]
    if "Could not find" in message:
        lines += packaged_conf.missing()
    return "\n".join(lines)


def _keys() -> dict[str, Any]:
    initialized = GlobalHydra.instance().is_initialized()
    with nullcontext() if initialized else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return flatten(OmegaConf.to_container(hydra.compose("config"), resolve=False))  # type: ignore[arg-type]
