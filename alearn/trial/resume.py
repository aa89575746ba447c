"""Resume the trial in a folder: restore its choices and its labels, and check that config and images are the same."""

import os
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from omegaconf import OmegaConf

from alearn.config import AnyTrain, Auto, AutoTrain, Config, Features, Folder, Model, Train, flatten, free, load
from alearn.data.file_store import is_url
from alearn.data.ids import digest
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.files import labels_csv
from alearn.ledger import Source
from alearn.trial import checkpoint
from alearn.trial.settle import paced

MISSING = "???"
"""The value that Hydra has for a key that must be given."""


def state(config: Config, folder: Path, pool: ImageSet) -> checkpoint.State:
    """Return the state of the trial. At its start, this includes the labels that the data set already has.

    Classes that people have added are appended to pool.classes.

    Raises:
        AlearnError: The trial began with other images or other classes.
    """
    images = digest(pool.ids)
    same = checkpoint.images(folder) == images  # labels.csv may have millions of lines
    before = None if same else labels_csv.ids(folder)
    if before is not None:
        _check_images(before, config, folder, pool)
    state = checkpoint.load(folder, config.digest(), len(pool))
    state.images = images
    if state.classes and list(state.classes[: len(pool.classes)]) != list(pool.classes):
        raise AlearnError(
            f"{folder}: this trial began with the classes {', '.join(state.classes)}, and now they are "
            f"{', '.join(pool.classes)}: a label or a folder has a new name. Undo that, or start again in another "
            "folder"
        )
    if isinstance(pool.classes, list):  # if the store of answers still exists, it has them too
        pool.classes.extend(state.classes[len(pool.classes) :])
    state.classes = pool.classes
    if pool.given is not None and not state.ledger.source.any():
        index = np.flatnonzero(pool.given >= 0)
        state.ledger.write(index, pool.given[index], Source.GIVEN, round=0)
    return state


def _check_images(before: list[str], config: Config, folder: Path, pool: ImageSet) -> None:
    """Raise AlearnError if the images are not the same as before, in the same order."""
    added = set(pool.ids) - set(before)
    removed = set(before) - set(pool.ids)
    if added or removed:
        raise AlearnError(
            f"{folder}: this trial is of {len(before):,} images, and data.root={config.data.root} has changed since: "
            f"{len(added):,} added{_example(added)}, {len(removed):,} removed{_example(removed)}. Undo that, or start "
            "again in another folder. To keep the hand labels, alearn export --format csv writes them as a file for "
            "data.labels, to which you can add a line for each new image"
        )
    if before != list(pool.ids):
        raise AlearnError(
            f"{folder}: the images are in another order than when this trial began; restore the order of data.labels"
        )


def _example(ids: set[str]) -> str:
    return f" ({min(ids)}{', ...' if len(ids) > 1 else ''})" if ids else ""


def check_config(config: Config, folder: Path) -> None:
    """Raise AlearnError if the folder holds a trial of another config."""
    try:
        there = flatten(OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")))  # type: ignore[arg-type]
    except FileNotFoundError:
        return
    except Exception as error:  # a file that alearn did not write can fail in any way
        raise AlearnError(
            f"{folder}/config.yaml cannot be read ({type(error).__name__}): give another folder"
        ) from None
    here = config.identity()
    keys = sorted((there.keys() | here.keys()) - set(free(here)))
    differ = [key for key in keys if there.get(key) != here.get(key)]
    if differ:
        lines = [f"  {key}: {there.get(key)} there, {here.get(key)} now" for key in differ]
        raise AlearnError(
            "\n".join([f"{folder} holds a trial of another config; give another folder. They differ in", *lines])
        )


def as_before(config: Config, folder: Path) -> Config:
    """Return the config with its open choices settled as in the trial that the folder holds, if it holds one.

    Paths of the user's own data become absolute, because config.yaml may later be read in another working directory.
    """
    if isinstance(config.data, Folder | Features):
        paths = {key: getattr(config.data, key, None) for key in ("root", "images")}
        here = {key: str(Path(path).expanduser().absolute()) for key, path in paths.items() if _is_local(path)}
        config = config.model_copy(update={"data": config.data.model_copy(update=here)})
    try:
        before = load(folder / "config.yaml")
    except AlearnError:
        return config
    data = {key: getattr(before.data, key, "auto") for key in ("layout", "size", "channels", "augment")}
    data = {key: value for key, value in data.items() if getattr(config.data, key, None) == "auto"}
    changed: dict[str, Any] = {"data": config.data.model_copy(update=data)}
    if not isinstance(before.train, AutoTrain):
        changed["policy"] = paced(config.policy, before.train)
    for option in _recipes(config.train, before.train):
        if option == before.train:
            changed["train"] = option
    networks = [config.model]
    if isinstance(config.model, Auto):
        networks = [config.model.small, config.model.large, config.model.backbone, config.model.backbone_gpu]
    if any(_same(model, before.model) for model in networks):
        changed["model"] = before.model
    return config.model_copy(update=changed)


def _is_local(path: str | None) -> TypeGuard[str]:
    return path is not None and path != MISSING and not is_url(path)


def _recipes(train: AnyTrain, before: AnyTrain) -> list[AnyTrain]:
    """Return the recipes that a trial may have chosen from, with the distortions that it chose."""
    options: list[AnyTrain] = [train.network, train.head] if isinstance(train, AutoTrain) else [train]
    augment = {"augment": getattr(before, "augment", "auto")}
    for at, option in enumerate(options):
        if isinstance(option, Train) and option.augment == "auto":
            options[at] = option.model_copy(update=augment)
    return options


def _same(model: Model, before: Model) -> bool:
    """Return whether a network is that of a trial, whose weights have a digest and a licence."""
    known = {key: getattr(before, key, None) for key in ("sha256", "license") if getattr(model, key, "") is None}
    return model.model_copy(update=known) == before


def check_writable(folder: Path) -> None:
    """Raise AlearnError if the folder cannot be written; if it does not exist, its closest existing parent counts."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise AlearnError(f"{folder}: this output folder cannot be written; give another as hydra.run.dir=FOLDER")
