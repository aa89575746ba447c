"""Write some images of a known data set as files, to try alearn on before you have a folder of your own."""

import os
from pathlib import Path
from typing import Literal

import torch
from PIL import Image

from alearn import rng
from alearn.data import standard
from alearn.errors import AlearnError
from alearn.files import atomic, csv_tables

Layout = Literal["unlabeled", "classes"]


def truth_file(folder: Path) -> Path:
    """Return the path of the table with the true labels. It lies beside the folder, so it is not part of the data."""
    return folder.with_name(f"{folder.name}.truth.csv")


def write(
    folder: Path, name: str, root: Path, images: int = 600, layout: Layout = "unlabeled", seed: int = 0
) -> tuple[str, ...]:
    """Write randomly drawn images of a known data set as PNG files, and return the names of its classes.

    The names of the files do not reveal the class. The same arguments give the same files.

    Args:
        folder: A new folder, or an empty one.
        name: A key of `standard.SIZES`.
        root: The folder that holds the data set. If the data set is missing, it is downloaded to this folder.
        images: How many images to write.
        layout: "unlabeled" puts all files into the folder, and their labels (path,label) into `truth_file(folder)`.
            "classes" puts the files of each class into a folder of its own.
        seed: The seed of the draw. Another seed draws other images.

    Raises:
        AlearnError: A number is out of range, the folder is not empty, or the data set is not available.
    """
    if not 1 <= images <= standard.SIZES[name]:
        raise AlearnError(f"--images {images}: must be from 1 to {standard.SIZES[name]}, which is all of {name}")
    if seed < 0:
        raise AlearnError(f"--seed {seed}: must be 0 or more")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlearnError(f"{folder}: exists and is not empty; give another folder")
    pool, _ = standard.load(name, root)
    sample = pool.sample(images, rng.generator(seed, "example"))
    assert sample.truth is not None
    labels = [sample.classes[number] for number in sample.truth]
    paths = [f"IMG_{number:0{max(4, len(str(images)))}}.png" for number in range(1, images + 1)]
    if layout == "classes":
        folders = [label.replace("/", "-") for label in labels]  # Fashion-MNIST has a class "T-shirt/top"
        paths = [os.path.join(*parts) for parts in zip(folders, paths, strict=True)]
    for row, path in enumerate(paths):
        image_chw = sample.images[torch.tensor([row])][0].numpy()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = image_chw[0] if len(image_chw) == 1 else image_chw.transpose(1, 2, 0)
        Image.fromarray(pixels).save(folder / path)
    if layout == "unlabeled":
        atomic.replace(truth_file(folder), csv_tables.to_text(("path", "label"), zip(paths, labels, strict=True)))
    return tuple(sample.classes)
