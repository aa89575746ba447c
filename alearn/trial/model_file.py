"""model.pt: the last model of a trial, with everything that is needed to use it on new images."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
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
    """A trained network.

    Attributes:
        network: The network.
        classes: The names of its classes, by number.
        shape: [C, H, W] of the images that it takes. They are uint8, and resized without keeping their proportions.
            One channel is grey; three channels are red, green and blue.
    """

    network: Classifier
    classes: tuple[str, ...]
    shape: tuple[int, int, int]


def save(
    folder: Path, model: Model, weights: dict[str, torch.Tensor], classes: Sequence[str], shape: Sequence[int]
) -> None:
    """Write model.pt.

    Args:
        folder: The folder of the trial.
        model: The config of the network.
        weights: The weights of the network.
        classes: The names of the classes. Those that people added after the training come last, and are not saved.
        shape: [C, H, W] of the images.
    """
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
    """Return the model of a finished trial, on the CPU and ready to score. No code in the file is run.

    Raises:
        AlearnError: There is no model, or its file is damaged.
    """
    path = folder / NAME
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        about = json.loads(saved["about"])
        classes = tuple(map(str, about["classes"]))
        channels, height, width = about["shape"]
        shape = int(channels), int(height), int(width)
        network = build(parse_section("model", about["model"]), shape, len(classes), pretrained=False)
        network.load_state_dict(saved["weights"])
    except FileNotFoundError:
        raise AlearnError(f"{path}: there is no such file; a trial writes it when it finishes") from None
    except AlearnError as error:  # a network of a package that is not installed, for example
        raise AlearnError(f"{path} cannot be read as a model: {error}") from error
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(
            f"{path} cannot be read as a model ({type(error).__name__}): it is damaged, or has another version"
        ) from error
    return Saved(network.eval(), classes, shape)


def sha256(folder: Path) -> str:
    """Return the SHA-256 of the model of a finished trial, which must be there."""
    with (folder / NAME).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
