"""From a `data` config to images: the pool that gets labeled, and a test set that only measures."""

from importlib.util import find_spec
from pathlib import Path

from alearn import rng
from alearn.config import Data, Folder
from alearn.data import image_folder, imbalance, listing, standard
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError


def load(data: Data, seed: int) -> tuple[ImageSet, ImageSet]:
    """Load pool and test set on the CPU. Subsets and rare classes follow from the seed.

    data: nothing in it is auto any more (`alearn.data.choose.settle`). Raises AlearnError for data that is missing and
    cannot be fetched, damaged, or too small.
    """
    root = _root(data)
    if isinstance(data, Folder):
        pool, test = image_folder.load(data)
    else:
        pool, test = standard.load(data.name, root)
    if data.imbalance.shape != "none":
        pool = imbalance.thinned(pool, data.imbalance, rng.generator(seed, "imbalance"))
    if data.limit is None:
        return pool, test
    if data.limit > len(pool):
        raise AlearnError(f"data.limit={data.limit}: data={data.name} has {len(pool)} images")
    return pool.sample(data.limit, rng.generator(seed, "limit")), test


def check(data: Data) -> int | None:
    """What can be checked before anything is loaded. Returns the number of images in the pool, None where that is known
    only once they are there. Raises AlearnError for a folder or a library that is missing.
    """
    if isinstance(data, Folder) and not _root(data).is_dir():
        raise AlearnError(f"data.root={data.root}: there is no such folder; give the one of your images")
    if data.name == "svhn" and find_spec("scipy") is None:
        raise AlearnError("data=svhn: its files are MATLAB's, and scipy, which reads them, is not installed; "
                          "pip install 'alearn[svhn]' brings it")  # fmt: skip
    if data.limit is not None:
        return data.limit
    return standard.SIZES.get(data.name) if data.imbalance.shape == "none" else None


def known(data: Folder) -> bool:
    """Whether the labels of all files are known; seen from their names, before anything is decoded."""
    pool, _ = listing.listed(data)
    return pool.known or not pool.ids


def _root(data: Data) -> Path:
    return Path(data.root).expanduser()
