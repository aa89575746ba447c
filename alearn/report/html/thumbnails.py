"""Images inside a page: thumbnails as data URIs."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from alearn.data.imageset import ImageSet
from alearn.values import Array

SIDE = 64
"""The most pixels of a thumbnail's longer side. A page with 150 thumbnails stays well below a megabyte."""


@dataclass(frozen=True)
class Picture:
    """A thumbnail with its caption.

    Attributes:
        uri: The thumbnail, as `data:image/...`.
        id: The name of the image in the data set.
        caption: The lines below it.
    """

    uri: str
    id: str
    caption: tuple[str, ...]


def strip(pool: ImageSet, index: Array, captions: Sequence[tuple[str, ...]]) -> list[Picture]:
    """Return the thumbnails of the images `index` (int64 [n]), each with its caption."""
    images = pool.images[torch.from_numpy(index).to(pool.images.device)].cpu().numpy()
    return [
        Picture(uri(image), pool.ids[i], caption) for image, i, caption in zip(images, index, captions, strict=True)
    ]


def uri(image: Array) -> str:
    """Return a thumbnail of an image, uint8 [C, H, W], as a data URI.

    It is a JPEG of the first three channels if there are three or more, otherwise a grey PNG of the first channel.
    """
    from PIL import Image

    colored = len(image) >= 3
    pixels = np.ascontiguousarray(np.moveaxis(image[:3], 0, -1) if colored else image[0])
    thumbnail = Image.fromarray(pixels)
    file = io.BytesIO()
    thumbnail.thumbnail((SIDE, SIDE))
    if colored:
        thumbnail.save(file, "JPEG", quality=85)
    else:
        thumbnail.save(file, "PNG")
    return f"data:image/{'jpeg' if colored else 'png'};base64,{base64.b64encode(file.getvalue()).decode()}"
