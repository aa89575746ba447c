"""model.pt: the last model of a trial, with all that it takes to use it on new images."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from alearn import __version__
from alearn.config import Model, parse_section
from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.models.build import build
from alearn.models.classifier import Classifier

NAME = "model.pt"


@dataclass(frozen=True)
class Saved:
    """A trained network. classes: their names, by number. shape: [C, H, W] of the images that it takes, as uint8,
    resized without regard to their proportions; 1 channel is grey, 3 are red, green and blue.
    """

    network: Classifier
    classes: tuple[str, ...]
    shape: tuple[int, int, int]


def save(
    folder: Path, model: Model, weights: dict[str, torch.Tensor], classes: Sequence[str], shape: Sequence[int]
) -> None:
    """Write model.pt. model: the config of the network. classes: their names; people may have added some since."""
    about = {
        "alearn": __version__,
        "model": model.model_dump(),
        "classes": list(classes[: len(weights["head.bias"])]),
        "shape": list(shape),
    }
    buffer = io.BytesIO()
    torch.save({"about": json.dumps(about), "weights": weights}, buffer)
    atomic.replace(folder / NAME, buffer.getvalue())


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
        network = build(parse_section("model", about["model"]), shape, len(classes), pretrained=False)
        network.load_state_dict(saved["weights"])
    except FileNotFoundError:
        raise AlearnError(f"{path}: there is no such file; a trial leaves it when it is finished") from None
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(
            f"{path} cannot be read as a model ({type(error).__name__}): damaged, or of another version"
        ) from error
    return Saved(network.eval(), classes, shape)
