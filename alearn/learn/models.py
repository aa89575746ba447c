"""The networks. Every one is a `Classifier`: pixels in, fp32 logits out.

Shape letters: B batch, C channels, H height, W width, F features, K classes.
"""

import torch
from torch import Tensor, nn

from alearn.config import SmallCnn, SourceCnn


class Classifier(nn.Module):
    """A body that makes features and a linear head that makes logits.

    The head runs in fp32 whatever the autocast: in bf16 a probability of 0.999999 is 1.0, and nothing could be decided
    by it.
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.body = body.to(memory_format=torch.channels_last)
        self.head = nn.Linear(features, classes)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Float images in [0, 1] to logits [B, K]."""
        features_bf = self.body(x_bchw)
        with torch.autocast(x_bchw.device.type, enabled=False):
            logits_bk: Tensor = self.head(features_bf.float())
        return logits_bk


def to_float(images_bchw: Tensor) -> Tensor:
    """uint8 pixels to floats in [0, 1], channels last."""
    return images_bchw.to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255)


def build(config: SourceCnn | SmallCnn, shape: tuple[int, int, int], classes: int) -> Classifier:
    """A freshly initialised model for images of `shape` [C, H, W]; the weights follow torch's global generator."""
    channels, height, width = shape
    if isinstance(config, SmallCnn):
        return small_cnn(channels, classes, config.width)
    return source_cnn(channels, height, width, classes)


def source_cnn(channels: int, height: int, width: int, classes: int) -> Classifier:
    """The published experiment's: conv 3x3x32, conv 3x3x64, max-pool 2, dropout 0.25, dense 128; ReLU, no padding.

    ReLU after the pooling is ReLU before it, on a quarter of the values. Weights are Glorot-uniform and biases zero, as
    in Keras.
    """
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


def small_cnn(channels: int, classes: int, width: int) -> Classifier:
    """Four convolutions with batch norm, of which the first halves the size; global max-pool. About 16 x 16 pixels at
    least.
    """

    def block(inside: int, outside: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
        return [conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]

    body = nn.Sequential(
        nn.BatchNorm2d(channels, affine=False),  # standardises the pixels by the data's own mean and deviation
        *block(channels, width, 5, 2),
        *block(width, 2 * width, 3),
        nn.MaxPool2d(2),
        *block(2 * width, 4 * width, 3),
        nn.MaxPool2d(2, ceil_mode=True),
        *block(4 * width, 4 * width, 3),
        nn.Flatten(2),
        GlobalMax(),
    )
    return Classifier(body, 4 * width, classes)


class GlobalMax(nn.Module):
    """Maximum over the last dimension; unlike adaptive pooling it has a deterministic gradient on a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., n] to [...]."""
        return x.amax(-1)
