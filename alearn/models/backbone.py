"""A network of timm between its pixels and its features.

Shape letters: B batch, C channels, H height, W width, F features.
"""

from copy import deepcopy
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from alearn.models.weights import Weights

LAST = 4
"""The last blocks of a vision transformer whose outputs are pooled, as in the linear evaluation of DINOv2 (Oquab et al.
2023). Of networks with stages of falling resolution, all stages are."""


class Pooled(nn.Module):
    """A network of timm without a head, and what its stages see: their means and deviations over the image.

    A head that gets only the last features misses what the weights were trained to ignore, such as material and
    texture. Each of the vectors has length 1, so none of them outweighs the others, and so have all of them together.
    """

    def __init__(self, net: nn.Module) -> None:
        """net: a network that `timm.create_model` has made with num_classes=0."""
        super().__init__()
        self.net: Any = net  # timm's networks have more methods than nn.Module
        self._stages = LAST if hasattr(net, "patch_embed") else None

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the features [B, F] of standardized images [B, 3, H, W]."""
        net = self.net
        if hasattr(net, "forward_intermediates"):
            last, maps = net.forward_intermediates(x_bchw, indices=self._stages)
            vectors = [net.forward_head(last, pre_logits=True)]
            if self._stages is None and last.ndim == 4:
                maps.append(last)
            for map_bchw in maps:
                vectors += torch.std_mean(map_bchw.float(), (2, 3), correction=0)  # a map may be one pixel
        else:
            vectors = [net(x_bchw)]
        features_bf: Tensor = torch.cat([F.normalize(vector.float()) for vector in vectors], 1) / len(vectors) ** 0.5
        return features_bf


class Backbone(nn.Module):
    """A network that maps images to features.

    Attributes:
        features: F, the number of features.
        size: The side of the images in pixels, the shorter one if they are not square.
        channels: 1 for grey images, 3 for colour.
        side: (H, W) of the pixels that the network takes. Others are resized to it.
        digest: The SHA-256 of the weights; "" if they are loaded later.
        license: The licence of the weights.
        key: A digest of everything that the features of an image depend on.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        net: nn.Module,
        features: int,
        shape: tuple[int, int, int],
        side: tuple[int, int],
        views: int,
        weights: Weights | None,
        pixels: tuple[tuple[float, ...], tuple[float, ...]],
    ) -> None:
        """Put layers around a network.

        Args:
            net: maps standardized images [B, 3, H, W] to features [B, F].
            features: F.
            shape: (C, H, W) of the images.
            side: (H, W) of the pixels that the network takes.
            views: 1, or 2 to average over an image and its mirror image.
            weights: where the weights of the network come from; None if they are random or loaded later.
            pixels: the mean and the deviation of the pixels that it knows, for red, green and blue.
        """
        super().__init__()
        self.net = net
        self.features = features
        self.channels, *sides = shape
        self.size = min(sides)
        self.side = side
        self.views = views
        self.digest = weights.sha256 if weights else ""
        self.license = weights.license if weights else "unknown"
        self.key = ""
        mean, std = pixels
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        self._dtype = torch.float32
        self._knows = weights is not None

    def train(self, mode: bool = True) -> Self:
        """Switch training on or off. Batch norms keep the statistics that came with the weights.

        Those of small batches of few images differ from batch to batch and from what the head has been fitted to. On
        TrashNet with 250 answers, 13.0 % of the labels are wrong with the kept ones, 15.3 % with those of the batch.
        """
        super().train(mode)
        if self._knows:
            for layer in self.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        return self

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the features [B, F] of float images in [0, 1], [B, 1 or 3, H, W], averaged over the views."""
        if tuple(x_bchw.shape[-2:]) != self.side:
            x_bchw = F.interpolate(x_bchw, self.side, mode="bilinear", antialias=True, align_corners=False)
        x_bchw = ((x_bchw - self.mean) / self.std).to(self._dtype)  # one channel broadcasts to three
        features_bf: Tensor = self.net(x_bchw)
        if self.views == 2 and not self.training:
            features_bf = (features_bf + self.net(x_bchw.flip(-1))) / 2
        return features_bf

    def frozen(self, bf16: bool = False) -> Self:
        """Return a copy that computes the same features faster and cannot be trained.

        bf16: whether its network computes in bf16. The features then differ in the third digit.
        """
        copy = deepcopy(self).eval().requires_grad_(False)
        copy.net = _folded(copy.net, self.side)
        if bf16:
            copy.net.to(torch.bfloat16)
            copy._dtype = torch.bfloat16
        return copy.to(memory_format=torch.channels_last)


def _folded(net: nn.Module, side: tuple[int, int]) -> nn.Module:
    """Return a network in evaluation mode with its batch norms folded into the convolutions before them.

    Layers that are registered one after the other are taken as such a pair. If the network uses them in another order,
    it gives other features and is returned as it was.
    """
    folded = deepcopy(net)
    layers = [
        (path, layer)
        for path, layer in folded.named_modules()
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d) or not [*layer.children()]
    ]
    for (path, conv), (after, norm) in pairwise(layers):
        fits = isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        if fits and norm.num_features == conv.out_channels:
            folded.set_submodule(path, fuse_conv_bn_eval(conv, norm))
            rest = [getattr(norm, part) for part in ("drop", "act") if hasattr(norm, part)]  # timm's norms do more
            folded.set_submodule(after, nn.Sequential(*rest))
    device = next(net.parameters()).device
    x_bchw = torch.linspace(-2, 2, 6 * side[0] * side[1], device=device).sin().view(2, 3, *side)
    with torch.no_grad():
        before, now = net(x_bchw), folded(x_bchw)
    return folded if torch.allclose(before, now, rtol=1e-3, atol=1e-4 * float(before.abs().max())) else net
