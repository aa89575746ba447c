"""checkpoint.pt: everything that a trial needs to resume. Every commit rewrites the whole file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from alearn import __version__
from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.ledger import Ledger

NAME = "checkpoint.pt"


@dataclass
class State:
    """The state of a trial.

    Attributes:
        ledger: The labels.
        history: The metrics of each round so far.
        model: The weights of the last round's model, None before the first round.
        classes: The names of the classes by number, including those that people added.
        images: The digest of the names of the images, "" if it is not known.
    """

    ledger: Ledger
    history: list[dict[str, Any]] = field(default_factory=list)
    model: dict[str, torch.Tensor] | None = None
    classes: Sequence[str] = ()
    images: str = ""


def save(folder: Path, digest: str, state: State) -> None:
    """Write the state, with the version of alearn and the digest of the trial's config."""
    saved = {
        "version": __version__,
        "digest": digest,
        "ledger": {name: torch.from_numpy(array) for name, array in state.ledger.arrays().items()},
        "history": json.dumps(state.history),
        "model": state.model,
        "classes": list(state.classes),
        "images": state.images,
    }
    with atomic.replacing(folder / NAME) as file:
        torch.save(saved, file)


def images(folder: Path) -> str:
    """Return the digest of the names of the images of the trial in a folder, "" if it is not known."""
    try:
        return str(torch.load(folder / NAME, map_location="cpu", weights_only=True, mmap=True)["images"])
    except Exception:  # a missing or damaged file, which `load` speaks of, or one without it
        return ""


def load(folder: Path, digest: str, total: int) -> State:
    """Return the saved state of the trial in a folder, or a new state for `total` images if none is saved.

    No code in the file is run.

    Args:
        folder: The folder of the trial.
        digest: The digest of the trial's config.
        total: The number of images.

    Raises:
        AlearnError: The file is damaged, or belongs to another config, another version or another number of images.
    """
    path = folder / NAME
    if not path.exists():
        return State(Ledger.empty(total))
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        version = saved["version"]
        saved_digest = saved["digest"]
        ledger = Ledger.restored({name: tensor.numpy() for name, tensor in saved["ledger"].items()})
        history = json.loads(saved["history"])
        state = State(ledger, history, saved["model"], saved["classes"], saved.get("images", ""))
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged; labels.csv beside it has the labels"
        ) from error
    if version != __version__:
        raise AlearnError(
            f"{path} was written by alearn {version}, but this is alearn {__version__}: resume the trial with {version}"
        )
    if saved_digest != digest or len(ledger) != total:
        raise AlearnError(f"{path} belongs to a trial with another config: give another folder")
    return state
