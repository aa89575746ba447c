"""All that a trial needs to go on: the ledger, and the metrics of its rounds. Saved whole after every round."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from alearn import __version__
from alearn.config import Config
from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.journal import AuditDrawn, AuditStage, AuditStarted, Event, RoundDone, TrialDone
from alearn.ledger import Ledger

NAME = "checkpoint.pt"


@dataclass
class State:
    """Where a trial stands. history: the metrics of each round so far. model: the last round's weights, None before the
    first. classes: their names by number, those that people added included.
    """

    ledger: Ledger
    history: list[dict[str, Any]] = field(default_factory=list)
    model: dict[str, torch.Tensor] | None = None
    classes: Sequence[str] = ()


class Checkpoint:
    """A sink that keeps a `State` up to date, in memory and on disk. What an audit freezes is on disk before the
    draw, and the draw before anyone is asked.
    """

    def __init__(self, folder: Path, config: Config, state: State) -> None:
        self._path, self._digest, self.state = folder / NAME, config.digest(), state

    def write(self, event: Event) -> None:
        """Save after every round, at every step of an audit and at the end."""
        if isinstance(event, RoundDone):
            self.state.history.append(event.metrics)
            self.state.model = {key: value.cpu() for key, value in event.fitted.model.state_dict().items()}
        if isinstance(event, RoundDone | AuditStarted | AuditDrawn | AuditStage | TrialDone):
            save(self._path, self._digest, self.state)

    def close(self) -> None:
        """Everything is on disk already."""


def save(path: Path, digest: str, state: State) -> None:
    """Write the state, with the version and the config's digest that it belongs to."""
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
    atomic.replace(path, buffer.getvalue())


def load(folder: Path, config: Config, total: int) -> State:
    """The state of the trial in a folder; a fresh one for `total` images if there is none.

    No code in the file is run. Raises AlearnError if it is damaged, or belongs to another config, version or number of
    images.
    """
    path = folder / NAME
    if not path.exists():
        return State(Ledger.empty(total))
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        version, digest = saved["version"], saved["digest"]
        ledger = Ledger.restored({name: tensor.numpy() for name, tensor in saved["ledger"].items()})
        state = State(ledger, json.loads(saved["history"]), saved["model"], saved["classes"])
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged; labels.csv beside it has the labels"
        ) from error
    if version != __version__:
        raise AlearnError(f"{path} was written by alearn {version}, this is {__version__}: resume it with that version")
    if digest != config.digest() or len(ledger) != total:
        raise AlearnError(f"{path} belongs to a trial with another config: give another folder")
    return state
