"""Registries of everything that has a name: models, query strategies, auto-label rules, oracles and exporters.

Each kind has its own registry. A decorator registers an implementation where it is defined:

    @register_query("margin")
    def margin(scores, count, generator): ...

A registry reads the names of alearn's own implementations from the source of their home, which is a module or a
package. It finds those of other packages by entry points. An entry point names the module that registers the name:

    [project.entry-points."alearn.queries"]
    mine = "mine.queries"

So a registry imports an implementation only when somebody asks for its name. This module itself imports nothing heavy.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, get_args

from alearn.errors import AlearnError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import numpy as np
    from torch import nn

    from alearn.values import Array, Limits, Scores


T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

Need = Literal["probs", "features", "information"]
"""What scoring computes only if a query strategy or an auto-label rule needs it."""


class Registry(Generic[T, P, R]):
    """The names of one kind of implementation."""

    def __init__(
        self,
        record: Callable[Concatenate[T, P], R],
        *,
        asked: str,
        group: str,
        home: str,
        hint: str = "",
    ) -> None:
        """Describe the kind.

        Args:
            record: makes what `get` returns, from an implementation and the other arguments of `register`.
            asked: what a user types before a name, such as "model.name=". Messages begin with it.
            group: the group of entry points.
            home: the module or package with alearn's own implementations.
            hint: the end of the message for an unknown name.
        """
        self._record = record
        self._asked = asked
        self._group = group
        self._home = home
        self._hint = hint
        self._records: dict[str, R] = {}
        self._origins: dict[str, str] = {}

    def register(self, name: str, *args: P.args, **kwargs: P.kwargs) -> Callable[[T], T]:
        """Return a decorator that registers an implementation as `name` and returns it unchanged.

        The decorator raises AlearnError if another implementation has this name. If the same implementation is defined
        again, it replaces the first, so that a cell of a notebook can run again.
        """

        def decorate(implementation: T) -> T:
            origin = _origin(implementation)
            owner = self._origins.setdefault(name, origin)
            if owner != origin:
                raise AlearnError(f"{self._asked}{name}: {owner} has this name; {origin} must have another name")
            self._records[name] = self._record(implementation, *args, **kwargs)
            return implementation

        return decorate

    def get(self, name: str) -> R:
        """Return what is registered as `name`, importing only its module. Raise AlearnError as `check` does."""
        self.check(name)
        if name in self._own:
            import_module(self._own[name])
        return self._records[name]

    def check(self, name: str) -> None:
        """Check that `get` can return what is registered as `name`, without importing alearn's own implementations.

        Raises:
            AlearnError: there is no such name, two packages have it, or its package cannot be imported.
        """
        points = [point for point in _entry_points(self._group) if point.name == name]
        owners = [*(["alearn"] if name in self._own else []), *map(_package, points)]
        if len(owners) > 1:
            raise AlearnError(f"{self._asked}{name}: {' and '.join(owners)} have this name; uninstall all but one")
        for point in points:
            self._load(point)
        if name not in self:
            near = get_close_matches(name, self.names(), n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise AlearnError(f"{self._asked}{name}: must be one of {', '.join(self.names())}{guess}{self._hint}")

    def names(self) -> list[str]:
        """Return all names in alphabetical order. This imports nothing."""
        return sorted({*self._own, *self._records, *(point.name for point in _entry_points(self._group))})

    def own(self) -> dict[str, R]:
        """Return alearn's own implementations by name, in alphabetical order."""
        return {name: self.get(name) for name in sorted(self._own)}

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    @cached_property
    def _own(self) -> dict[str, str]:
        """The module of each of alearn's own names, from the decorators in the source."""
        return {
            str(ast.literal_eval(node.args[0])): module
            for module, source in _sources(self._home)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("register_")
        }

    def _load(self, point: EntryPoint) -> None:
        """Import the module of another package, which registers the name."""
        module = point.value.partition(":")[0].strip()
        whose = f"{self._asked}{point.name}: {_package(point)} registers it in {point.value}"
        try:
            point.load()
        except Exception as error:  # a module of another package can fail in any way
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise AlearnError(
                f"{whose}, which cannot be imported ({reason}); python -c 'import {module}' shows where it fails"
            ) from error
        if point.name not in self._records:
            raise AlearnError(f"{whose}, but that module registers no implementation as {point.name!r}")


def _sources(home: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the source of each module in a package, or of a single module."""
    spec = find_spec(home)
    places = (spec and spec.submodule_search_locations) or []
    for module in [home, *(f"{home}.{module.name}" for module in iter_modules(places))]:
        loader = getattr(find_spec(module), "loader", None)
        yield module, (isinstance(loader, InspectLoader) and loader.get_source(module)) or ""


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

    build: takes the config, the shape of an image (C, H, W) and the number of classes, and returns an
        `alearn.models.classifier.Classifier` with initial weights, which torch's global generator determines.
    config: the class of its keys, a subclass of `alearn.config.Model`.
    check: raises AlearnError if this config cannot be built. It is called before anything starts.
    untrained: like `build`, but without fetching weights, which are replaced later; None if `build` fetches none.
    settle: returns the config with what it left open, and sentences that say what that is; None if nothing is open.
    """

    build: Callable[[Any, tuple[int, int, int], int], nn.Module]
    config: type[Any]
    check: Callable[[Any], None] | None = None
    untrained: Callable[[Any, tuple[int, int, int], int], nn.Module] | None = None
    settle: Callable[[Any], tuple[Any, list[str]]] | None = None


@dataclass(frozen=True)
class RegisteredQuery:
    """A query strategy.

    rank: takes `alearn.values.Scores`, the number of images and a random generator, and returns the images to ask
        about: different positions in the scores, int64 [min(count, n)], most wanted first.
    needs: the optional parts of `Scores` that it uses: "probs", "features" (which includes those of the labeled images)
        and "information".
    """

    rank: Callable[[Scores, int, np.random.Generator], Array]
    needs: Collection[Need] = ()

    def __post_init__(self) -> None:
        _check_needs(self.needs)


@dataclass(frozen=True)
class RegisteredAutoRule:
    """An auto-label rule.

    take: takes `alearn.values.Scores` and the policy's `alearn.values.Limits`, and returns which images get the model's
        guess as label, bool [n].
    needs: the optional parts of `Scores` that it uses; see `RegisteredQuery`.
    """

    take: Callable[[Scores, Limits], Array]
    needs: Collection[Need] = ()

    def __post_init__(self) -> None:
        _check_needs(self.needs)


def _check_needs(needs: Collection[Need]) -> None:
    wrong = sorted({*needs} - {*get_args(Need)})
    if wrong:
        raise AlearnError(f"needs={wrong[0]}: must be one of {', '.join(get_args(Need))}")


@dataclass(frozen=True)
class RegisteredOracle:
    """An oracle: somebody or something that answers with labels.

    build: takes the config and an `alearn.oracle.context.Context`, and returns an `alearn.oracle.Oracle`.
    config: the class of its keys, a subclass of `alearn.config.Oracle`.
    simulated: whether it answers with the true labels, as experiments and sweeps need. If not, it labels data without
        known labels, one trial at a time.
    free: the keys that may change when a trial is resumed, because no answer depends on them.
    """

    build: Callable[[Any, Any], Any]
    config: type[Any]
    simulated: bool = field(kw_only=True)
    free: Collection[str] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class RegisteredExporter:
    """A format of exported labels.

    write: takes an `alearn.export.records.Labeled` and the given `options` by name, and returns the content of a file,
        bytes or text.
    help: describes the format on the help page. file: the default name, which begins with "export".
    options: the options of the command that it accepts: prefix (text before each path), embed (whether to put the
        images into the file), how (hard, symbolic, copy: how to put the images into a folder).
    folder: whether it writes a folder. If so, `write` also gets the path of the folder, and returns lines of text for
        the user.
    """

    write: Callable[..., Any]
    help: str
    file: str = field(kw_only=True)
    options: Collection[str] = field(default=(), kw_only=True)
    folder: bool = field(default=False, kw_only=True)


MODELS = Registry(
    RegisteredModel,
    asked="model.name=",
    group="alearn.models",
    home="alearn.models",
    hint="; for a network of torchvision or timm give model=torchvision or model=pretrained, and model.name=NAME",
)
QUERIES = Registry(
    RegisteredQuery,
    asked="policy.query.strategy=",
    group="alearn.queries",
    home="alearn.policy.query",
)
AUTO_RULES = Registry(
    RegisteredAutoRule,
    asked="policy.auto.rule=",
    group="alearn.auto_rules",
    home="alearn.policy.auto_rules",
)
ORACLES = Registry(RegisteredOracle, asked="oracle=", group="alearn.oracles", home="alearn.oracle")
EXPORTERS = Registry(RegisteredExporter, asked="--format ", group="alearn.exporters", home="alearn.export")

register_model = MODELS.register
register_query = QUERIES.register
register_auto_rule = AUTO_RULES.register
register_oracle = ORACLES.register
register_exporter = EXPORTERS.register
