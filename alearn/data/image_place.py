"""Where the images lie whose features are stored: nothing is listed, because a pool may have millions of them."""

from pathlib import Path

from alearn.config import Features
from alearn.data.file_store import Store, Stored, StoredFile
from alearn.data.shards import Shards, is_shard
from alearn.errors import AlearnError

KEY = "data.images"


class ImagePlace:
    """The images below data.images: files, or images in shards. What is not there is noticed when it is read."""

    def __init__(self, data: Features) -> None:
        """data.images must be given."""
        assert data.images is not None
        self._store = Store(data.images, KEY)
        self._cache = Path(data.cache)
        self._shards: Shards | None = None

    def __str__(self) -> str:
        return self._store.root

    def __truediv__(self, name: str) -> Stored:
        """Return an image by its name: the path of a file, or SHARD/NAME. Raise AlearnError if there is none."""
        if not any(is_shard(part) for part in name.split("/")[:-1]):
            return StoredFile(self._store, self._store.found(name))
        if self._shards is None:
            self._shards = Shards(self._store, None, None, self._cache)
        try:
            return self._shards / name
        except KeyError:
            raise AlearnError(f"{KEY}={self}: has no image {name}") from None
