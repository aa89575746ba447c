"""model=source_cnn: the network of the published experiment."""

from typing import Literal

from torch import nn

from alearn.config.model_config import LearningRate, Model
from alearn.models.classifier import Classifier
from alearn.registry import register_model


class SourceCnn(Model):
    """The network of the published experiment; it has no keys of its own."""

    name: Literal["source_cnn"] = "source_cnn"
    lr: LearningRate = 0.008


@register_model("source_cnn", SourceCnn)
def source_cnn(config: SourceCnn, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build conv 3x3x32, conv 3x3x64, max-pool 2, dropout 0.25 and dense 128, with ReLU and without padding.

    ReLU after max-pooling equals ReLU before it, but on a quarter of the values. The weights are Glorot-uniform and
    the biases zero, as in Keras.
    """
    channels, height, width = shape
    flat = 64 * ((height - 4) // 2) * ((width - 4) // 2)
    body = nn.Sequential(
        nn.Conv2d(channels, 32, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 64, 3),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(flat, 128),
        nn.ReLU(inplace=True),
    )
    model = Classifier(body, 128, classes)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return model
