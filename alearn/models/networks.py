"""The networks. Every one is a `Classifier`: pixels in, fp32 logits out.

Shape letters: B batch, C channels, H height, W width, F features, K classes.
"""

from typing import cast

import torch
from torch import Tensor, nn

from alearn.config import Model, Resnet, SmallCnn, Torchvision
from alearn.models import zoo


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
        return self.logits(self.body(x_bchw))

    def logits(self, features_bf: Tensor) -> Tensor:
        """What the body made, in any precision, to fp32 logits [B, K]."""
        with torch.autocast(features_bf.device.type, enabled=False):
            logits_bk: Tensor = self.head(features_bf.float())
        return logits_bk

    def split(self) -> tuple[nn.Sequential, nn.Sequential]:
        """The body in two: all before the first part of it that has dropout, which is the same in every forward pass,
        and the rest, which is not. They share the body's weights. Without dropout the rest is empty.
        """
        parts = list(self.body) if isinstance(self.body, nn.Sequential) else [self.body]
        at = next((i for i, part in enumerate(parts) if dropouts(part)), len(parts))
        return nn.Sequential(*parts[:at]), nn.Sequential(*parts[at:])


def dropouts(module: nn.Module) -> list[nn.Dropout]:
    """Its layers that drop anything."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Dropout) and layer.p > 0]


def to_float(images_bchw: Tensor) -> Tensor:
    """uint8 pixels to floats in [0, 1], channels last."""
    return images_bchw.to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255)


def check(config: Model) -> None:
    """Raises AlearnError for a network or weights that torchvision does not have."""
    if isinstance(config, Torchvision):
        zoo.check(config)


def build(config: Model, shape: tuple[int, int, int], classes: int, pretrained: bool = True) -> Classifier:
    """A freshly initialised model for images of `shape` [C, H, W]; the weights follow torch's global generator.

    pretrained: whether to fetch the weights that the config names; not for a model whose weights are about to be
    loaded. Raises AlearnError for one of torchvision's that cannot be had or cannot take such images.
    """
    channels, height, width = shape
    if isinstance(config, Torchvision):
        return Classifier(*zoo.body(config, shape, pretrained), classes)
    if isinstance(config, Resnet):
        return resnet(channels, classes, config.width, config.dropout)
    if isinstance(config, SmallCnn):
        return small_cnn(channels, classes, config.width, config.dropout)
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


def small_cnn(channels: int, classes: int, width: int, dropout: float = 0.0) -> Classifier:
    """Four convolutions with batch norm, of which the first halves the size; global max-pool, dropout. About 16 x 16
    pixels at least.
    """

    def block(inside: int, outside: int, kernel: int, stride: int, *pool: nn.Module) -> list[nn.Module]:
        """ReLU after the pooling is ReLU before it, on a quarter of the values."""
        conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
        return [conv, nn.BatchNorm2d(outside), *pool, nn.ReLU(inplace=True)]

    body = nn.Sequential(
        nn.BatchNorm2d(channels, affine=False),  # standardises the pixels by the data's own mean and deviation
        *block(channels, width, 5, 2),
        *block(width, 2 * width, 3, 1, nn.MaxPool2d(2)),
        *block(2 * width, 4 * width, 3, 1, nn.MaxPool2d(2, ceil_mode=True)),
        *block(4 * width, 4 * width, 3, 1),
        nn.Flatten(2),
        GlobalMax(),
        *([nn.Dropout(dropout)] if dropout else []),
    )
    return Classifier(body, 4 * width, classes)


def resnet(channels: int, classes: int, width: int, dropout: float = 0.0) -> Classifier:
    """Eight convolutions with batch norm, two pairs of them residual, global max-pool, dropout: ResNet-9 of D. Page,
    "How to Train Your ResNet" (2018), at width 64. 16 x 16 pixels at least.
    """

    def block(inside: int, outside: int) -> nn.Sequential:
        conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))

    w2, w4, w8 = 2 * width, 4 * width, 8 * width
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
        *([nn.Dropout(dropout)] if dropout else []),
    )
    return Classifier(body, w8, classes)


class Residual(nn.Module):
    """Layers whose output is added to their input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Shape in, same shape out."""
        return x + cast(Tensor, self.layers(x))


class GlobalMax(nn.Module):
    """Maximum over the last dimension; unlike adaptive pooling it has a deterministic gradient on a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., n] to [...]."""
        return x.amax(-1)
