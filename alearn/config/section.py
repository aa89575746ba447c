"""The base of all config classes, and the types that they share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Augment = Literal["none", "digits", "numbers", "objects", "clothes", "auto"]
"""Random distortions, named after the images that they suit (`alearn.data.augment.AUGMENT`). auto: chosen from the
images of a folder."""


class Section(BaseModel):
    """A part of the config. It is frozen, refuses unknown keys, and accepts neither a string nor nan as a number."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )
