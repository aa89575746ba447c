"""model=resnet: a residual network of eight convolutions for small images in colour."""

from typing import Annotated, Literal, cast

from pydantic import Field
from torch import Tensor, nn

from alearn.config.model_config import LearningRate, Model
from alearn.config.section import Count
from alearn.models.classifier import Classifier
from alearn.models.layers import GlobalMax
from alearn.registry import register_model


class Resnet(Model):
    """A residual network for small images in colour."""

    name: Literal["resnet"] = "resnet"
    width: Count = 32
    """Channels of the first layer; the later ones have 2, 4 and 8 times as many."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the features that is dropped before the head in training, and by the query strategy bald; 0 for none."""
    lr: LearningRate = 0.01


@register_model("resnet", Resnet)
def resnet(config: Resnet, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build eight convolutions with batch norm, then a global max-pool and dropout. Two pairs are residual.

    With a width of 64 this is the ResNet-9 of D. Page, "How to Train Your ResNet" (2018). Images need at least 16 x 16
    pixels.
    """

    def block(inside: int, outside: int) -> nn.Sequential:
        conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))

    channels = shape[0]
    width = config.width
    w2 = 2 * width
    w4 = 4 * width
    w8 = 8 * width
    body = nn.Sequential(
        nn.BatchNorm2d(channels, affine=False),
        block(channels, width),
        block(width, w2),
        nn.MaxPool2d(2),
        Residual(block(w2, w2), block(w2, w2)),
        block(w2, w4),
        nn.MaxPool2d(2),
        block(w4, w8),
        nn.MaxPool2d(2),
        Residual(block(w8, w8), block(w8, w8)),
        nn.Flatten(2),
        GlobalMax(),
        *([nn.Dropout(config.dropout)] if config.dropout else []),
    )
    return Classifier(body, w8, classes)


class Residual(nn.Module):
    """Layers whose output is added to their input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the output of the layers, which has the same shape."""
        return x + cast(Tensor, self.layers(x))
