"""Load the images of a `data` config: the pool to be labeled, and a test set that is used for measuring only."""

from importlib.util import find_spec
from pathlib import Path

import torch

from alearn import rng
from alearn.config import Data, Features, Folder
from alearn.data import feature_table, features, image_folder, imbalance, listing, row_store, standard
from alearn.data.file_store import is_url
from alearn.data.imageset import ImageSet
from alearn.data.row_source import Files, InMemory
from alearn.errors import AlearnError
from alearn.values import Extractor


def load(data: Data, seed: int, extractor: Extractor | None = None) -> tuple[ImageSet, ImageSet]:
    """Load the pool and the test set on the CPU.

    Args:
        data: Where the images are. `alearn.trial.settle` must have replaced every auto.
        seed: The seed of the draws of data.limit and data.imbalance.
        extractor: What makes the features of both sets. If None, they have none.

    Raises:
        AlearnError: The data is missing and cannot be downloaded, is damaged, or has too few images.
    """
    root = _root(data)
    if isinstance(data, Folder):
        pool, test = image_folder.load(data, extractor)
    elif isinstance(data, Features):
        pool, test = feature_table.load(data)
    else:
        pool, test = standard.load(data.name, root)
    if data.imbalance.shape != "none":
        pool = imbalance.thinned(pool, data.imbalance, rng.generator(seed, "imbalance"))
    if data.limit is not None:
        if data.limit > len(pool):
            raise AlearnError(f"data.limit={data.limit}: data={data.name} has {len(pool)} images")
        pool = pool.sample(data.limit, rng.generator(seed, "limit"))
    if extractor is not None and pool.features is None:
        pool = features.added(pool, extractor, root, "data.root")
        test = features.added(test, extractor, root, "data.root")
    return pool, test


def features_folder(data: Data, extractor: Extractor, pool: ImageSet) -> Path:
    """Return the folder in which `load` keeps the features. pool: what it returned."""
    if isinstance(data, Folder):
        files = Files(listing.place(data), (), extractor.size, extractor.channels)
        return row_store.folder(Path(data.cache), files, extractor)
    return row_store.folder(_root(data), InMemory(pool.images[torch.arange(0)]), extractor)


def check(data: Data) -> int | None:
    """Check what can be checked before anything is loaded.

    Returns:
        The number of images in the pool; None if only loading can tell.

    Raises:
        AlearnError: A folder or a library is missing.
    """
    if isinstance(data, Folder | Features) and not is_url(data.root) and not _root(data).is_dir():
        what = "images" if isinstance(data, Folder) else "Parquet files"
        raise AlearnError(f"data.root={data.root}: there is no such folder; give the folder of your {what}")
    if data.name == "svhn" and find_spec("scipy") is None:
        raise AlearnError("data=svhn: its files have MATLAB's format, and scipy, which reads them, is not installed; "
                          "pip install 'alearn[svhn]' installs it")  # fmt: skip
    if data.limit is not None:
        return data.limit
    return standard.SIZES.get(data.name) if data.imbalance.shape == "none" else None


def known(data: Data) -> bool:
    """Return whether the labels of all images are known, before any image is decoded."""
    if isinstance(data, Features):
        return feature_table.known(data)
    if not isinstance(data, Folder):
        return True
    pool, _ = listing.listed(data)
    return pool.known or not pool.ids


def _root(data: Data) -> Path:
    return Path(data.root).expanduser()
