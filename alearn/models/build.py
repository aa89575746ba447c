"""From the config of a network to the network, whichever it is."""

from alearn.config import Model
from alearn.errors import AlearnError
from alearn.models.classifier import Classifier
from alearn.registry import MODELS


def check(config: Model) -> None:
    """Raise AlearnError for a network, or weights, that cannot be had."""
    model = MODELS.get(config.network)
    if model.check is not None:
        model.check(config)


def build(config: Model, shape: tuple[int, int, int], classes: int, pretrained: bool = True) -> Classifier:
    """Return a freshly initialised network for images of `shape` [C, H, W].

    The weights follow torch's global generator. With pretrained=False no weights are fetched that the config names; it
    is for a network whose weights are about to be loaded. Raises AlearnError if the network, or its weights, cannot be
    had, or if it cannot take such images.
    """
    model = MODELS.get(config.network)
    make = model.build if pretrained or model.untrained is None else model.untrained
    network = make(config, shape, classes)
    if not isinstance(network, Classifier):
        raise AlearnError(
            f"model.name={config.name}: it builds a {type(network).__name__}, which must be an "
            "alearn.models.classifier.Classifier"
        )
    return network
