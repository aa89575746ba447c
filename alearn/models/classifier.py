"""The base class of all networks, `Classifier`: it takes pixels and returns fp32 logits.

Shape letters: B batch, C channels, H height, W width, F features, K classes.
"""

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """A body that computes features, and a linear head that computes logits.

    The head runs in fp32 even under autocast. In bf16 a probability of 0.999999 is 1.0, so no rule could tell very
    certain guesses apart.
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        """body: maps float images in [0, 1], [B, C, H, W], to features [B, F]. features: F. classes: K."""
        super().__init__()
        self.body = body.to(memory_format=torch.channels_last)
        self.head: nn.Module = nn.Linear(features, classes)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the logits [B, K] of float images in [0, 1], [B, C, H, W]."""
        return self.logits(self.body(x_bchw))

    def logits(self, features_bf: Tensor) -> Tensor:
        """Return the fp32 logits [B, K] of features of the body [B, F] in any precision."""
        with torch.autocast(features_bf.device.type, enabled=False):
            logits_bk: Tensor = self.head(features_bf.float())
        return logits_bk

    def split(self) -> tuple[nn.Sequential, nn.Sequential]:
        """Return the body in two parts that share its weights.

        The first part is everything before the first dropout, so its result is the same in every forward pass. The
        second part is the rest. It is empty if the body has no dropout.
        """
        parts = list(self.body) if isinstance(self.body, nn.Sequential) else [self.body]
        at = next((i for i, part in enumerate(parts) if dropouts(part)), len(parts))
        return nn.Sequential(*parts[:at]), nn.Sequential(*parts[at:])


class Wrapped(Classifier):
    """A module of the user that maps images to logits by itself.

    It runs in fp32, so that high probabilities keep their digits. Strategies that compare features compare its logits.
    """

    def __init__(self, module: nn.Module) -> None:
        nn.Module.__init__(self)
        self.body = InFp32(module)
        self.head = nn.Identity()


class InFp32(nn.Module):
    """A module that runs without autocast."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return what the module returns."""
        with torch.autocast(x_bchw.device.type, enabled=False):
            result: Tensor = self.module(x_bchw)
        return result


def as_classifier(module: nn.Module) -> Classifier:
    """Return a module as a `Classifier`. Wrap it if it is not one."""
    return module if isinstance(module, Classifier) else Wrapped(module)


def dropouts(module: nn.Module) -> list[nn.Dropout]:
    """Return the dropout layers of a module whose probability is not zero."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Dropout) and layer.p > 0]


def to_float(images_bchw: Tensor) -> Tensor:
    """Convert uint8 pixels [B, C, H, W] to floats in [0, 1], in the memory format channels_last.

    Features of a backbone, float16 [B, F], become float32.
    """
    if images_bchw.dtype != torch.uint8:
        return images_bchw.float()
    return images_bchw.to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255)
