"""What a trial in a folder was, for the same command to go on with it: its config, its images, its labels."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from alearn.config import Auto, Config, Folder, flatten, free, load
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.files import labels_csv
from alearn.ledger import Source
from alearn.trial import checkpoint

MISSING = "???"
"""What Hydra has where a value must be given."""


def state(config: Config, folder: Path, pool: ImageSet) -> checkpoint.State:
    """Read where the trial stands; at its start, with the labels that exist already.

    Adds to pool.classes those that people added. Raises AlearnError if the trial was of other images or classes.
    """
    before = labels_csv.ids(folder)
    if before is not None:
        _check_images(before, config, folder, pool)
    state = checkpoint.load(folder, config.digest(), len(pool))
    if state.classes and list(state.classes[: len(pool.classes)]) != list(pool.classes):
        raise AlearnError(
            f"{folder}: this trial began with the classes {', '.join(state.classes)}, and now they are "
            f"{', '.join(pool.classes)}; a label or a folder has a new name. Undo that, or start anew in another folder"
        )
    if isinstance(pool.classes, list):  # the store of answers has them, too, if it is still there
        pool.classes.extend(state.classes[len(pool.classes) :])
    state.classes = pool.classes
    if pool.given is not None and not state.ledger.source.any():
        index = np.flatnonzero(pool.given >= 0)
        state.ledger.write(index, pool.given[index], Source.GIVEN, round=0)
    return state


def _check_images(before: list[str], config: Config, folder: Path, pool: ImageSet) -> None:
    """Raise AlearnError if the images are not those of before, in their order."""
    came, went = set(pool.ids) - set(before), set(before) - set(pool.ids)
    if came or went:
        raise AlearnError(
            f"{folder}: this trial is of {len(before):,} images, and data.root={config.data.root} has changed since: "
            f"{len(came):,} came{_example(came)}, {len(went):,} went{_example(went)}. Put them back, or start anew in "
            "another folder; alearn export --format csv writes a data.labels with what humans labeled so far, to which "
            "a line for each new image can be added"
        )
    if before != list(pool.ids):
        raise AlearnError(
            f"{folder}: the images come in another order than when this trial began; give data.labels its old order"
        )


def _example(ids: set[str]) -> str:
    return f" ({min(ids)}{', ...' if len(ids) > 1 else ''})" if ids else ""


def check_config(config: Config, folder: Path) -> None:
    """Raise AlearnError if the folder holds a trial of another config."""
    try:
        there = flatten(OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")))  # type: ignore[arg-type]
    except FileNotFoundError:
        return
    except Exception as error:  # whatever is wrong with it, it is not ours
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
    """Return the config with what it leaves open as the trial in the folder has it, if there is one.

    A folder of images gets its whole path: what reads config.yaml later may run elsewhere.
    """
    if isinstance(config.data, Folder) and config.data.root != MISSING:
        root = str(Path(config.data.root).expanduser().absolute())
        config = config.model_copy(update={"data": config.data.model_copy(update={"root": root})})
    try:
        before = load(folder / "config.yaml")
    except AlearnError:
        return config
    data = {key: getattr(before.data, key, "auto") for key in ("layout", "size", "channels", "augment")}
    data = {key: value for key, value in data.items() if getattr(config.data, key, None) == "auto"}
    changed: dict[str, Any] = {"data": config.data.model_copy(update=data)}
    if config.train.augment == "auto":
        changed["train"] = config.train.model_copy(update={"augment": before.train.augment})
    if isinstance(config.model, Auto) and before.model in (config.model.small, config.model.large):
        changed["model"] = before.model
    return config.model_copy(update=changed)


def check_writable(folder: Path) -> None:
    """Raise AlearnError if the folder, or the first of its parents that exists, cannot be written."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise AlearnError(f"{folder}: this output folder cannot be written; give another as hydra.run.dir=FOLDER")
