"""Check what Hydra composed, or what a trial wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from alearn.config.registered import COMPLETE
from alearn.config.renamed import refuse_old_keys
from alearn.config.search_config import Search
from alearn.config.section import Section
from alearn.config.trial_config import Config
from alearn.errors import AlearnError

S = TypeVar("S", bound=Section)


def parse(composed: DictConfig) -> Config:
    """Return the checked config, without Hydra's own part of it.

    Raises AlearnError with a line for each bad key: the key, its value, what is allowed.
    """
    tree = _plain(composed, [str(key) for key in composed if key != "hydra"])
    refuse_old_keys(tree)
    return _checked(Config, tree)


def parse_search(composed: DictConfig) -> Search:
    """Return the checked keys of a search, from Hydra's own part of a config. Raises AlearnError as `parse` does."""
    tree = _plain(composed.hydra, ["sweeper"])
    del tree["sweeper"]["_target_"]
    return _checked(Search, tree["sweeper"], "hydra.sweeper.")


def parse_section(group: str, tree: Any) -> Any:
    """Return the checked section of one group. Raises AlearnError as `parse` does."""
    refuse_old_keys({group: tree})
    kind = get_type_hints(Config, include_extras=True)[group]
    try:
        return TypeAdapter(kind).validate_python(tree)
    except ValidationError as error:
        raise AlearnError(_explained(error, tree, f"{group}.")) from None


def _plain(composed: DictConfig, keys: list[str]) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.masked_copy(composed, keys), resolve=True)
    except OmegaConfBaseException as error:
        raise AlearnError(f"config: {error}") from None


def _checked(kind: type[S], tree: Any, prefix: str = "") -> S:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise AlearnError(_explained(error, tree, prefix)) from None


def _explained(error: ValidationError, tree: Any, prefix: str) -> str:
    """Return a line for each bad key. Where a value may be of several kinds, pydantic has a problem for each kind."""
    complete: list[str] = []
    problems: dict[str, str] = {}
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":
            continue  # the bad key from which the default follows has its own line
        if problem["type"] == COMPLETE:
            complete.append(problem["msg"])
            continue
        where, message = _explain(problem, tree)
        key = f"{prefix}{where}".rstrip(".")
        problems[key] = f"{problems[key]}, or {message}" if key in problems else message
    return "\n".join([*complete, *(f"{key}: {text}" if key else text for key, text in problems.items())])


def load(path: Path) -> Config:
    """Return the config that a trial wrote in its config.yaml. Raises AlearnError if the file holds none."""
    try:
        composed = OmegaConf.load(path)
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(composed, DictConfig):
        raise AlearnError(f"{path} holds no config")
    try:
        return parse(composed)
    except AlearnError as error:
        raise AlearnError(f"{path} is no config of this version:\n{error}") from None


def _explain(problem: Any, tree: Any) -> tuple[str, str]:
    """Return a problem's key with its value, and what is wrong with it."""
    keys: list[str] = []
    at: Any = tree
    parts = list(map(str, problem["loc"]))
    for number, part in enumerate(parts, start=1):
        if keys and not isinstance(at, Mapping):
            break  # pydantic names the kind of value, or a value of a list
        inside = at if isinstance(at, Mapping) else {}
        if part not in inside and (number < len(parts) or inside.get("name") == part):
            continue  # pydantic names the variant that it chose; the user's key has no such part
        keys, at = [*keys, part], inside.get(part)
    key, value, kind = ".".join(keys), problem["input"], problem["type"]
    if kind == "extra_forbidden":
        return key, "there is no such key"
    if kind == "missing":
        return key, "a value is missing"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("Tuple should have", "must have").replace(" after validation", "")
    message = message.replace("a valid tuple", "a list")
    return key if isinstance(value, Mapping) else f"{key}={value}", message
