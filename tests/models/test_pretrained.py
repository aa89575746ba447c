"""The features of timm's networks, compared with timm itself. Small networks stand for large ones."""

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image, ImageDraw
from torch import nn

from alearn.config import flatten
from alearn.errors import AlearnError
from alearn.models import pretrained, weights
from alearn.models.backbone import Backbone
from alearn.models.build import build, check, settle
from alearn.models.pretrained import Pretrained, backbone
from alearn.trial import model_file
from tests.command import alearn
from tests.conftest import compose

NETWORKS = ["test_resnet", "test_efficientnet", "test_vit", "test_convnext"]
RANDOM = {"weights": None}


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch):
    monkeypatch.setattr(weights, "_found", {})


def weights_of(name: str, path, seed: int = 1) -> str:
    """Write random weights of a network as a file."""
    torch.manual_seed(seed)
    torch.save(timm.create_model(name).state_dict(), path)
    return str(path)


def features(body: Backbone, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return body.eval()(x)


def pooled(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Compute by numpy, from what timm's network gives: its features, and deviations and means of its stages."""
    transformer = hasattr(net, "patch_embed")
    with torch.no_grad():
        vectors = [net(x).numpy()]
        maps = net.forward_intermediates(x, indices=4 if transformer else None, intermediates_only=True)
        maps = [*maps, *([] if transformer else [net.forward_features(x)])]
    for values in map(torch.Tensor.numpy, maps):
        vectors += [values.std((2, 3)), values.mean((2, 3))]
    unit = [vector / np.linalg.norm(vector, axis=1, keepdims=True) for vector in vectors]
    return torch.from_numpy(np.concatenate(unit, 1) / len(unit) ** 0.5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_features_are_timms(name, tmp_path):
    """Compare with timm, which reads the same file and gets the pixels as its own description of the weights says."""
    file = weights_of(name, tmp_path / "w.pth")
    ours = backbone(Pretrained(name=name, weights=file, views=1))
    cfg = timm.get_pretrained_cfg(name)
    theirs = timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay={"file": file}).eval()
    x = torch.rand(2, *cfg.input_size)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (cfg.mean, cfg.std))
    expected = pooled(theirs, (x - mean) / std)
    torch.testing.assert_close(features(ours, x), expected, rtol=1e-5, atol=1e-5)
    assert (ours.features, ours.size, ours.channels) == (expected.shape[1], cfg.input_size[1], 3)
    torch.testing.assert_close(features(ours, x).norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_of_one_pixel_have_no_deviation_but_features(name):
    body = backbone(Pretrained(name=name, views=1, **RANDOM), (3, 32, 32))
    assert features(body, torch.rand(2, 3, 32, 32)).isfinite().all()


def test_the_network_looks_at_the_size_that_is_asked_for():
    keys = set()
    for size, side in ((48, (48, 48)), (64, (64, 64)), (None, (32, 40))):
        torch.manual_seed(0)
        body = backbone(Pretrained(name="test_resnet", size=size, **RANDOM), (3, 32, 40))
        assert (body.side, body.size) == (side, 32)
        assert features(body, torch.rand(1, 3, 32, 40)).shape == (1, body.features)
        keys.add(body.key)
    assert len(keys) == 3


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_two_views_are_the_mean_of_an_image_and_its_mirror_image(name, tmp_path):
    file = weights_of(name, tmp_path / "w.pth")
    one, two = (backbone(Pretrained(name=name, weights=file, views=views), (3, 64, 64)) for views in (1, 2))
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(features(two, x), (features(one, x) + features(one, x.flip(-1))) / 2)
    torch.testing.assert_close(features(two, x), features(two, x.flip(-1)))
    assert (features(one, x) - features(one, x.flip(-1))).abs().max() > 1e-4
    with torch.no_grad():
        torch.testing.assert_close(two.train()(x), one.train()(x), msg="training sees one view")


def test_grey_images_are_three_equal_channels(tmp_path):
    file = weights_of("test_resnet", tmp_path / "w.pth")
    grey, colour = (backbone(Pretrained(name="test_resnet", weights=file), (c, 48, 48)) for c in (1, 3))
    x = torch.rand(2, 1, 48, 48)
    torch.testing.assert_close(features(grey, x), features(colour, x.expand(2, 3, 48, 48)))
    assert (grey.channels, grey.digest) == (1, colour.digest)


def test_a_network_that_takes_any_size_gets_the_pixels_as_they_are():
    body = backbone(Pretrained(name="test_resnet", **RANDOM), (3, 40, 56))
    assert (body.side, body.size) == ((40, 56), 40)


@pytest.mark.parametrize(("pixels", "side"), [(64, 64), (72, 80)])
def test_a_transformer_is_built_for_the_images_or_for_the_next_whole_patches(pixels, side, tmp_path):
    """Patches have 16 pixels. timm resamples the positions for an image size in the same way."""
    file = weights_of("test_vit", tmp_path / "w.pth")
    body = backbone(Pretrained(name="test_vit", weights=file, views=1), (3, pixels, pixels))
    assert (body.side, body.size) == ((side, side), pixels)
    options = {"pretrained_cfg_overlay": {"file": file}, "img_size": side}
    theirs = timm.create_model("test_vit", pretrained=True, num_classes=0, **options).eval()
    x = torch.rand(2, 3, side, side)
    expected = pooled(theirs, (x - body.mean) / body.std)
    torch.testing.assert_close(features(body, x), expected, rtol=1e-5, atol=1e-5)
    assert features(body, torch.rand(2, 3, pixels, pixels)).shape == expected.shape


def test_pixels_are_resized_to_a_network_that_cannot_be_built_for_them(tmp_path):
    """Its windows do not divide 100 pixels. Compare with Pillow, whose bilinear filter is the same."""
    body = backbone(Pretrained(name="test_maxvit", views=1, **RANDOM), (1, 100, 100))
    own = timm.get_pretrained_cfg("test_maxvit").input_size[1]
    assert (body.side, body.size) == ((own, own), 100)
    seen = []
    body.net.register_forward_pre_hook(lambda net, given: seen.append(given[0]))
    picture = np.random.default_rng(0).random((100, 100), np.float32)
    assert features(body, torch.from_numpy(picture)[None, None]).shape == (1, body.features)
    resized = Image.fromarray(picture).resize((own, own), Image.Resampling.BILINEAR)
    pixels = seen[0][0, 0] * body.std[0] + body.mean[0]
    torch.testing.assert_close(pixels, torch.from_numpy(np.array(resized)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frozen_copy_gives_the_same_features_without_batch_norms_and_gradients(name, tmp_path):
    body = backbone(Pretrained(name=name, weights=weights_of(name, tmp_path / "w.pth")), (3, 64, 64))
    for layer in body.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    before = {key: tensor.clone() for key, tensor in body.state_dict().items()}
    copy = body.frozen()
    assert [layer for layer in copy.modules() if isinstance(layer, nn.BatchNorm2d)] == []
    x = torch.rand(3, 3, 64, 64)
    expected = features(body, x)
    torch.testing.assert_close(copy(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert not copy(x).requires_grad
    assert (copy.key, copy.features, copy.training) == (body.key, body.features, False)
    rough = body.frozen(bf16=True)(x)
    assert rough.dtype == torch.float32
    assert 0 < (rough - expected).norm() / expected.norm() < 0.03
    assert all(torch.equal(before[key], tensor) for key, tensor in body.state_dict().items()), (
        "the original is as before"
    )
    assert all(parameter.requires_grad for parameter in body.parameters())


class Swapped(nn.Module):
    """A network whose layers are registered in another order than it uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.conv(self.norm(x).relu()).mean((2, 3))


def test_a_batch_norm_that_is_not_behind_its_neighbour_stays():
    torch.manual_seed(0)
    net = Swapped()
    nn.init.uniform_(net.norm.running_mean, -1, 1)
    body = Backbone(net, 3, (3, 8, 8), (8, 8), 1, None, ((0.5,) * 3, (0.5,) * 3))
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(body.frozen()(x), features(body, x))
    assert isinstance(body.frozen().net.norm, nn.BatchNorm2d)


def test_the_key_changes_with_everything_that_features_depend_on(tmp_path, monkeypatch):
    one, two = (weights_of("test_resnet", tmp_path / f"{seed}.pth", seed) for seed in (1, 2))
    config, shape = Pretrained(name="test_resnet", weights=one), (3, 32, 32)

    def key(shape=shape, **changes):
        return backbone(config.model_copy(update=changes), shape).key

    keys = [key(), key(weights=two), key(views=2), key((3, 40, 40)), key((1, 32, 32)), key(weights=None)]
    (tmp_path / "there").mkdir()
    elsewhere = weights_of("test_resnet", tmp_path / "there" / "1.pth")
    assert key(weights=elsewhere) == keys[0], "the same weights in another place"
    assert key(lr=0.1) == keys[0]
    monkeypatch.setattr(pretrained, "VERSION", 2)
    keys.append(key())
    torch.manual_seed(5)
    keys.append(key(weights=None))
    assert len(set(keys)) == 8
    assert all(len(each) == 64 for each in keys)


def test_random_weights_follow_from_the_seed():
    bodies = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        bodies.append(backbone(Pretrained(name="test_vit", **RANDOM), (3, 32, 32)))
    assert bodies[0].digest == bodies[1].digest != bodies[2].digest


def test_it_can_be_trained(tmp_path):
    torch.manual_seed(0)
    model = build(
        Pretrained(name="test_efficientnet", weights=weights_of("test_efficientnet", tmp_path / "w.pth")),
        (1, 32, 32),
        5,
    )
    assert model.training
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.rand(4, 1, 32, 32))
    assert (logits.shape, logits.dtype) == ((4, 5), torch.float32)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_saved_model_needs_no_weights_to_be_found(tmp_path, monkeypatch):
    """The mean of the pixels comes from the folder of the weights, which may be gone."""
    source = tmp_path / "source"
    source.mkdir()
    weights_of("test_vit", source / "w.pth")
    (source / "config.json").write_text('{"architecture": "test_vit", "mean": [0.1, 0.2, 0.3], "license": "mit"}')
    config, _ = settle(Pretrained(name="test_vit", weights=str(source)))
    network = build(config, (3, 48, 48), 3)
    model_file.save(tmp_path, config, network.state_dict(), ("a", "b", "c"), (3, 48, 48))
    monkeypatch.setattr(weights, "find", lambda *args: pytest.fail("not needed"))
    found = model_file.load(tmp_path)
    x = torch.rand(2, 3, 48, 48)
    torch.testing.assert_close(found.network(x), network.eval()(x))
    about = torch.load(tmp_path / "model.pt", weights_only=True)["about"]
    assert config.sha256 in about
    assert '"license": "mit"' in about


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter warns
def test_the_onnx_file_of_a_transformer_computes_the_same(tmp_path):
    """Another one is of a convolutional network: see tests/trial/test_head_trial.py."""
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    config = Pretrained(name="test_vit", **RANDOM)
    network = build(config, (1, 50, 50), 3)
    model_file.save(tmp_path, config, network.state_dict(), ("a", "b", "c"), (1, 50, 50))
    path = tmp_path / "model.onnx"
    assert alearn("predict", tmp_path, "--onnx", path).code == 0
    x = torch.rand(3, 1, 50, 50)
    (logits,) = ReferenceEvaluator(str(path)).run(None, {"pixels": x.numpy()})
    np.testing.assert_allclose(logits, network.eval()(x).detach().numpy(), rtol=1e-3, atol=1e-3)


def test_a_trial_knows_its_weights_by_digest_and_licence(tmp_path):
    file = weights_of("test_resnet", tmp_path / "w.pth")
    config, notes = settle(Pretrained(name="test_resnet", weights=file))
    assert (config.sha256, config.license) == (weights.sha256(tmp_path / "w.pth"), "unknown")
    assert notes == [
        f"weights: test_resnet (licence unknown; check whether it allows your use), {file}, sha256 {config.sha256[:12]}"
    ]
    assert settle(config)[0] == config
    assert settle(Pretrained(**RANDOM)) == (Pretrained(**RANDOM), [])
    weights_of("test_resnet", tmp_path / "w.pth", seed=2)
    weights._found.clear()
    with pytest.raises(AlearnError, match=f"its SHA-256 is .*, not model.sha256={config.sha256}"):
        settle(config)


def test_a_user_may_state_a_licence_and_another_one_is_refused(tmp_path):
    file = weights_of("test_resnet", tmp_path / "w.pth")
    config, _ = settle(Pretrained(name="test_resnet", weights=file, license="mit"))
    body = backbone(config, (3, 32, 32))
    assert (config.license, body.license) == ("mit", "mit")
    (tmp_path / "config.json").write_text('{"license": "cc-by-nc-4.0"}')
    other = Pretrained(name="test_resnet", weights=str(tmp_path), license="mit")
    with pytest.raises(AlearnError, match=r"model\.license=mit: the licence of .*w\.pth is cc-by-nc-4\.0"):
        settle(other)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "timm has no network of that name; did you mean resnet"),
        ("&", "timm has no network of that name; timm.list_models() lists them"),
        ("tf_efficientnet_lite0.in2k", "timm has no weights of that name; it has tf_efficientnet_lite0.in1k"),
        ("botnet50ts_256.x", "timm has no weights of that name; it has none: give model.name=botnet50ts_256"),
        ("hf-hub:timm/resnet18", "must be the name of a network in timm; give the repository as model.weights=hf-hub:"),
    ],
)
def test_names_that_timm_does_not_know(name, message):
    with pytest.raises(AlearnError) as error:
        check(Pretrained(name=name))
    assert str(error.value).startswith(f"model.name={name}: {message}")


def test_images_that_are_too_small():
    with pytest.raises(AlearnError, match=r"=vgg11: does not accept images of 28 x 28 pixels \(.+\); choose"):
        backbone(Pretrained(name="vgg11", **RANDOM), (1, 28, 28))


def test_a_network_without_pooled_features(monkeypatch):
    monkeypatch.setattr(timm, "create_model", lambda name, **options: nn.Conv2d(3, 4, 1))
    with pytest.raises(AlearnError, match=r"=test_resnet: has no pooled features \(it returns \[2, 4, 32, 32\]"):
        backbone(Pretrained(name="test_resnet", **RANDOM), (3, 32, 32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv1.0.weight"), r"conv1.0.weight is missing$"),
        (lambda s: s.update(a=s.pop("conv1.0.weight")), r"conv1.0.weight is missing, a is unexpected$"),
        (
            lambda s: s.update({"bn1.bias": torch.zeros(7)}),
            r"bn1\.bias has the shape \[7\] instead of \[\d+\]$",
        ),
        (lambda s: [s.pop(key) for key in list(s)[:5]], r"(\S+ is missing, ){2}\S+ is missing and 2 more$"),
    ],
)
def test_weights_that_do_not_fit_are_named_by_their_first_keys(change, message, tmp_path):
    state = timm.create_model("test_resnet").state_dict()
    change(state)
    file = tmp_path / "w.pth"
    torch.save(state, file)
    with pytest.raises(AlearnError, match=rf"^{file} does not fit model\.name=test_resnet: {message}"):
        backbone(Pretrained(name="test_resnet", weights=str(file)), (3, 32, 32))


@pytest.mark.parametrize("extra", ["a", "fc.bias", "head.extra.weight"])
def test_tensors_that_a_network_does_not_need_are_no_problem(extra, tmp_path):
    state = timm.create_model("test_resnet").state_dict()
    torch.save(state | {extra: torch.zeros(7)}, tmp_path / "w.pth")
    body = backbone(Pretrained(name="test_resnet", weights=str(tmp_path / "w.pth")), (3, 32, 32))
    assert all(torch.equal(tensor, state[key]) for key, tensor in body.net.net.state_dict().items())


def test_a_key_tells_timms_networks_from_torchvisions():
    mine, theirs = compose("model=pretrained", "model.name=resnet18"), compose("model=torchvision")
    assert (mine.model.network, theirs.model.network) == ("pretrained", "torchvision")
    assert mine.model.name == theirs.model.name == "resnet18"
    assert "model.views" in flatten(mine.model_dump())


def test_a_path_of_weights_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Pretrained(weights="w.pth").weights == str(tmp_path / "w.pth")
    assert [Pretrained(weights=each).weights for each in (None, "auto", "hf-hub:a/b")] == [None, "auto", "hf-hub:a/b"]


def photo(kind: int, seed: int) -> torch.Tensor:
    """A picture of many discs, or of a grid of lines, with random places and colours."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (96, 96), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(9):
        x, y, colour = *random.integers(10, 86, 2).tolist(), tuple(random.integers(0, 256, 3).tolist())
        if kind:
            draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=colour)
        else:
            draw.line((x, 0, x, 96), fill=colour, width=3)
            draw.line((0, y, 96, y), fill=colour, width=3)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


@pytest.mark.slow
def test_the_real_weights_see_what_pictures_have_in_common():
    """The nearest of the other pictures is of the same kind, though colours and places are random."""
    try:
        body = backbone(Pretrained(), (3, 96, 96)).frozen()
    except AlearnError as error:
        pytest.skip(f"needs weights: {error}")
    kinds = torch.arange(40) % 2
    pictures = torch.stack([photo(int(kind), seed) for seed, kind in enumerate(kinds)])

    def agreement(rows):
        rows = nn.functional.normalize(rows - rows.mean(0))
        near = (rows @ rows.T).fill_diagonal_(-2).argmax(1)
        return (kinds[near] == kinds).float().mean().item()

    assert agreement(body(pictures)) == 1
    assert agreement(pictures.flatten(1)) < 0.8
    if body.digest == weights.files.IN_WHEEL:
        assert body.license == "apache-2.0"


@pytest.mark.slow
def test_a_trial_with_pretrained_weights_records_them_and_goes_on_with_no_others(quick, tmp_path):
    file = weights_of("test_efficientnet", tmp_path / "w.pth")
    out = tmp_path / "out"
    words = [word for word in quick if not word.startswith("model")]
    words += [
        "data.size=48",
        "data.limit=60",
        "policy.stop_rounds=1",
        "model=pretrained",
        "model.name=test_efficientnet",
        f"model.weights='{file}'",
        f"hydra.run.dir='{out}'",
    ]
    code, shown, err = alearn(*words)
    assert code == 0, err
    row = json.loads((out / "row.json").read_text())
    digest = weights.sha256(tmp_path / "w.pth")
    assert [row["config"][f"model.{key}"] for key in ("name", "sha256")] == ["test_efficientnet", digest]
    assert row["versions"]["timm"] == timm.__version__
    assert f"weights: test_efficientnet (licence unknown; check whether it allows your use), {file}" in " ".join(
        shown.split()
    )
    before = (out / "row.json").stat().st_mtime_ns
    assert alearn(*words).code == 0
    assert (out / "row.json").stat().st_mtime_ns == before, "a finished trial is not run again"
    weights_of("test_efficientnet", tmp_path / "w.pth", seed=2)
    weights._found.clear()
    code, _, err = alearn(*words)
    assert (code, "Traceback" in err) == (1, False)
    assert f"not model.sha256={digest}" in err
