"""Give a set of images in memory its features: from the store, or computed and put there."""

from dataclasses import replace
from pathlib import Path

from alearn.data import row_store
from alearn.data.imageset import ImageSet
from alearn.data.row_source import InMemory
from alearn.values import Extractor


def added(images: ImageSet, extractor: Extractor, cache: Path, key: str) -> ImageSet:
    """Return the set with its features.

    Args:
        images: Any set, on the CPU.
        extractor: What makes features of pixels.
        cache: The folder for features. Those of images with the same pixels are there only once.
        key: What sets `cache`, for messages.

    Raises:
        AlearnError: `cache` cannot be written or is full.
    """
    rows = row_store.load(cache, InMemory(images.images), extractor, key)
    return replace(images, features=rows.images(rows.rows))
