"""What a search may choose from: Hydra's sweep syntax, read into dimensions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig

from alearn.errors import AlearnError


@dataclass(frozen=True)
class Interval:
    """The numbers from low to high, both included; whole: integers alone; log: every order of magnitude alike."""

    low: float
    high: float
    log: bool
    whole: bool

    def ends(self) -> list[str]:
        """The values that must be allowed for all to be: words for the command line."""
        return [repr(self.low), repr(self.high)]

    def __str__(self) -> str:
        inner = f"interval({self.low}, {self.high})"
        inner = f"int({inner})" if self.whole else inner
        return f"tag(log, {inner})" if self.log else inner


@dataclass(frozen=True)
class Options:
    """One of these words; ordered: they are numbers, ascending, so that neighbours are alike."""

    words: tuple[str, ...]
    ordered: bool

    def ends(self) -> list[str]:
        """As for an interval; all of them, if they have no order."""
        return [self.words[0], self.words[-1]] if self.ordered else list(self.words)

    def __str__(self) -> str:
        return f"choice({', '.join(self.words)})"


Dimension = Interval | Options


@dataclass(frozen=True)
class Space:
    """dimensions: by key, what is chosen for each trial; fixed: overrides that all trials share."""

    dimensions: Mapping[str, Dimension]
    fixed: tuple[str, ...]

    def job(self, words: Mapping[str, str]) -> list[str]:
        """The overrides of a trial with these choices."""
        return [*self.fixed, *(f"{key}={word}" for key, word in words.items())]

    def probes(self) -> list[list[str]]:
        """The overrides of a job at each end of each dimension, the others at their first: if these are allowed, most
        likely all are.
        """
        first = {key: dimension.ends()[0] for key, dimension in self.dimensions.items()}
        at = [first | {key: end} for key, dimension in self.dimensions.items() for end in dimension.ends()]
        return [self.job(words) for words in {tuple(one.items()): one for one in at}.values()]


def read(config: DictConfig) -> Space:
    """The space of a composed search: `hydra.sweeper.params`, then the command line, the last word for a key holds.

    Raises AlearnError, or Hydra's own exception, for what cannot be read or leaves nothing to choose.
    """
    words = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    overrides = parser.parse_overrides([*words, *config.hydra.overrides.task])
    last = {override.get_key_element(): override for override in overrides}
    space = Space(
        {key: _dimension(override) for key, override in last.items() if override.is_sweep_override()},
        tuple(str(override.input_line) for override in last.values() if not override.is_sweep_override()),
    )
    if not space.dimensions:
        raise AlearnError(
            "hydra/sweeper=optuna has nothing to choose: give ranges in hydra.sweeper.params or on the command line, "
            "e.g. 'policy.init_fraction=tag(log, interval(0.01, 0.1))' policy.threshold=0.99,0.999"
        )
    return space


def _dimension(override: Override) -> Dimension:
    line, sweep = override.input_line, override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    if tags - {"log"} or (tags and not isinstance(sweep, IntervalSweep)):
        raise AlearnError(f"{line}: the one tag is log, for intervals")
    if not isinstance(sweep, IntervalSweep):
        return _options(override)
    low, high, log = sweep.start, sweep.end, "log" in tags
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
