import pytest
import torch

from alearn.config import Standard
from alearn.errors import AlearnError
from alearn.learn import extract
from alearn.learn.device import Runtime
from alearn.learn.extract import Extraction
from alearn.models.pretrained import Pretrained, backbone
from tests.conftest import compose

CPU = torch.device("cpu")


def network(name: str = "test_efficientnet", side: int = 32, seed: int = 0):
    torch.manual_seed(seed)
    return backbone(Pretrained(name=name, weights=None), (3, side, side))


@pytest.fixture
def pixels():
    return torch.randint(256, (70, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_features_are_those_of_the_backbone_and_do_not_depend_on_the_batch(name, bf16, pixels):
    body = network(name)
    extraction = Extraction(body, Runtime(CPU, bf16))
    features = extraction(pixels)
    assert (features.dtype, tuple(features.shape)) == (torch.float16, (70, body.features))
    assert (extraction.width, extraction.size, extraction.channels) == (body.features, 32, 3)
    with torch.no_grad():
        expected = body.eval()(pixels / 255)
    assert (features - expected).abs().max() <= (0.05 if bf16 else 2e-3) * expected.abs().max()
    assert (features - features.roll(1, 0)).abs().max() > 0.01, "images differ"
    order = torch.randperm(70)
    assert torch.equal(extraction(pixels[order]), features[order])
    assert torch.equal(extraction(pixels[69:]), features[69:])
    assert torch.equal(extraction(pixels[:33]), features[:33])
    assert extraction.done == 70 + 70 + 1 + 33
    assert extraction(pixels[:0]).shape == (0, body.features)


def test_the_key_names_the_weights_and_the_precision():
    keys = {Extraction(network(seed=seed), Runtime(CPU, bf16)).key for seed in (0, 0, 1) for bf16 in (False, True)}
    assert len(keys) == 4


def test_every_forward_pass_is_of_a_full_batch(pixels):
    extraction = Extraction(network(), Runtime(CPU, bf16=False))
    seen = []
    extraction._network.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    extraction(pixels)
    assert seen == [(extraction.batch, 3, 32, 32)] * 3
    assert extraction.chunk % extraction.batch == 0


def test_what_float16_cannot_hold_is_its_largest_number_and_nan_is_an_error(pixels):
    extraction = Extraction(network(), Runtime(CPU, bf16=True))
    wide = extraction.width
    extraction._network = lambda x: x.mean((1, 2, 3))[:, None].expand(-1, wide) * 1e9
    assert (extraction(pixels) == 65504).all()
    extraction._network = lambda x: x.mean((1, 2, 3))[:, None].expand(-1, wide) * float("nan")
    with pytest.raises(AlearnError, match="are not numbers; precision=fp32 may help, or choose another network"):
        extraction(pixels)


def test_the_size_is_that_of_the_data_or_of_the_weights(tmp_path):
    config = Pretrained(name="test_efficientnet", weights=None)
    runtime = Runtime(CPU, bf16=False)
    data = compose("data=folder", f"data.root='{tmp_path}'").data
    for changed, size, channels in (
        (data, 160, 3),
        (data.model_copy(update={"size": 64}), 64, 3),
        (data.model_copy(update={"size": 64, "channels": 1}), 64, 1),
        (Standard(), 160, 3),
    ):
        made = extract.extraction(config, changed, runtime)
        assert (made.size, made.channels) == (size, channels)
    small = torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8)
    assert made(small).shape == (2, made.width), "small grey images are resized on the device"
