import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alearn.models.build import build
from alearn.models.classifier import Classifier, dropouts, to_float
from alearn.models.resnet import Residual, Resnet, resnet
from alearn.models.small_cnn import SmallCnn, small_cnn
from alearn.models.source_cnn import SourceCnn, source_cnn


def test_source_cnn_is_the_published_network():
    """Compare with the same weights in the published order of layers, with ReLU before the pooling."""
    torch.manual_seed(0)
    ours = source_cnn(SourceCnn(), (1, 28, 28), 10).eval()
    conv1, conv2, dense = ours.body[0], ours.body[2], ours.body[7]
    plain = nn.Sequential(
        conv1, nn.ReLU(), conv2, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), dense, nn.ReLU(), ours.head
    )
    x = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(ours(x), plain(x))
    assert sum(p.numel() for p in ours.parameters()) == 320 + 18_496 + 9216 * 128 + 128 + 1290  # 1,199,882 as in Keras
    assert [m.p for m in ours.modules() if isinstance(m, nn.Dropout)] == [0.25]


def test_its_weights_are_glorot_uniform_and_its_biases_zero():
    torch.manual_seed(0)
    model = source_cnn(SourceCnn(), (1, 28, 28), 10)
    for layer, fan in ((model.body[2], (32 + 64) * 9), (model.body[7], 9216 + 128), (model.head, 138)):
        limit = (6 / fan) ** 0.5
        assert layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 20, 20), (3, 16, 16)])
def test_models_fit_shapes_and_classes(config, shape):
    for name in ("source_cnn", "small_cnn", "resnet"):
        model = build(config(f"model={name}").model, shape, 7)
        assert model(torch.rand(2, *shape)).shape == (2, 7)


def test_logits_are_fp32_under_autocast_and_precise_enough_to_tell_near_certainties():
    torch.manual_seed(0)
    model = small_cnn(SmallCnn(width=4), (1, 28, 28), 10).eval()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.rand(64, 1, 28, 28))
    assert logits.dtype == torch.float32
    assert len(logits.unique()) > len(logits.bfloat16().unique())


def test_small_cnn_looks_at_all_pixels_and_does_not_care_for_scale():
    torch.manual_seed(0)
    model = small_cnn(SmallCnn(width=4), (1, 28, 28), 10)
    x = torch.rand(16, 1, 28, 28)
    torch.testing.assert_close(model(x), model(x * 0.5 + 0.2), atol=1e-3, rtol=1e-3)  # training mode: batch statistics
    assert F.mse_loss(model(x), model(x.flip(2))) > 1e-4


def test_resnet_has_eight_convolutions_and_two_shortcuts():
    torch.manual_seed(0)
    model = resnet(Resnet(width=8), (3, 32, 32), 10)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [8, 16, 16, 16, 32, 64, 64, 64]
    residuals = [layer for layer in model.modules() if isinstance(layer, Residual)]
    for layer, width in zip(residuals, (16, 64), strict=True):
        for parameter in layer.layers.parameters():
            nn.init.zeros_(parameter)
        x = torch.rand(2, width, 8, 8)
        torch.testing.assert_close(layer(x), x)
    assert sum(p.numel() for p in resnet(Resnet(width=64), (3, 32, 32), 10).parameters()) == 6_573_130, (
        "as is known of it"
    )


@pytest.mark.parametrize("name", ["small_cnn", "resnet"])
def test_dropout_is_of_the_features(config, name):
    model = build(config(f"model={name}", "model.width=4", "model.dropout=0.5").model, (1, 20, 20), 3)
    features = model.train().body(torch.rand(64, 1, 20, 20) + 1)
    assert 0.4 < (features == 0).float().mean() < 0.9
    assert not dropouts(build(config(f"model={name}").model, (1, 20, 20), 3))


def test_to_float():
    x = to_float(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))
    torch.testing.assert_close(x, torch.tensor([[[[0, 0.2, 1.0]]]]))
    colour = to_float(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert colour.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("overrides", "dropped"), [("model=source_cnn", [0.25]), ("model.dropout=0.3", [0.3]), ("model.dropout=0", [])]
)
def test_a_model_splits_before_its_first_dropout(config, overrides, dropped):
    torch.manual_seed(0)
    model = build(config(overrides).model, (1, 28, 28), 10)
    prefix, rest = model.eval().split()
    x = torch.rand(4, 1, 28, 28)
    assert torch.equal(model.logits(rest(prefix(x))), model(x))
    assert not dropouts(prefix)
    assert [layer.p for layer in dropouts(rest)] == dropped
    assert bool(len(rest)) == bool(dropped)


def test_dropout_deep_inside_of_a_body_goes_to_the_rest_as_a_whole():
    deep = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Dropout(0.5)))
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Dropout(0.0), deep, nn.Linear(4, 4)), 4, 2)
    prefix, rest = model.split()
    assert (len(prefix), list(rest)) == (2, [deep, model.body[3]])
    alone = Classifier(deep[1], 4, 2)
    assert [len(part) for part in alone.split()] == [1, 1]
