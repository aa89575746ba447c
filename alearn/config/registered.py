"""Names in the config that stand for something registered."""

from typing import Any, TypeVar

from pydantic_core import PydanticCustomError

from alearn.errors import AlearnError
from alearn.registry import Registry

COMPLETE = "complete"
"""The type of a problem whose message names its key already."""

R = TypeVar("R")


def registered(registry: Registry[Any, ..., R], name: str) -> R:
    """Return what is registered as `name`. Raises an error for pydantic, so that it is told with the other bad keys."""
    try:
        return registry.get(name)
    except AlearnError as error:
        raise PydanticCustomError(COMPLETE, "{message}", {"message": str(error)}) from error
