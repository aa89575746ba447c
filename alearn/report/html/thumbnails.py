"""Images inside of a page: thumbnails as data URIs."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from alearn.data.imageset import ImageSet
from alearn.values import Array

SIDE = 64
"""Pixels of a thumbnail's longer side, at most: a page of 150 stays well below a megabyte."""


@dataclass(frozen=True)
class Picture:
    """An image with what is to be said of it, line by line. uri: `data:image/...`. id: its name in the data set."""

    uri: str
    id: str
    caption: tuple[str, ...]


def strip(pool: ImageSet, index: Array, captions: Sequence[tuple[str, ...]]) -> list[Picture]:
    """The images of `index` (int64 [n]), each with its caption."""
    images = pool.images[torch.from_numpy(index).to(pool.images.device)].cpu().numpy()
    return [
        Picture(uri(image), pool.ids[i], caption) for image, i, caption in zip(images, index, captions, strict=True)
    ]


def uri(image: Array) -> str:
    """A thumbnail of one image, uint8 [C, H, W]: gray as PNG, the first three of more channels as JPEG."""
    from PIL import Image

    colored = len(image) >= 3
    pixels = np.ascontiguousarray(np.moveaxis(image[:3], 0, -1) if colored else image[0])
    thumbnail, file = Image.fromarray(pixels), io.BytesIO()
    thumbnail.thumbnail((SIDE, SIDE))
    if colored:
        thumbnail.save(file, "JPEG", quality=85)
    else:
        thumbnail.save(file, "PNG")
    return f"data:image/{'jpeg' if colored else 'png'};base64,{base64.b64encode(file.getvalue()).decode()}"
