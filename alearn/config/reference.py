"""The reference of all keys, read from the classes: what each key may be, what it is by default and what it means."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alearn.config.data_config import Folder, Standard
from alearn.config.model_config import Model
from alearn.config.registered import RegisteredName
from alearn.config.search_config import Search
from alearn.config.section import Section
from alearn.config.trial_config import Config
from alearn.registry import MODELS, ORACLES

BOUNDS = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}
PLAIN = {bool: "true | false", int: "whole number", float: "number", str: "text"}


@dataclass(frozen=True)
class Key:
    """A key of the config.

    options: the options of its group that have the key, such as ("web",) for oracle.port; empty if all have it.
    values: what it may be, in words. default: as in YAML; "" if it must be given.
    """

    name: str
    options: tuple[str, ...]
    values: str
    default: str
    description: str

    @property
    def group(self) -> str:
        """The group that the key belongs to: "policy" for policy.query.pool, "" for seed."""
        group, dot, _ = self.name.partition(".")
        return group if dot else ""


def keys() -> Iterator[Key]:
    """Yield all keys, group by group, in the order of the config. Imports all registered models and oracles."""
    for name, field in Config.model_fields.items():
        sections = _OPTIONS[name]() if name in _OPTIONS else []
        for options, section in sections:
            yield from _section(section, f"{name}.", options)
        if not sections:
            yield from _field(name, field, ())
    yield from _section(Search, "hydra.sweeper.", ("optuna",))


def _models() -> list[tuple[tuple[str, ...], type[Section]]]:
    return [((name,), MODELS.get(name).config) for name in MODELS.names()]


def _data() -> list[tuple[tuple[str, ...], type[Section]]]:
    return [(get_args(Standard.model_fields["name"].annotation), Standard), (("folder",), Folder)]


def _oracles() -> list[tuple[tuple[str, ...], type[Section]]]:
    return [((name,), ORACLES.get(name).config) for name in ORACLES.names()]


_OPTIONS = {"data": _data, "model": _models, "oracle": _oracles}
"""The groups whose options have different keys."""


def _section(section: type[Section], prefix: str, options: tuple[str, ...]) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        chosen = name == "name" and get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if not chosen:  # the option itself says so
            yield from _field(prefix + name, field, options)


def _field(name: str, field: FieldInfo, options: tuple[str, ...]) -> Iterator[Key]:
    inner = field.annotation
    if isinstance(inner, type) and issubclass(inner, Section) and not field.metadata:
        yield from _section(inner, f"{name}.", options)
    else:
        yield Key(name, options, _values(inner, field.metadata), _default(field), field.description or "")


def _values(kind: Any, metadata: Iterable[Any] = ()) -> str:
    """Return in words what a value may be."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _values(args[0], [*args[1:], *metadata])
    if origin is Literal:
        return " | ".join(map(_yaml, args))
    if origin in (Union, UnionType):
        return " | ".join(_values(one) for one in args)
    if kind is type(None):
        return "null"
    constraints = [one for item in metadata for one in (item.metadata if isinstance(item, FieldInfo) else [item])]
    if origin is tuple:
        least = next((f" of at least {one.min_length}" for one in constraints if isinstance(one, MinLen)), "")
        return f"list{least}"
    if origin is dict:
        return "keys and values"
    if isinstance(kind, type) and issubclass(kind, Section):
        return f"the keys of a {kind.__name__.lower()}"
    registries = [one.registry for one in constraints if isinstance(one, RegisteredName)]
    if registries:
        return " | ".join(registries[0].names())
    limits = [
        f"{sign} {_yaml(getattr(one, bound.__name__.lower()))}"
        for one in constraints
        for bound, sign in BOUNDS.items()
        if isinstance(one, bound)
    ]
    return " ".join([PLAIN[kind], " and ".join(limits)]).strip()


def _default(field: FieldInfo) -> str:
    """Return a default as in YAML."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:  # it depends on something
        return str(extra["default"])
    default = field.get_default(call_default_factory=True)
    return "" if default is PydanticUndefined else _yaml(default)


def _yaml(value: Any) -> str:
    """Return a plain value as YAML writes it."""
    if isinstance(value, Model):
        return str(value.name)
    if isinstance(value, bool | None):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return str(value) if value != {} else "{}"
