"""Whoever answers: the true labels for an experiment, a person for real work."""

from typing import Protocol

from alearn.config import Oracle as OracleConfig
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.events import Array
from alearn.ledger import Source
from alearn.oracle.truth import Truth


class Oracle(Protocol):
    """Answers with labels; may take its time."""

    def label(self, index: Array, purpose: Source) -> Array:
        """int64 [n]: the classes of the images `index` (int64 [n]), asked for `purpose`."""


def build(config: OracleConfig, images: ImageSet) -> Oracle:
    """The oracle that the config names."""
    assert config.name == "truth"
    if images.truth is None:
        raise AlearnError("oracle=truth: these images have no true labels to answer with")
    return Truth(images.truth)
