"""The `oracle` group: who answers. The module of each oracle in alearn/oracle/ declares its own keys."""

from functools import partial
from typing import Annotated

from pydantic import SerializeAsAny, WrapValidator

from alearn.config.registered import section
from alearn.config.section import Section
from alearn.registry import ORACLES


class Oracle(Section):
    """The keys that every oracle has."""

    name: str


AnyOracle = Annotated[SerializeAsAny[Oracle], WrapValidator(partial(section, ORACLES))]
"""Any registered oracle, with the keys of its registered config class."""
