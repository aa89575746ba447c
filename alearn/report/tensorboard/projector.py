"""The projector: what the last model makes of images of the pool, as points that TensorBoard lays out in space."""

import io
from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from alearn import rng
from alearn.config import Config
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
CONFIG, FOLDER = "projector_config.pbtxt", "projector"
CHUNK = 256
"""Images a forward pass."""


def write(folder: Path, config: Config, images: ImageSet, state: State) -> None:
    """Write record.projector images of the pool, drawn by the seed, into a trial's folder: features before the head of
    the last round's model, labels, thumbnails. Of a trial without a round there is nothing to write.

    They are files beside the events, no run of their own; written twice they are the same.
    """
    if state.model is None:
        return
    count = min(config.record.projector, len(images))
    index = np.sort(rng.generator(config.seed, "projector").choice(len(images), count, replace=False))
    (folder / FOLDER).mkdir(exist_ok=True)
    text = io.StringIO()
    np.savetxt(text, features(config, images, state.model, index), "%.6g", "\t")
    atomic.replace(folder / FOLDER / "tensors.tsv", text.getvalue())
    atomic.replace(folder / FOLDER / "metadata.tsv", metadata(state.ledger, images, index))
    sprite, size = pictures.sprite(images.images[torch.from_numpy(index).to(images.images.device)].cpu().numpy())
    atomic.replace(folder / FOLDER / "sprite.png", pictures.png(sprite))
    shown = ProjectorConfig()
    pool = shown.embeddings.add(tensor_name=f"pool after round {state.ledger.rounds}")
    pool.tensor_path, pool.metadata_path = f"{FOLDER}/tensors.tsv", f"{FOLDER}/metadata.tsv"
    pool.sprite.image_path = f"{FOLDER}/sprite.png"
    pool.sprite.single_image_dim.extend(size)
    atomic.replace(folder / CONFIG, text_format.MessageToString(shown))


def features(config: Config, images: ImageSet, weights: dict[str, torch.Tensor], index: Array) -> Array:
    """What the body of the model makes of the images `index` (int64 [n]): float32 [n, features]."""
    on = images.images.device
    channels, height, width = images.images.shape[1:]
    model = build(config.model, (channels, height, width), len(weights["head.bias"]))
    model.load_state_dict(weights)
    model.to(on).eval()
    with torch.inference_mode():
        chunks = torch.split(torch.from_numpy(index).to(on), CHUNK)
        made: Array = torch.cat([model.body(to_float(images.images[chunk])) for chunk in chunks]).cpu().numpy()
    return made


def metadata(ledger: Ledger, images: ImageSet, index: Array) -> str:
    """A line an image below the heading. confidence as in labels.csv: 1 for a human's label. wrong: whether an auto
    label is, "unknown" where the truth is.
    """
    sure = np.where(ledger.hand, 1.0, -np.expm1(ledger.doubt.astype(np.float64)))
    wrong = None if images.truth is None else np.isin(np.arange(len(images)), measure.wrong(ledger, images.truth))
    lines = ["\t".join(HEADER)]
    for i in index:
        words = (
            images.ids[i],
            images.classes[ledger.label[i]] if ledger.label[i] != CANNOT_TELL else "cannot tell",
            "hand" if ledger.hand[i] else "auto",
            str(ledger.round[i]),
            f"{sure[i]:.9g}",
            "unknown" if wrong is None else "yes" if wrong[i] else "no",
        )
        lines.append("\t".join(" ".join(word.split()) for word in words))  # a tab in a name would be another column
    return "\n".join(lines) + "\n"
