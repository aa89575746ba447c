"""Check a config that Hydra has composed or a trial has written."""

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
    """Return the checked config without Hydra's own part.

    Raises:
        AlearnError: some keys are bad. The message has one line for each: the key, its value and what is allowed.
    """
    tree = _plain(composed, [str(key) for key in composed if key != "hydra"])
    refuse_old_keys(tree)
    return _checked(Config, tree)


def parse_search(composed: DictConfig) -> Search:
    """Return the checked keys of a search, from Hydra's own part of a config. Raise AlearnError as `parse` does."""
    tree = _plain(composed.hydra, ["sweeper"])
    del tree["sweeper"]["_target_"]
    return _checked(Search, tree["sweeper"], "hydra.sweeper.")


def parse_section(group: str, tree: Any) -> Any:
    """Return the checked section of one group. Raise AlearnError as `parse` does."""
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
    """Return one line for each bad key. If a value may have several types, pydantic reports a problem for each type."""
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
    """Return the config that a trial wrote into its config.yaml. Raise AlearnError if the file has no valid config."""
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
            break  # the rest is the type of the value, or a position in a list
        inside = at if isinstance(at, Mapping) else {}
        if part not in inside and (number < len(parts) or inside.get("name") == part):
            continue  # pydantic names the variant that it chose; the user's key has no such part
        keys = [*keys, part]
        at = inside.get(part)
    key = ".".join(keys)
    value = problem["input"]
    kind = problem["type"]
    if kind == "extra_forbidden":
        return key, "there is no such key"
    if kind == "missing":
        return key, "a value is missing"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("Tuple should have", "must have").replace(" after validation", "")
    message = message.replace("a valid tuple", "a list")
    return key if isinstance(value, Mapping) else f"{key}={value}", message
