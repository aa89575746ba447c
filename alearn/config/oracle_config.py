"""The `oracle` group: who answers for the human. An oracle's own keys are declared beside it, in alearn/oracle/."""

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
"""Any registered oracle; its keys are those of the class that it is registered with."""
