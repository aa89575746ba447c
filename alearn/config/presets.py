"""The presets of conf/ for Python: read a section from conf/GROUP/NAME.yaml without Hydra."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, overload

from omegaconf import DictConfig, OmegaConf

from alearn.config.model_config import Model
from alearn.config.packaged_conf import packages
from alearn.config.parse import parse_section
from alearn.config.policy_config import Policy
from alearn.config.train_config import AnyTrain
from alearn.errors import AlearnError

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(path for path in (_PACKAGE.parent / "conf", _PACKAGE / "conf") if (path / "config.yaml").exists())
"""The folder of the configs. It is beside the package in a checkout, and inside an installed package."""
GROUPS = ("data", "model", "train", "policy", "oracle")


@overload
def preset(group: Literal["policy"], name: str, /, **changes: Any) -> Policy: ...
@overload
def preset(group: Literal["train"], name: str, /, **changes: Any) -> AnyTrain: ...
@overload
def preset(group: Literal["model"], name: str, /, **changes: Any) -> Model: ...
@overload
def preset(group: str, name: str, /, **changes: Any) -> Any: ...


def preset(group: str, name: str, /, **changes: Any) -> Any:
    """Return the section that conf/GROUP/NAME.yaml describes, with changes.

        preset("policy", "frugal", hand_budget=300, audit={"target_error": 0.01})

    A key that conf/ takes from another group, such as train.lr from model.lr, has the default of its class.

    Raises:
        AlearnError: there is no such preset or key, or a value is not allowed.
    """
    return _section(group, _read(group, name), changes)


def training(policy: str, /, **changes: Any) -> AnyTrain:
    """Return the training section that the preset of a policy chooses, with changes. Raise AlearnError as `preset`."""
    recipe = next(_overridden("train", "policy", policy))
    train: AnyTrain = _section("train", OmegaConf.merge(_read("train", recipe), _read("policy", policy)), changes)
    return train


def names(group: str) -> list[str]:
    """Return the names of the presets in a group, including those of other packages."""
    return sorted(_files(group))


def _files(group: str) -> dict[str, Path]:
    """Return the files of a group by name. As in Hydra's search path, alearn's own come first."""
    files: dict[str, Path] = {}
    for conf in (CONF, *(folder for _, folders in packages() for folder in folders)):
        for path in (conf / group).rglob("*.yaml"):
            files.setdefault(str(path.relative_to(conf / group).with_suffix("")), path)
    return files


def _section(group: str, tree: Any, changes: Mapping[str, Any]) -> Any:
    return parse_section(group, _merged(_given(tree[group]), changes))


def _given(tree: Any) -> dict[str, Any]:
    """Return the values of a tree that come neither from another group nor from the user."""
    keys = [key for key in tree if not OmegaConf.is_interpolation(tree, key) and not OmegaConf.is_missing(tree, key)]
    plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(tree, keys))
    return {key: _given(tree[key]) if isinstance(value, dict) else value for key, value in plain.items()}


def _read(group: str, name: str) -> DictConfig:
    """Return the values that a file of conf/ and its defaults set, by group. Those of the file itself win."""
    tree = OmegaConf.create()
    header, own = _file(group, name)
    for base_group, base_name, package in _bases(group, own):
        base = _read(base_group, base_name)
        tree.merge_with({group: {package: base[base_group]}} if package else base)
    own.pop("defaults", None)
    tree.merge_with(own if header == "# @package _global_" else {group: own})
    return tree


def _overridden(wanted: str, group: str, name: str) -> Iterator[str]:
    """Yield the choices of a file and of its defaults in another group. The first one counts."""
    _, own = _file(group, name)
    for default in own.get("defaults", []):
        if not isinstance(default, str) and f"override /{wanted}" in default:
            yield default[f"override /{wanted}"]
    for base_group, base_name, _ in _bases(group, own):
        yield from _overridden(wanted, base_group, base_name)


def _bases(group: str, own: DictConfig) -> Iterator[tuple[str, str, str]]:
    """Yield the files on which a file builds: group, name, and the key under which its values go ("" for none)."""
    for default in own.get("defaults", []):
        if isinstance(default, str) and default != "_self_":
            path, _, package = default.partition("@")
            base_group, base_name = path[1:].split("/", 1) if path.startswith("/") else (group, path)
            yield base_group, base_name, package


def _file(group: str, name: str) -> tuple[str, DictConfig]:
    """Return the first line and the content of a file."""
    if group not in GROUPS:
        raise AlearnError(f"{group}: no such group of presets; must be one of {', '.join(GROUPS)}")
    files = _files(group)
    if name not in files:
        near = get_close_matches(name, files, n=1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise AlearnError(f"{group}={name}: must be one of {', '.join(sorted(files))}{guess}")
    text = files[name].read_text()
    own = OmegaConf.create(text)
    assert isinstance(own, DictConfig)
    return text.partition("\n")[0], own


def _merged(tree: Any, changes: Mapping[str, Any]) -> Any:
    """Return a tree with changes: mappings are merged, other values replaced."""
    merged = dict(tree)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged
