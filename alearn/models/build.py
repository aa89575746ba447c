"""Build any network from its config."""

from alearn.config import Model
from alearn.errors import AlearnError
from alearn.models.classifier import Classifier
from alearn.registry import MODELS


def check(config: Model) -> None:
    """Raise AlearnError if the network or its weights are not available."""
    model = MODELS.get(config.network)
    if model.check is not None:
        model.check(config)


def settle(config: Model) -> tuple[Model, list[str]]:
    """Return the config with what it leaves open, such as which weights there are, and sentences that say what that is.

    Raises:
        AlearnError: the weights are not available.
    """
    model = MODELS.get(config.network)
    return (config, []) if model.settle is None else model.settle(config)


def build(config: Model, shape: tuple[int, int, int], classes: int, pretrained: bool = True) -> Classifier:
    """Return a network with initial weights, which torch's global generator determines.

    Args:
        config: the config of the network.
        shape: the shape of an image, (C, H, W).
        classes: the number of classes.
        pretrained: whether to fetch the weights that the config names. Give False if other weights are loaded later.

    Raises:
        AlearnError: the network or its weights are not available, or it does not accept images of this shape.
    """
    model = MODELS.get(config.network)
    make = model.build if pretrained or model.untrained is None else model.untrained
    network = make(config, shape, classes)
    if not isinstance(network, Classifier):
        raise AlearnError(
            f"model.name={config.name}: must build an alearn.models.classifier.Classifier, but built a "
            f"{type(network).__name__}"
        )
    return network
