"""model=pretrained: networks of timm with the weights that they learned from other images.

Most networks take the images as they are. A network with a fixed image size is built for the size of the images; the
patches of a vision transformer leave out what remains at the right and bottom edge. If a network cannot be built for
that size, the pixels are resized on the device to its own size.

Shape letters: B batch, C channels, H height, W width, F features.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from alearn.config.model_config import LearningRate, Model
from alearn.errors import AlearnError
from alearn.models import weights as found
from alearn.models.classifier import Classifier
from alearn.models.weights import AUTO, DEFAULT, HUB, Weights
from alearn.registry import register_model

VERSION = 1
"""To be raised if this module computes other features from the same weights and images."""


class Pretrained(Model):
    """Any of timm's networks, under timm's own name, with pretrained weights."""

    name: str = DEFAULT
    """Name of the network in timm, with or without the tag of its weights, e.g. vit_small_patch14_dinov2.lvd142m."""
    weights: str | None = AUTO
    """auto: timm's weights, from this machine if it has them, else from the network. Or a file (.safetensors, .pth), a
    folder, or hf-hub:OWNER/REPOSITORY. null starts from random weights."""
    sha256: str | None = None
    """SHA-256 of the file of the weights: others are refused. null takes what is found, and a trial records it."""
    size: Annotated[int, Field(ge=16, le=1024)] | None = None
    """Pixels a side that the network looks at. null: those of the images, and of known data sets more."""
    views: Literal[1, 2] = 2
    """2 averages the features of an image and of its mirror image, except in training. 1 takes the image alone."""
    lr: LearningRate = 0.0005

    @field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str | None) -> str | None:
        """Make a path absolute, because another program may read the config in another working directory."""
        if weights is None or weights == AUTO or weights.startswith(HUB):
            return weights
        return str(Path(weights).expanduser().absolute())

    @property
    def network(self) -> str:
        """The name under which all networks of timm are registered."""
        return "pretrained"


def check(config: Pretrained) -> None:
    """Raise AlearnError for a name that timm does not have."""
    import timm

    architecture, _, tag = config.name.partition(".")
    if config.name.startswith(HUB):
        raise AlearnError(
            f"model.name={config.name}: must be the name of a network in timm; give the repository as "
            f"model.weights={config.name}"
        )
    if not timm.is_model(architecture):
        near = get_close_matches(architecture, timm.list_models())
        guess = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists them"
        raise AlearnError(f"model.name={config.name}: timm has no network of that name; {guess}")
    names = [name for name in timm.list_pretrained(f"{architecture}*") if name.partition(".")[0] == architecture]
    if tag and config.name not in names:
        allowed = f"it has {', '.join(names)}" if names else f"it has none: give model.name={architecture}"
        raise AlearnError(f"model.name={config.name}: timm has no weights of that name; {allowed}")


class Backbone(nn.Module):
    """A network that maps images to features.

    Attributes:
        features: F, the number of features.
        size: The side of the images in pixels, the shorter one if they are not square.
        channels: 1 for grey images, 3 for colour.
        digest: The SHA-256 of the weights; "" if they are loaded later.
        license: The licence of the weights.
        key: A digest of everything that the features of an image depend on.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, side: tuple[int, int], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """net: a network without a head. side: (H, W) that it takes. mean, std: of the pixels that it knows."""
        super().__init__()
        self.net = net
        self.side = side
        self.views = 1
        self.features = 0
        self.size = min(side)
        self.channels = 3
        self.digest = ""
        self.license = "unknown"
        self.key = ""
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the features [B, F] of float images in [0, 1], [B, 1 or 3, H, W], averaged over the views."""
        if tuple(x_bchw.shape[-2:]) != self.side:
            x_bchw = F.interpolate(x_bchw, self.side, mode="bilinear", antialias=True, align_corners=False)
        x_bchw = (x_bchw - self.mean) / self.std  # one channel broadcasts to three
        features_bf: Tensor = self.net(x_bchw)
        if self.views == 2 and not self.training:
            features_bf = (features_bf + self.net(x_bchw.flip(-1))) / 2
        return features_bf

    def frozen(self) -> Self:
        """Return a copy for computing features: in evaluation mode, without gradients."""
        return deepcopy(self).eval().requires_grad_(False).to(memory_format=torch.channels_last)


def backbone(config: Pretrained, shape: tuple[int, int, int] | None = None, pretrained: bool = True) -> Backbone:
    """Return a network without a head.

    Args:
        config: The config of the network.
        shape: The shape of an image, (C, H, W). None takes colour images of the size that the weights know.
        pretrained: Whether to load the weights. Give False if others are loaded later.

    Raises:
        AlearnError: timm does not have the network, its weights are not available or do not fit, or it does not accept
            images of this shape.
    """
    check(config)
    weights = found.find(config.name, config.weights, config.sha256) if pretrained and config.weights else None
    state = None if weights is None else found.read(weights)
    cfg = found.config(config.name)
    channels, height, width = shape or cfg.input_size
    net, side, features = _net(config, weights, state, (height, width))
    body = Backbone(net, side, *(weights.mean, weights.std) if weights else (cfg.mean, cfg.std))
    body.views = config.views
    body.features = features
    body.channels = channels
    body.size = min(height, width)
    if weights is not None:
        body.digest = weights.sha256
        body.license = weights.license
    elif pretrained:
        body.digest = _digest(net)
    parts = (VERSION, config.name, body.digest, height, width, channels, config.views)
    body.key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return body.to(memory_format=torch.channels_last)


def untrained(config: Pretrained, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the same layers without fetching weights."""
    body = backbone(config, shape, pretrained=False)
    return Classifier(body, body.features, classes)


@register_model("pretrained", Pretrained, check=check, untrained=untrained)
def pretrained(config: Pretrained, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the network with its pretrained weights and a new head. Raise AlearnError as `backbone`."""
    body = backbone(config, shape)
    return Classifier(body, body.features, classes)


def _net(
    config: Pretrained, weights: Weights | None, state: Mapping[str, Tensor] | None, size: tuple[int, int]
) -> tuple[nn.Module, tuple[int, int], int]:
    """Return a network of timm without a head, the size of the images that it takes, and the number of features."""
    import timm

    cfg = found.config(config.name)
    own = tuple(cfg.input_size[1:])
    attempts: list[tuple[dict[str, Any], tuple[int, int]]] = [({}, size)]
    if cfg.fixed_input_size:  # it may be built for another size, but not all of them can be
        attempts = [({"img_size": size}, size), ({}, own)]
    options: dict[str, Any] = {"pretrained_cfg_overlay": {"state_dict": dict(state)}} if state is not None else {}
    for option, side in attempts:
        try:
            net = timm.create_model(config.name, pretrained=bool(options), num_classes=0, **options, **option)
            with torch.no_grad():
                out = tuple(net.eval()(torch.zeros(2, 3, *side)).shape)
        except Exception as error:  # each network has its own ways to fail
            problem = error
            continue
        if len(out) != 2:
            raise AlearnError(f"model.name={config.name}: has no pooled features (it returns {list(out)})")
        return net.train(), side, out[1]
    if weights is not None and (unfit := _unfit(str(problem))):
        raise AlearnError(f"{weights.file} does not fit model.name={config.name}: {unfit}")
    raise AlearnError(
        f"model.name={config.name}: does not accept images of {size[0]} x {size[1]} pixels "
        f"({(str(problem).splitlines() or ['?'])[0]}); choose another network, or larger images with data.size"
    ) from None


def _unfit(problem: str) -> str:
    """Return the first keys with which torch could not load weights, "" if the problem is another one."""
    keys = []
    for line in problem.splitlines():
        kind = next((kind for kind in ("Missing", "Unexpected") if line.strip().startswith(kind)), None)
        if kind:
            keys += [f"{key} is {kind.lower()}" for key in re.findall(r'"([^"]+)"', line)]
        elif "size mismatch for " in line:
            key, _, rest = line.partition("size mismatch for ")[2].partition(": ")
            shapes = re.findall(r"torch\.Size\((\[[^]]*\])\)", rest)
            keys.append(f"{key} has the shape {' instead of '.join(shapes)}")
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more


def _digest(net: nn.Module) -> str:
    """Return the SHA-256 of the weights of a network."""
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.contiguous().view(torch.uint8).numpy() if tensor.ndim else str(tensor).encode())
    return digest.hexdigest()
