"""model=pretrained: networks of timm with the weights that they learned from other images.

Most networks take the images as they are. A network with a fixed image size, such as a vision transformer, is built for
the size of the images, or for the next size of whole patches. If it cannot be, it keeps its own size. If the images
have another size than the network, their pixels are resized on the device.

Shape letters: B batch, C channels, H height, W width, F features.
"""

import hashlib
import json
import re
from dataclasses import replace
from difflib import get_close_matches
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from alearn.config.model_config import LearningRate, Model
from alearn.errors import AlearnError
from alearn.models import weight_files
from alearn.models import weights as found
from alearn.models.backbone import Backbone, Pooled
from alearn.models.classifier import Classifier
from alearn.models.weights import AUTO, DEFAULT, Weights
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
    license: str | None = None
    """Licence of the weights: weights with another one are refused. null takes any, and a trial records it."""
    size: Annotated[int, Field(ge=16, le=1024)] | None = None
    """Pixels a side that the network looks at. null: those of the images; of known data sets, what the
    weights know."""
    views: Literal[1, 2] = 1
    """2 averages the features of an image and of its mirror image, except while weights are trained. 1 takes the image
    alone."""
    lr: LearningRate = 0.0005

    @field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str | None) -> str | None:
        """Make a path absolute, because another program may read the config in another working directory."""
        if weights is None or weights == AUTO or weights.startswith(weight_files.HUB):
            return weights
        return str(Path(weights).expanduser().absolute())

    @property
    def network(self) -> str:
        """The name under which all networks of timm are registered."""
        return "pretrained"


def check(config: Pretrained) -> None:
    """Raise AlearnError for a name that timm does not have, and for a file of weights that does not exist."""
    check_name(config)
    if config.weights not in (None, AUTO) and not config.weights.startswith(weight_files.HUB):
        found.find(config.name, config.weights, config.sha256)


def check_name(config: Pretrained) -> None:
    """Raise AlearnError for a name that timm does not have."""
    import timm

    architecture, _, tag = config.name.partition(".")
    if config.name.startswith(weight_files.HUB):
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


def settle(config: Pretrained) -> tuple[Pretrained, list[str]]:
    """Find the weights. Return the config with their SHA-256 and licence, and a sentence about them."""
    if config.weights is None:
        return config, []
    weights = _found(config)
    named = {"sha256": weights.sha256, "license": weights.license}
    return config.model_copy(update=named), [weights.describe(config.name)]


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
    check_name(config)
    weights = _found(config) if pretrained and config.weights is not None else None
    cfg = found.description(config.name)
    channels, height, width = shape or cfg.input_size
    looks = (height, width) if config.size is None else (config.size, config.size)
    net, side, features = _net(config, weights, looks)
    pixels = (weights.mean, weights.std) if weights else (cfg.mean, cfg.std)
    body = Backbone(net, features, (channels, height, width), side, config.views, weights, pixels)
    if pretrained and weights is None:
        body.digest = _digest(net)
    parts = (VERSION, config.name, body.digest, pixels, channels, height, width, side, config.views)
    body.key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return body.to(memory_format=torch.channels_last)


def untrained(config: Pretrained, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the same layers without fetching weights."""
    body = backbone(config, shape, pretrained=False)
    return Classifier(body, body.features, classes)


@register_model("pretrained", Pretrained, check=check, untrained=untrained, settle=settle)
def pretrained(config: Pretrained, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the network with its pretrained weights and a new head. Raise AlearnError as `backbone`."""
    body = backbone(config, shape)
    return Classifier(body, body.features, classes)


def groups(body: Backbone, lr: float, layer_decay: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return the parameters of a backbone for an optimizer, in groups with their own learning rates and weight decays.

    The last layer has the rate `lr`, and each layer before it that of the next one times `layer_decay`. timm knows
    which parameters form a layer of its networks, such as a block. Biases and the parameters of norms do not decay.
    """
    from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]

    assert isinstance(body.net, Pooled)
    return [
        {"params": group["params"], "lr": lr * group["lr_scale"], "weight_decay": group["weight_decay"]}
        for group in param_groups_layer_decay(body.net.net, weight_decay, layer_decay=layer_decay)
    ]


def _found(config: Pretrained) -> Weights:
    """Return the weights of a config. Raise AlearnError if there are none, or if their licence is another one."""
    assert config.weights is not None
    weights = found.find(config.name, config.weights, config.sha256)
    if config.license in (None, weights.license):
        return weights
    if weights.license == found.UNKNOWN:  # the user knows it
        return replace(weights, license=config.license)
    raise AlearnError(f"model.license={config.license}: the licence of {weights.file} is {weights.license}")


def _net(config: Pretrained, weights: Weights | None, size: tuple[int, int]) -> tuple[nn.Module, tuple[int, int], int]:
    """Return a network of timm without a head, the size of the images that it takes, and the number of features."""
    cfg = found.description(config.name)
    state = None if weights is None else found.read(weights)
    attempts: list[tuple[dict[str, Any], tuple[int, int]]] = [({}, size)]
    if cfg.fixed_input_size:  # most of these can be built for another size
        attempts = [({"img_size": size}, size), ({}, tuple(cfg.input_size[1:]))]
    why = ""
    for options, side in attempts:
        try:
            net = _created(config.name, state, options)
            if options and (whole := _whole_patches(net, side)) != side:
                side = whole
                net = _created(config.name, state, {"img_size": side})
        except Exception as error:  # each network has its own ways to fail
            unfit = error
            continue
        try:
            with torch.no_grad():
                net = Pooled(net)
                out = tuple(net.eval()(torch.zeros(2, 3, *side)).shape)
        except Exception as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            continue
        if len(out) != 2:
            raise AlearnError(f"model.name={config.name}: has no pooled features (it returns {list(out)})")
        return net.train(), side, out[1]
    if weights is not None and not why:
        raise AlearnError(f"{weights.file} does not fit model.name={config.name}: {_unfit(unfit)}")
    raise AlearnError(
        f"model.name={config.name}: does not accept images of {size[0]} x {size[1]} pixels ({why or unfit}); choose "
        "larger ones with data.size, or another network"
    )


def _whole_patches(net: nn.Module, side: tuple[int, int]) -> tuple[int, int]:
    """Return a size in pixels, increased to whole patches if the network cuts images into patches."""
    patch = getattr(getattr(net, "patch_embed", None), "patch_size", 1)
    down, across = patch if isinstance(patch, tuple | list) else (patch, patch)
    return ceil(side[0] / down) * down, ceil(side[1] / across) * across


def _created(name: str, state: dict[str, Tensor] | None, options: dict[str, Any]) -> nn.Module:
    """Return a network of timm without a head. Raise an exception if any of its tensors is missing in `state`.

    Tensors that it does not need, such as those of a head, may be there. timm would let some be missing, too, if the
    number of classes were not that of the weights; so it is told that they have no classes.
    """
    import timm

    if state is None:
        return timm.create_model(name, num_classes=0, **options)
    heads = found.description(name).classifier or ()
    heads = (heads,) if isinstance(heads, str) else heads
    body = {key: tensor for key, tensor in state.items() if key.rpartition(".")[0] not in heads}
    overlay: dict[str, Any] = {"state_dict": body, "num_classes": 0, "label_offset": 0}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=0, **options)
    except RuntimeError as error:
        if "Unexpected key" not in str(error) or any(bad in str(error) for bad in ("Missing key", "size mismatch")):
            raise
    overlay = {"state_dict": state, "num_classes": 1}  # unlike 0, which we ask for
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=0, **options)


def _unfit(error: Exception) -> str:
    """Return why weights could not be loaded: the first of the keys that torch names, or what else has failed."""
    keys = []
    for line in str(error).splitlines():
        kind = next((kind for kind in ("Missing", "Unexpected") if line.strip().startswith(kind)), None)
        if kind:
            keys += [f"{key} is {kind.lower()}" for key in re.findall(r'"([^"]+)"', line)]
        elif "size mismatch for " in line:
            key, _, rest = line.partition("size mismatch for ")[2].partition(": ")
            shapes = re.findall(r"torch\.Size\((\[[^]]*\])\)", rest)
            keys.append(f"{key} has the shape {' instead of '.join(shapes)}")
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more if keys else f"{type(error).__name__}: {error}"


def _digest(net: nn.Module) -> str:
    """Return the SHA-256 of the weights of a network."""
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.contiguous().view(torch.uint8).numpy() if tensor.ndim else str(tensor).encode())
    return digest.hexdigest()
