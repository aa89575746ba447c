"""model=torchvision: torchvision's classification networks, each under its own name.

The networks are adapted to images unlike those of ImageNet. The first convolution gets the number of channels of the
images. For images of less than 64 pixels, networks of the ResNet class get a 3 x 3 first convolution with stride 1 and
no max-pool, because their own first layers would leave hardly any pixels. With pretrained weights, grey images become
three equal channels. If a network still does not accept the images (ViT needs 224 pixels, Inception 75), alearn refuses
it before the training.
"""

from difflib import get_close_matches
from typing import Any, cast

import torch
from torch import Tensor, nn

from alearn.config.model_config import LearningRate, Model
from alearn.errors import AlearnError
from alearn.files.fetch import timeout
from alearn.models.classifier import Classifier
from alearn.registry import register_model

SMALL = 64
"""If the shorter side has fewer pixels, a network of the ResNet class gets the small first layers."""
MEAN = (0.485, 0.456, 0.406)
"""The means of red, green and blue in ImageNet, for pixels in [0, 1]."""
SD = (0.229, 0.224, 0.225)
"""The standard deviations of red, green and blue in ImageNet, for pixels in [0, 1]."""


class Torchvision(Model):
    """Any of torchvision's classification networks, under torchvision's own name, e.g. resnet18."""

    name: str = "resnet18"
    """Name of the network in torchvision."""
    weights: str | None = None
    """Start from ImageNet's weights: DEFAULT, or torchvision's name for them; null starts from scratch."""
    lr: LearningRate = 0.002

    @property
    def network(self) -> str:
        """The name under which all networks of torchvision are registered."""
        return "torchvision"


def check(config: Torchvision) -> None:
    """Raise AlearnError for a network or weights that torchvision does not have."""
    from torchvision import models

    known = models.list_models(module=models)
    if config.name not in known:
        near = get_close_matches(config.name, known)
        raise AlearnError(
            f"model.name={config.name}: torchvision has no classification network of that name; "
            + (f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}")
        )
    if config.weights is not None:
        names = [weights.name for weights in models.get_model_weights(config.name)]
        if config.weights not in (*names, "DEFAULT"):
            allowed = ", ".join(["null", "DEFAULT", *names])
            raise AlearnError(f"model.weights={config.weights}: must be one of {allowed} for model.name={config.name}")


def untrained(config: Torchvision, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the same layers without fetching weights."""
    return _classifier(config, None, shape, classes)


@register_model("torchvision", Torchvision, check=check, untrained=untrained)
def torchvision(config: Torchvision, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the network with a new head.

    Raises:
        AlearnError: torchvision does not know the name, the weights are not available, or the network does not accept
            images of this shape.
    """
    return _classifier(config, config.weights, shape, classes)


def _classifier(config: Torchvision, weights: str | None, shape: tuple[int, int, int], classes: int) -> Classifier:
    """Build the layers of the config. weights: the weights to fetch, or None to fetch none."""
    check(config)
    channels, height, width = shape
    pretrained = config.weights is not None
    net = _net(config.name, weights, pretrained)
    features = _beheaded(net)
    _fit_stem(net, 3 if pretrained else channels, min(height, width) < SMALL)
    whole = nn.Sequential(ImageNetPixels() if pretrained else nn.BatchNorm2d(channels, affine=False), net)
    try:
        with torch.no_grad():
            out = tuple(whole.eval()(torch.zeros(2, *shape)).shape)
    except Exception as error:  # each network has its own way to fail
        out = None
        why = str(error).splitlines()[0]
    else:
        why = f"it returns {out}"
    if out != (2, features):
        raise AlearnError(
            f"model.name={config.name}: does not accept images of {height} x {width} pixels ({why}); choose a network "
            "for small images, e.g. model=resnet or model.name=resnet18"
        )
    return Classifier(whole.train(), features, classes)


class ImageNetPixels(nn.Module):
    """A layer that standardizes pixels in [0, 1] as in ImageNet. Grey images become three equal channels."""

    mean: Tensor
    sd: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sd", torch.tensor(SD).view(3, 1, 1), persistent=False)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the pixels: x [B, 1 or 3, H, W] becomes [B, 3, H, W]."""
        return (x_bchw - self.mean) / self.sd  # one channel broadcasts to three


def _net(name: str, weights: str | None, pretrained: bool) -> nn.Module:
    """Build a network of torchvision.

    weights: the weights to fetch, or None to fetch none. pretrained: whether the network has pretrained weights now or
    will get them later.
    """
    from torchvision import models

    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3") and weights is None:  # no auxiliary outputs in training, no warning
        options = {"aux_logits": False, "init_weights": False, "transform_input": pretrained}
    try:
        with timeout():
            net = models.get_model(name, weights=weights, **options)
    except (OSError, RuntimeError) as error:  # no connection, or a damaged download
        if weights is None:
            raise
        url = models.get_model_weights(name)[weights].url
        raise AlearnError(
            f"model.weights={weights}: cannot be downloaded ({error}). Download {url} on a machine with a connection "
            f"and put it into {torch.hub.get_dir()}/checkpoints, or set model.weights=null"
        ) from None
    if isinstance(net, models.Inception3):  # with weights it has an auxiliary output; GoogLeNet does not
        net.aux_logits = False
        net.AuxLogits = None
    return cast(nn.Module, net)


def _beheaded(net: nn.Module) -> int:
    """Remove the last linear layer, and return the number of its inputs.

    SqueezeNet has no linear layer; the features are its pooled maps.
    """
    from torchvision.models import SqueezeNet

    if isinstance(net, SqueezeNet):
        net.classifier = nn.AdaptiveAvgPool2d(1)
        return 512
    path, last = [(path, layer) for path, layer in net.named_modules() if isinstance(layer, nn.Linear)][-1]
    net.set_submodule(path, nn.Identity())
    return last.in_features


def _fit_stem(net: nn.Module, channels: int, small: bool) -> None:
    """Adapt the first layers to the number of channels, and to small images if `small`."""
    from torchvision.models import ResNet

    path, first = next((path, layer) for path, layer in net.named_modules() if isinstance(layer, nn.Conv2d))
    if isinstance(net, ResNet) and small:
        net.conv1 = nn.Conv2d(channels, first.out_channels, 3, padding=1, bias=False)
        net.maxpool = nn.Identity()
    elif first.in_channels != channels:
        net.set_submodule(
            path,
            nn.Conv2d(
                channels,
                first.out_channels,
                cast(tuple[int, int], first.kernel_size),
                cast(tuple[int, int], first.stride),
                cast(tuple[int, int], first.padding),
                bias=first.bias is not None,
            ),
        )
