"""The projector: images of the pool as points in space, by the features that the last model computes for them."""

import io
from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from alearn import rng
from alearn.config import Model
from alearn.data.imageset import ImageSet
from alearn.files import atomic
from alearn.ledger import CANNOT_TELL, Ledger
from alearn.models.build import build
from alearn.models.classifier import to_float
from alearn.report import pictures
from alearn.trial import measure
from alearn.trial.checkpoint import State
from alearn.values import Array

HEADER = ("id", "label", "source", "round", "confidence", "wrong")
CONFIG = "projector_config.pbtxt"
FOLDER = "projector"
CHUNK = 256
"""Images in a forward pass."""


def write(folder: Path, count: int, network: Model, seed: int, images: ImageSet, state: State) -> None:
    """Write `count` images of the pool for the projector: features, labels and thumbnails.

    The features are what the head of the last round's model gets. The seed draws the images, so writing twice gives the
    same files. They lie beside the events, and are no separate run. Nothing is written for a trial without a round.
    """
    if state.model is None:
        return
    draw = rng.generator(seed, "projector")
    index = np.sort(draw.choice(len(images), min(count, len(images)), replace=False))
    (folder / FOLDER).mkdir(exist_ok=True)
    text = io.StringIO()
    np.savetxt(text, features(network, images, state.model, index), "%.6g", "\t")
    atomic.replace(folder / FOLDER / "tensors.tsv", text.getvalue())
    atomic.replace(folder / FOLDER / "metadata.tsv", metadata(state.ledger, images, index))
    shown = ProjectorConfig()
    pool = shown.embeddings.add(tensor_name=f"pool after round {state.ledger.rounds}")
    pool.tensor_path = f"{FOLDER}/tensors.tsv"
    pool.metadata_path = f"{FOLDER}/metadata.tsv"
    if images.visible:
        sprite, size = pictures.sprite(images.images[torch.from_numpy(index).to(images.images.device)].cpu().numpy())
        atomic.replace(folder / FOLDER / "sprite.png", pictures.png(sprite))
        pool.sprite.image_path = f"{FOLDER}/sprite.png"
        pool.sprite.single_image_dim.extend(size)
    atomic.replace(folder / CONFIG, text_format.MessageToString(shown))


def features(network: Model, images: ImageSet, weights: dict[str, torch.Tensor], index: Array) -> Array:
    """Return what the head of the model gets for the images `index` (int64 [n]), float32 [n, features]."""
    if images.features is not None:
        stored: Array = images.features[torch.from_numpy(index).to(images.features.device)].float().cpu().numpy()
        return stored
    device = images.images.device
    channels, height, width = images.images.shape[1:]
    model = build(network, (channels, height, width), len(weights["head.bias"]))
    model.load_state_dict(weights)
    model.to(device).eval()
    with torch.inference_mode():
        chunks = torch.split(torch.from_numpy(index).to(device), CHUNK)
        computed = torch.cat([model.body(to_float(images.images[chunk])) for chunk in chunks])
    array: Array = computed.cpu().numpy()
    return array


def metadata(ledger: Ledger, images: ImageSet, index: Array) -> str:
    """Return a heading, and a line for each of the images `index` (int64 [n]).

    confidence is as in labels.csv: 1 for a human's label. wrong says whether it is a wrong auto label, or "unknown" if
    the truth is unknown.
    """
    sure = np.where(ledger.hand, 1.0, -np.expm1(ledger.doubt.astype(np.float64)))
    wrong = None if images.truth is None else np.isin(np.arange(len(images)), measure.wrong(ledger, images.truth))
    lines = ["\t".join(HEADER)]
    for i in index:
        fields = (
            images.ids[i],
            images.classes[ledger.label[i]] if ledger.label[i] != CANNOT_TELL else "cannot tell",
            "hand" if ledger.hand[i] else "auto",
            str(ledger.round[i]),
            f"{sure[i]:.9g}",
            "unknown" if wrong is None else "yes" if wrong[i] else "no",
        )
        lines.append(
            "\t".join(" ".join(field.split()) for field in fields)
        )  # a tab in a name would begin another column
    return "\n".join(lines) + "\n"
