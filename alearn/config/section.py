"""What all parts of the config have in common."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Augment = Literal["none", "digits", "numbers", "objects", "clothes", "auto"]
"""Random distortions, by what they suit: see `alearn.data.augment.AUGMENT`. auto, of a folder: chosen from it."""


class Section(BaseModel):
    """Frozen; unknown keys are errors; a string is never taken for a number; nan and inf are no numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )
