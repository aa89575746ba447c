"""Names in the config that stand for something registered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from alearn.errors import AlearnError
from alearn.registry import Registry

COMPLETE = "complete"
"""The type of a problem whose message names its key already."""

R = TypeVar("R")


def registered(registry: Registry[Any, ..., R], name: str) -> R:
    """Return what is registered as `name`."""
    return _told(registry.get, name)


def _told(look_up: Callable[[str], R], name: str) -> R:
    """Raise what is wrong with a name as an error of pydantic's, so that it is told together with other bad keys."""
    try:
        return look_up(name)
    except AlearnError as error:
        raise PydanticCustomError(COMPLETE, "{message}", {"message": str(error)}) from error


@dataclass(frozen=True)
class RegisteredName:
    """Says of a key, in an `Annotated`, that it must be a name of a registry."""

    registry: Registry[Any, ..., Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the name once it is known to be text."""

        def check(name: str) -> str:
            _told(self.registry.check, name)
            return name

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """List the names."""
        return handler(schema) | {"enum": self.registry.names()}


def section(registry: Registry[Any, ..., Any], tree: Any, base: ValidatorFunctionWrapHandler) -> Any:
    """Check a section with the class that its name is registered with; one without a name, with the base class."""
    name = tree.get("name") if isinstance(tree, Mapping) else None
    if not isinstance(name, str):
        return base(tree)
    return base(registered(registry, name).config.model_validate(tree))
