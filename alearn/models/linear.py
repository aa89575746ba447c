"""model=linear: a linear layer on features that were computed before. train=head fits it."""

from typing import Literal

from torch import nn

from alearn.config.model_config import LearningRate, Model
from alearn.models.classifier import Classifier
from alearn.registry import register_model


class Linear(Model):
    """No network: the features come from data=features."""

    name: Literal["linear"] = "linear"
    lr: LearningRate = 0.0005


@register_model("linear", Linear)
def linear(config: Linear, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build a linear layer. shape: (F, 1, 1), for F features."""
    return Classifier(nn.Flatten(), shape[0], classes)
