"""Check names in the config that must be in a registry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from alearn.errors import AlearnError
from alearn.registry import Registry

COMPLETE = "complete"
"""The type of a problem whose message already names its key."""

R = TypeVar("R")


def registered(registry: Registry[Any, ..., R], name: str) -> R:
    """Return what is registered as `name`."""
    return _looked_up(registry.get, name)


def _looked_up(look_up: Callable[[str], R], name: str) -> R:
    """Return `look_up(name)`. Turn its AlearnError into one of pydantic, which appears with those of other keys."""
    try:
        return look_up(name)
    except AlearnError as error:
        raise PydanticCustomError(COMPLETE, "{message}", {"message": str(error)}) from error


@dataclass(frozen=True)
class RegisteredName:
    """An annotation of a key, for `Annotated`: its value must be a name in a registry."""

    registry: Registry[Any, ..., Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the name after pydantic has checked that it is text."""

        def check(name: str) -> str:
            _looked_up(self.registry.check, name)
            return name

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the allowed names to the schema."""
        return handler(schema) | {"enum": self.registry.names()}


def section(registry: Registry[Any, ..., Any], tree: Any, base: ValidatorFunctionWrapHandler) -> Any:
    """Check a section with the config class registered under its name, or with the base class if it has no name."""
    name = tree.get("name") if isinstance(tree, Mapping) else None
    if not isinstance(name, str):
        return base(tree)
    return base(registered(registry, name).config.model_validate(tree))
