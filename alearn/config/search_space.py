"""What a search may choose: one dimension per key. `alearn.config.hydra_front` reads it from Hydra's syntax."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """The numbers from low to high, both included. whole: only integers. log: all orders of magnitude count alike."""

    low: float
    high: float
    log: bool
    whole: bool

    def ends(self) -> list[str]:
        """Return the two ends as command-line values. If both are allowed, all numbers between them probably are."""
        return [repr(self.low), repr(self.high)]

    def __str__(self) -> str:
        inner = f"interval({self.low}, {self.high})"
        inner = f"int({inner})" if self.whole else inner
        return f"tag(log, {inner})" if self.log else inner


@dataclass(frozen=True)
class Options:
    """A list of command-line values. ordered: whether they are ascending numbers, so that neighbours are similar."""

    words: tuple[str, ...]
    ordered: bool

    def ends(self) -> list[str]:
        """Return the first and the last value, or all values if they have no order."""
        return [self.words[0], self.words[-1]] if self.ordered else list(self.words)

    def __str__(self) -> str:
        return f"choice({', '.join(self.words)})"


Dimension = Interval | Options


@dataclass(frozen=True)
class Space:
    """What a search may choose.

    dimensions: the dimension of each key that the search chooses.
    fixed: the overrides that all trials share.
    """

    dimensions: Mapping[str, Dimension]
    fixed: tuple[str, ...]

    def job(self, choices: Mapping[str, str]) -> list[str]:
        """Return the overrides of a trial with these choices."""
        return [*self.fixed, *(f"{key}={value}" for key, value in choices.items())]

    def probes(self) -> list[list[str]]:
        """Return the overrides of a job at each end of each dimension, the other dimensions at their first end.

        If all these jobs are allowed, every job of the search probably is.
        """
        first = {key: dimension.ends()[0] for key, dimension in self.dimensions.items()}
        corners = [first | {key: end} for key, dimension in self.dimensions.items() for end in dimension.ends()]
        return [self.job(choices) for choices in {tuple(corner.items()): corner for corner in corners}.values()]
