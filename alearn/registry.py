"""What can be added under a name: models, query strategies, auto-label rules, oracles, exporters.

Each kind has a registry. A decorator beside an implementation registers it:

    @register_query("margin")
    def margin(scores, count, generator): ...

A registry finds alearn's own implementations in the module or package that is their home, and those of other packages
by entry points. An entry point names the module whose import registers the name:

    [project.entry-points."alearn.queries"]
    mine = "mine.queries"

Nothing is imported before its name is asked for. This module itself imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from alearn.errors import AlearnError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from torch import nn


T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class Registry(Generic[T, P, R]):
    """The names of one kind of implementation."""

    def __init__(
        self, record: Callable[Concatenate[T, P], R], *, asked: str, group: str, home: str, hint: str = ""
    ) -> None:
        """Describe the kind.

        Args:
            record: makes what `get` returns from an implementation and the other arguments of `register`.
            asked: how a user asks for a name, up to the name: "model.name=". Messages begin with it.
            group: the group of entry points.
            home: the module or package of alearn that registers alearn's own implementations. A module of a package is
                imported by itself if it is called what the implementation is called.
            hint: ends the message for a name that there is not.
        """
        self._record = record
        self._asked = asked
        self._group = group
        self._home = home
        self._hint = hint
        self._records: dict[str, R] = {}
        self._origins: dict[str, str] = {}

    def register(self, name: str, *args: P.args, **kwargs: P.kwargs) -> Callable[[T], T]:
        """Return a decorator that registers an implementation as `name` and leaves it as it is.

        The decorator raises AlearnError if another implementation has that name. The same one, defined once more, takes
        the place of the first: a cell of a notebook can be run again.
        """

        def decorate(implementation: T) -> T:
            origin = _origin(implementation)
            there = self._origins.setdefault(name, origin)
            if there != origin:
                raise AlearnError(f"{self._asked}{name}: {there} has this name; {origin} must be registered as another")
            self._records[name] = self._record(implementation, *args, **kwargs)
            return implementation

        return decorate

    def get(self, name: str) -> R:
        """Return what is registered as `name`, and import no more than that takes.

        Raises AlearnError that names what is allowed if there is no such name, if two packages have it, and if its
        package cannot be imported.
        """
        points = self._points(name)
        if name not in self._records:
            self._import_home(name)
        owners = [*(["alearn"] if self._is_own(name) else []), *map(_package, points)]
        if len(owners) > 1:
            raise AlearnError(f"{self._asked}{name}: {' and '.join(owners)} have this name; uninstall all but one")
        for point in points:
            self._load(point)
        if name not in self._records:
            near = get_close_matches(name, self.names(), n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise AlearnError(f"{self._asked}{name}: must be one of {', '.join(self.names())}{guess}{self._hint}")
        return self._records[name]

    def names(self) -> list[str]:
        """Return all names in alphabetical order. The packages of others are not imported for that."""
        self._import_home()
        return sorted({*self._records, *(point.name for point in _entry_points(self._group))})

    def __contains__(self, name: object) -> bool:
        return name in self._records or name in self.names()

    def _points(self, name: str) -> list[EntryPoint]:
        return [point for point in _entry_points(self._group) if point.name == name]

    def _is_own(self, name: str) -> bool:
        return f"{self._origins.get(name)}.".startswith(f"{self._home}.")

    def _import_home(self, name: str | None = None) -> None:
        """Import the home, or of a package only the module `name` if there is one."""
        home = import_module(self._home)
        if not hasattr(home, "__path__"):
            return
        modules = [module.name for module in iter_modules(home.__path__)]
        for module in [name] if name in modules else modules:
            import_module(f"{self._home}.{module}")

    def _load(self, point: EntryPoint) -> None:
        """Import the module of another package, which registers the name."""
        module = point.value.partition(":")[0].strip()
        whose = f"{self._asked}{point.name}: {_package(point)} registers it in {point.value}"
        try:
            point.load()
        except Exception as error:  # the module of somebody else can fail in any way
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise AlearnError(
                f"{whose}, which cannot be imported ({reason}); python -c 'import {module}' shows where it fails"
            ) from error
        if point.name not in self._records:
            raise AlearnError(f"{whose}, which has no implementation that is registered as {point.name!r}")


def _origin(implementation: object) -> str:
    return f"{getattr(implementation, '__module__', '')}.{getattr(implementation, '__qualname__', implementation)}"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


@cache
def _entry_points(group: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


@dataclass(frozen=True)
class RegisteredModel:
    """A network.

    build: makes a `alearn.models.classifier.Classifier` with fresh weights, which follow torch's global generator, from
    its config, the shape of an image [C, H, W] and the number of classes. config: the class of its keys, a subclass of
    `alearn.config.Model`. check: raises AlearnError if the config cannot be had; called before anything starts.
    untrained: as `build`, for a network whose weights are about to be replaced; None if `build` fetches none anyway.
    """

    build: Callable[[Any, tuple[int, int, int], int], nn.Module]
    config: type[Any]
    check: Callable[[Any], None] | None = None
    untrained: Callable[[Any, tuple[int, int, int], int], nn.Module] | None = None


MODELS = Registry(
    RegisteredModel,
    asked="model.name=",
    group="alearn.models",
    home="alearn.models",
    hint="; for a network of torchvision's give model=torchvision model.name=NAME",
)
register_model = MODELS.register
