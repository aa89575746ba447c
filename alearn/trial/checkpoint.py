"""checkpoint.pt: all that a trial needs to go on, saved whole at every commit."""

import io
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
    """Where a trial stands.

    history: the metrics of each round so far. model: the weights of the last round's model, None before the first.
    classes: their names by number, including those that people added.
    """

    ledger: Ledger
    history: list[dict[str, Any]] = field(default_factory=list)
    model: dict[str, torch.Tensor] | None = None
    classes: Sequence[str] = ()


def save(folder: Path, digest: str, state: State) -> None:
    """Write the state, with the version and the digest of the config that it belongs to."""
    buffer = io.BytesIO()
    torch.save(
        {
            "version": __version__,
            "digest": digest,
            "ledger": {name: torch.from_numpy(array) for name, array in state.ledger.arrays().items()},
            "history": json.dumps(state.history),
            "model": state.model,
            "classes": list(state.classes),
        },
        buffer,
    )
    atomic.replace(folder / NAME, buffer.getvalue())


def load(folder: Path, digest: str, total: int) -> State:
    """Read the state of the trial in a folder; a fresh one for `total` images if there is none.

    digest: of the trial's config. No code in the file is run. Raises AlearnError if it is damaged, or belongs to
    another config, version or number of images.
    """
    path = folder / NAME
    if not path.exists():
        return State(Ledger.empty(total))
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        version, saved_digest = saved["version"], saved["digest"]
        ledger = Ledger.restored({name: tensor.numpy() for name, tensor in saved["ledger"].items()})
        state = State(ledger, json.loads(saved["history"]), saved["model"], saved["classes"])
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged; labels.csv beside it has the labels"
        ) from error
    if version != __version__:
        raise AlearnError(f"{path} was written by alearn {version}, this is {__version__}: resume it with that version")
    if saved_digest != digest or len(ledger) != total:
        raise AlearnError(f"{path} belongs to a trial with another config: give another folder")
    return state
