import urllib.error

import pytest
import torch
from torch import nn
from torchvision import models as theirs

from alearn.errors import AlearnError
from alearn.models import torchvision_zoo
from alearn.models.build import build, check
from alearn.models.classifier import Classifier
from alearn.models.torchvision_zoo import Torchvision


def network(name: str, shape: tuple[int, int, int], weights: str | None = None) -> Classifier:
    torch.manual_seed(0)
    return build(Torchvision(name=name, weights=weights, lr=0.1), shape, 7)


@pytest.mark.parametrize(
    ("name", "shape", "features"),
    [
        ("resnet18", (1, 28, 28), 512),
        ("resnet18", (3, 64, 80), 512),
        ("mobilenet_v3_small", (3, 32, 32), 1024),
        ("squeezenet1_1", (1, 32, 32), 512),
        ("shufflenet_v2_x0_5", (1, 20, 20), 1024),
        ("googlenet", (3, 32, 32), 1024),
    ],
)
def test_a_network_of_torchvisions_fits_channels_sizes_and_classes(name, shape, features):
    model = network(name, shape)
    assert model.head.in_features == features
    assert model.training
    x = torch.rand(4, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
    assert (logits.shape, logits.dtype) == ((4, 7), torch.float32)
    logits.sum().backward()
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert first.weight.grad is not None
    assert first.in_channels == shape[0]
    again = network(name, shape)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_resnet_keeps_its_stem_for_images_that_are_large_enough():
    stems = []
    for side in (63, 64):
        net = network("resnet18", (3, side, side)).body[1]
        stems.append((net.conv1.kernel_size, net.conv1.stride, type(net.maxpool)))
    assert stems == [((3, 3), (1, 1), nn.Identity), ((7, 7), (2, 2), nn.MaxPool2d)]


def test_it_is_torchvisions_network_without_its_head():
    """Compare with torchvision's network with the same weights, for images that need no adaptation.

    The last layer of torchvision's network turns our features into its logits.
    """
    ours = network("resnet18", (3, 64, 64)).body.eval()
    whole = theirs.resnet18().eval()
    whole.load_state_dict(ours[1].state_dict(), strict=False)
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(whole.fc(ours(x)), whole(ours[0](x)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape"), [("alexnet", (3, 32, 32)), ("vit_b_16", (3, 32, 32)), ("vgg11", (1, 28, 28))]
)
def test_images_that_it_cannot_take_are_refused_before_training(name, shape):
    with pytest.raises(
        AlearnError, match=rf"model\.name={name}: does not accept images of {shape[1]} x {shape[2]} pixels"
    ):
        network(name, shape)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet81", None, "model.name=resnet81: torchvision has no classification network of that name; did you mean"),
        ("xyz", None, "model.name=xyz: torchvision has no classification network of that name; it has alexnet, "),
        ("raft_small", None, "model.name=raft_small: torchvision has no classification network"),
        ("resnet18", "V9", "model.weights=V9: must be one of null, DEFAULT, IMAGENET1K_V1 for model.name=resnet18"),
    ],
)  # fmt: skip
def test_names_that_torchvision_does_not_know(name, weights, message):
    with pytest.raises(AlearnError) as error:
        check(Torchvision(name=name, weights=weights, lr=0.1))
    assert str(error.value).startswith(message)


def test_weights_that_cannot_be_downloaded(monkeypatch, tmp_path):
    def refused(*args, **kwargs):
        raise urllib.error.URLError("there is no network")

    monkeypatch.setattr("torch.hub.urlopen", refused)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    with pytest.raises(AlearnError) as error:
        network("resnet18", (3, 32, 32), "DEFAULT")
    text = str(error.value)
    assert text.startswith(
        "model.weights=DEFAULT: cannot be downloaded (<urlopen error there is no network>). Download https:"
    )
    assert f"put it into {tmp_path}/checkpoints, or set model.weights=null" in text


def test_pretrained_weights_are_used_with_the_pixels_that_they_know(monkeypatch):
    torch.manual_seed(1)
    known = theirs.squeezenet1_1(num_classes=1000).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *args, **kwargs: known)
    grey, colour = (network("squeezenet1_1", (channels, 32, 32), "DEFAULT") for channels in (1, 3))
    for model in (grey, colour):
        weights = model.body[1].state_dict()
        assert all(torch.equal(weights[key], known[key]) for key in weights)
        assert len(weights) == len(known) - 2, "all but the head"
    x = torch.rand(2, 1, 32, 32)
    for model in (grey, colour):
        model.eval()
    torch.testing.assert_close(grey.body(x), colour.body(x.expand(2, 3, 32, 32)))
    pixels = torchvision_zoo.ImageNetPixels()(torch.tensor(torchvision_zoo.MEAN).view(1, 3, 1, 1) + 0.1)
    torch.testing.assert_close(pixels.flatten(), 0.1 / torch.tensor(torchvision_zoo.SD))


@pytest.mark.parametrize(("name", "side"), [("googlenet", 32), ("inception_v3", 75)])
def test_a_saved_network_is_built_as_it_was_trained_without_fetching_its_start(name, side, monkeypatch):
    """These networks change the pixels if they have ImageNet's weights, even if the weights are loaded later."""
    config, shape = Torchvision(name=name, weights="DEFAULT"), (3, side, side)
    known = theirs.get_model(name, init_weights=False).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *args, **kwargs: known)
    trained = build(config, shape, 7)
    monkeypatch.undo()
    x = torch.rand(2, *shape)
    assert trained(x).shape == (2, 7), "a tensor, also in training"
    loaded = build(config, shape, 7, pretrained=False)
    loaded.load_state_dict(trained.state_dict())
    torch.testing.assert_close(loaded.eval()(x), trained.eval()(x))
