"""model=tiny."""

from torch import nn

import alearn
from alearn.config import Model
from alearn.models.classifier import Classifier


class Tiny(Model):
    """The keys of conf/model/tiny.yaml."""

    width: int
    """Features."""


@alearn.register_model("tiny", Tiny)
def tiny(config: Tiny, shape: tuple[int, int, int], classes: int) -> Classifier:
    """One layer of features."""
    channels, height, width = shape
    body = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, config.width), nn.ReLU())
    return Classifier(body, config.width, classes)
