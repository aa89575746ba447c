"""model=auto: one of two networks, chosen from the images."""

from typing import NoReturn

from alearn.config.model_config import Auto
from alearn.registry import register_model


@register_model("auto", Auto)
def auto(config: Auto, shape: tuple[int, int, int], classes: int) -> NoReturn:
    """Raise: `alearn.data.choose` takes one of the two networks before anything is built."""
    raise AssertionError("model=auto was not settled")
