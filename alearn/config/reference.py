"""The reference of all keys, read from the classes: their allowed values, their defaults and their meaning."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alearn.config.data_config import Features, Folder, Standard
from alearn.config.model_config import Model
from alearn.config.presets import names, preset
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

    name: its full name, such as oracle.port.
    options: the options of its group that have the key, such as ("web",) for oracle.port; empty if all have it.
    values: the allowed values, as text.
    default: as in YAML; "" if the user must give a value.
    description: its docstring.
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
    """Yield all keys, group by group, in the order of the config. This imports all registered models and oracles."""
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
    return [
        (get_args(Standard.model_fields["name"].annotation), Standard),
        (("folder",), Folder),
        (("features",), Features),
    ]


def _oracles() -> list[tuple[tuple[str, ...], type[Section]]]:
    return [((name,), ORACLES.get(name).config) for name in ORACLES.names()]


def _recipes() -> list[tuple[tuple[str, ...], type[Section]]]:
    found: dict[type[Section], tuple[str, ...]] = {}
    for name in names("train"):
        section = type(preset("train", name))
        found[section] = (*found.get(section, ()), name)
    return [(options, section) for section, options in found.items()]


_OPTIONS = {"data": _data, "model": _models, "train": _recipes, "oracle": _oracles}
"""The groups whose options have different keys."""


def _section(section: type[Section], prefix: str, options: tuple[str, ...]) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        chosen = name == "name" and get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if not chosen:  # the choice of the option sets this key
            yield from _field(prefix + name, field, options)


def _field(name: str, field: FieldInfo, options: tuple[str, ...]) -> Iterator[Key]:
    inner = field.annotation
    if isinstance(inner, type) and issubclass(inner, Section) and not field.metadata:
        yield from _section(inner, f"{name}.", options)
    else:
        yield Key(name, options, _values(inner, field.metadata), _default(field), field.description or "")


def _values(kind: Any, metadata: Iterable[Any] = ()) -> str:
    """Return the allowed values of a type as text."""
    origin = get_origin(kind)
    args = get_args(kind)
    if origin is Annotated:
        return _values(args[0], [*args[1:], *metadata])
    if origin is Literal:
        return " | ".join(map(_yaml, args))
    if origin in (Union, UnionType):
        return " | ".join(_values(arg) for arg in args)
    if kind is type(None):
        return "null"
    constraints = [each for item in metadata for each in (item.metadata if isinstance(item, FieldInfo) else [item])]
    if origin is tuple:
        least = next((f" of at least {each.min_length}" for each in constraints if isinstance(each, MinLen)), "")
        return f"list{least}"
    if origin is dict:
        return "keys and values"
    if isinstance(kind, type) and issubclass(kind, Section):
        return f"the keys of a {kind.__name__.lower()}"
    registries = [each.registry for each in constraints if isinstance(each, RegisteredName)]
    if registries:
        return " | ".join(registries[0].names())
    limits = [
        f"{sign} {_yaml(getattr(each, bound.__name__.lower()))}"
        for each in constraints
        for bound, sign in BOUNDS.items()
        if isinstance(each, bound)
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
