"""Whoever answers: the true labels for an experiment, a person for real work."""

from typing import Protocol

from alearn.config import NoisyOracle as NoisyConfig
from alearn.config import Oracle as OracleConfig
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.events import Array
from alearn.ledger import Source
from alearn.oracle.noisy import Noisy
from alearn.oracle.truth import Truth


class Oracle(Protocol):
    """Answers with labels; may take its time."""

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """int64 [n]: the classes of the images `index` (int64 [n]), asked for `purpose`; again: for the second time, of
        another person if there is one.
        """


def build(config: OracleConfig, images: ImageSet, seed: int) -> Oracle:
    """The oracle that the config names. seed: what it draws follows from it."""
    if images.truth is None:
        raise AlearnError(f"oracle={config.name}: these images have no true labels to answer with")
    if isinstance(config, NoisyConfig):
        return Noisy(images.truth, len(images.classes), config.error, seed)
    return Truth(images.truth)
