"""What every network is: a `Classifier`, pixels in, fp32 logits out.

Shape letters: B batch, C channels, H height, W width, F features, K classes.
"""

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """A body that makes features and a linear head that makes logits.

    The head runs in fp32 whatever the autocast: in bf16 a probability of 0.999999 is 1.0, and nothing could be decided
    by it.
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        """body: float images in [0, 1], [B, C, H, W], to features [B, F]. features: F. classes: K."""
        super().__init__()
        self.body = body.to(memory_format=torch.channels_last)
        self.head: nn.Module = nn.Linear(features, classes)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Turn float images in [0, 1] into logits [B, K]."""
        return self.logits(self.body(x_bchw))

    def logits(self, features_bf: Tensor) -> Tensor:
        """Turn what the body made, in any precision, into fp32 logits [B, K]."""
        with torch.autocast(features_bf.device.type, enabled=False):
            logits_bk: Tensor = self.head(features_bf.float())
        return logits_bk

    def split(self) -> tuple[nn.Sequential, nn.Sequential]:
        """Return the body in two parts that share its weights.

        The first part is all that comes before dropout, and is the same in every forward pass. The second part is the
        rest; it is empty without dropout.
        """
        parts = list(self.body) if isinstance(self.body, nn.Sequential) else [self.body]
        at = next((i for i, part in enumerate(parts) if dropouts(part)), len(parts))
        return nn.Sequential(*parts[:at]), nn.Sequential(*parts[at:])


class Wrapped(Classifier):
    """A module of the user's that maps images to logits by itself.

    It runs in fp32, so that its certainty keeps its digits. Strategies that compare features compare its logits.
    """

    def __init__(self, module: nn.Module) -> None:
        nn.Module.__init__(self)
        self.body = InFp32(module)
        self.head = nn.Identity()


class InFp32(nn.Module):
    """A module that autocast leaves alone."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return what the module returns."""
        with torch.autocast(x_bchw.device.type, enabled=False):
            result: Tensor = self.module(x_bchw)
        return result


def as_classifier(module: nn.Module) -> Classifier:
    """Return a module as a `Classifier`, wrapped if it is none."""
    return module if isinstance(module, Classifier) else Wrapped(module)


def dropouts(module: nn.Module) -> list[nn.Dropout]:
    """Return the layers of a module that drop anything."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Dropout) and layer.p > 0]


def to_float(images_bchw: Tensor) -> Tensor:
    """Turn uint8 pixels into floats in [0, 1], channels last."""
    return images_bchw.to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255)
