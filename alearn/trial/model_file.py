"""model.pt: the last model of a trial, with all that it takes to use it on new images."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from alearn import __version__
from alearn.config import Config, parse_model
from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.journal import Event, TrialDone
from alearn.models.build import build
from alearn.models.classifier import Classifier
from alearn.trial.checkpoint import State

NAME = "model.pt"


@dataclass(frozen=True)
class Saved:
    """A trained network. classes: their names, by number. shape: [C, H, W] of the images that it takes, as uint8,
    resized without regard to their proportions; 1 channel is grey, 3 are red, green and blue.
    """

    network: Classifier
    classes: tuple[str, ...]
    shape: tuple[int, int, int]


class ModelFile:
    """A sink that leaves model.pt at the end. Comes after the checkpoint, which keeps the state's model up to date."""

    def __init__(
        self, folder: Path, config: Config, state: State, classes: Sequence[str], shape: tuple[int, ...]
    ) -> None:
        self._path, self._config, self._state, self._classes, self._shape = folder / NAME, config, state, classes, shape

    def write(self, event: Event) -> None:
        """Save the last round's model; a trial without a round has none."""
        if isinstance(event, TrialDone) and self._state.model is not None:
            about = {
                "alearn": __version__,
                "model": self._config.model.model_dump(),
                "classes": self._classes[: len(self._state.model["head.bias"])],  # people may have added some since
                "shape": self._shape,
            }
            buffer = io.BytesIO()
            torch.save({"about": json.dumps(about), "weights": self._state.model}, buffer)
            atomic.replace(self._path, buffer.getvalue())

    def close(self) -> None:
        """Everything is on disk already."""


def load(folder: Path) -> Saved:
    """The model of a finished trial, on the CPU, ready to score. No code in the file is run.

    Raises AlearnError if there is none, or if it is damaged.
    """
    path = folder / NAME
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        about = json.loads(saved["about"])
        classes, (channels, height, width) = tuple(map(str, about["classes"])), about["shape"]
        shape = int(channels), int(height), int(width)
        network = build(parse_model(about["model"]), shape, len(classes), pretrained=False)
        network.load_state_dict(saved["weights"])
    except FileNotFoundError:
        raise AlearnError(f"{path}: there is no such file; a trial leaves it when it is finished") from None
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(
            f"{path} cannot be read as a model ({type(error).__name__}): damaged, or of another version"
        ) from error
    return Saved(network.eval(), classes, shape)
