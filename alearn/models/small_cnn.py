"""model=small_cnn: four convolutions with batch norm. It needs a fifth of the multiplications of source_cnn."""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from alearn.config.model_config import LearningRate, Model
from alearn.config.section import Count
from alearn.models.classifier import Classifier
from alearn.models.layers import GlobalMax
from alearn.registry import register_model


class SmallCnn(Model):
    """A batch-normalised network that is better than source_cnn with few labels."""

    name: Literal["small_cnn"] = "small_cnn"
    width: Count = 16
    """Channels of the first layer; the later ones have 2 and 4 times as many."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the features that is dropped before the head in training, and by the query strategy bald; 0 for none."""
    lr: LearningRate = 0.01


@register_model("small_cnn", SmallCnn)
def small_cnn(config: SmallCnn, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build four convolutions with batch norm, then a global max-pool and dropout. The first one halves the size.

    Images need at least about 16 x 16 pixels.
    """
    channels = shape[0]
    width = config.width

    def block(inside: int, outside: int, kernel: int, stride: int, *pool: nn.Module) -> list[nn.Module]:
        """Build the layers of a block. ReLU after max-pooling equals ReLU before it, but on a quarter of the values."""
        conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
        return [conv, nn.BatchNorm2d(outside), *pool, nn.ReLU(inplace=True)]

    body = nn.Sequential(
        nn.BatchNorm2d(channels, affine=False),  # standardizes the pixels with the mean and deviation of the data
        *block(channels, width, 5, 2),
        *block(width, 2 * width, 3, 1, nn.MaxPool2d(2)),
        *block(2 * width, 4 * width, 3, 1, nn.MaxPool2d(2, ceil_mode=True)),
        *block(4 * width, 4 * width, 3, 1),
        nn.Flatten(2),
        GlobalMax(),
        *([nn.Dropout(config.dropout)] if config.dropout else []),
    )
    return Classifier(body, 4 * width, classes)
