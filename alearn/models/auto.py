"""model=auto: alearn chooses one of two networks by looking at the images."""

from typing import NoReturn

from alearn.config.model_config import Auto
from alearn.registry import register_model


@register_model("auto", Auto)
def auto(config: Auto, shape: tuple[int, int, int], classes: int) -> NoReturn:
    """Raise AssertionError: `alearn.trial.settle` must choose a network before anything is built."""
    raise AssertionError("model=auto was not replaced by one of its networks")
