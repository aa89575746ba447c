"""Decode an image file into pixels, or give the reason why it cannot be decoded; and encode images for people to see.

The pool, `alearn predict` and the web pages all use this module, so a new image is treated exactly like an image of the
pool. A file is judged by its first bytes and its header before any pixel is decoded: files come from anywhere, and
attacks on programs that read images begin in the decoders.

Shape letters: C channels, H height, W width.
"""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np
import torch

from alearn.errors import AlearnError
from alearn.values import Array

if TYPE_CHECKING:
    from PIL.Image import Image

    from alearn.data.file_store import Stored
    from alearn.data.imageset import ImageSet

Where = Union[str, Path, "Stored"]
"""A file of this machine, or an image in a store."""

VERSION = 1
"""Must go up whenever the same file gives other pixels. Decoded images of other versions are not used."""

PIXELS = 100_000_000
"""The most pixels of an image, more than any camera takes. Without a limit, a small file could claim any memory."""

BYTES = 200_000_000
"""The most bytes that a file may have."""

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
}
"""The formats that are read, and the suffixes of their files."""

STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
"""The format of a file by its first bytes. WebP is missing, because its mark is in two places: see `form`."""

SMALL = 256
"""Pixels. An image that is no larger is shown without loss, because a person sees every pixel of it."""


class NotReadError(AlearnError):
    """A file is not an image, or is not safe to decode. reason: a predicate, for example "is empty (0 bytes)"."""

    def __init__(self, path: Where, reason: str) -> None:
        super().__init__(f"{path} cannot be read as an image: it {reason}")
        self.reason = reason


def decoded(path: Where, size: tuple[int, int], channels: int) -> Array:
    """Return an image file as pixels, uint8 [C, H, W].

    The image is upright and resized without keeping its proportions. Transparent parts become white. An animation gives
    its first frame.

    Args:
        path: The file.
        size: (height, width).
        channels: 1 for grey, 3 for colour.

    Raises:
        NotReadError: The file cannot be decoded. The message names it. NotReadError is an AlearnError.
    """
    return pixels(content(path), path, size, channels)


def content(path: Where) -> bytes:
    """Return the bytes of a file. Raise NotReadError if it is missing, empty, too large, or not a regular file."""
    with _file(path) as file:
        return file.read(BYTES)


@contextmanager
def _file(path: Where) -> Iterator[BinaryIO]:
    """Open a file. Never open a device or a pipe."""
    if not isinstance(path, str | Path):
        yield _stored(path)
        return
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise NotReadError(path, "is not a regular file")
        if not status.st_size:
            raise NotReadError(path, "is empty (0 bytes)")
        if status.st_size > BYTES:
            raise NotReadError(path, f"has {status.st_size / 1e6:,.0f} MB; at most {BYTES / 1e6:.0f} are read")
        with open(path, "rb") as file:
            yield file
    except FileNotFoundError:
        raise NotReadError(path, "is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise NotReadError(path, f"cannot be opened ({getattr(error, 'strerror', None) or error})") from None


def _stored(image: "Stored") -> BinaryIO:
    """Return the content of an image in a store."""
    size = image.size or 0
    if size > BYTES:
        raise NotReadError(image, f"has {size / 1e6:,.0f} MB; at most {BYTES / 1e6:.0f} are read")
    data = b"" if image.size == 0 else image.read()
    if not data:
        raise NotReadError(image, "is empty (0 bytes)")
    return io.BytesIO(data)


def pixels(data: bytes, path: Where, size: tuple[int, int], channels: int) -> Array:
    """Return the content of a file as pixels, as `decoded` does.

    path: the name of the file. Raise NotReadError if its suffix belongs to another format.
    """
    mode = "L" if channels == 1 else "RGB"
    (height, width) = size
    with _opened(io.BytesIO(data), path) as image:
        image.draft(mode, (max(size), max(size)))  # decode a large JPEG no larger than necessary
        resized = np.asarray(_plain(image).convert(mode).resize((width, height), 2))  # 2: bilinear
    return np.ascontiguousarray(resized.reshape(height, width, channels).transpose(2, 0, 1))


def header(path: Where) -> tuple[int, int]:
    """Return the height and width of the upright image, without decoding it. Raise NotReadError as `decoded` does."""
    with _file(path) as file, _opened(file, path) as image:
        width, height = image.size
        try:  # the size of a TIFF is that of the upright image
            turned = image.format != "TIFF" and image.getexif().get(0x0112) in (5, 6, 7, 8)
        except Exception:  # a damaged EXIF block is ignored
            turned = False
    return (width, height) if turned else (height, width)


def form(data: bytes, path: Where) -> str:
    """Return the format of a file by its first bytes, a key of SUFFIXES.

    Raise NotReadError if the format is unknown, or if the suffix of the file belongs to another format.
    """
    actual = next((name for start, name in STARTS.items() if data.startswith(start)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        actual = "WebP"
    if actual is None:
        raise NotReadError(path, f"is none of {', '.join(SUFFIXES)} by its content")
    suffix = os.path.splitext(str(path))[1].lower()
    claimed = next((name for name, suffixes in SUFFIXES.items() if suffix in suffixes), actual)
    if claimed != actual:
        raise NotReadError(path, f"is a {actual} file by its content, not {claimed}; rename it")
    return actual


def shown(path: Where, side: int) -> tuple[bytes, str]:
    """Return an image file encoded for a browser, and its MIME type.

    The image is upright, without metadata, and its longer side has at most `side` pixels. Raise NotReadError as
    `decoded` does.
    """
    with _file(path) as file, _opened(file, path) as image:
        small = max(image.size) <= SMALL
        image.draft("RGB", (side, side))
        return _display(_plain(image), side, small)


def shown_pixels(image_chw: Array, side: int) -> tuple[bytes, str]:
    """Return pixels, uint8 [C, H, W], encoded for a browser, and the MIME type. side: as in `shown`."""
    from PIL import Image

    image_hwc = np.ascontiguousarray(image_chw.transpose(1, 2, 0))
    image = Image.fromarray(image_hwc[:, :, 0] if len(image_chw) == 1 else image_hwc)
    return _display(image, side, max(image.size) <= SMALL)


def encoded(pool: "ImageSet", index: int, side: int) -> tuple[bytes, str]:
    """Return an image of a data set encoded for a browser, and its MIME type.

    If the image has a file that can still be read, this shows the file. Otherwise it shows the pixels that the model
    sees. The longer side has at most `side` pixels. Small images are enlarged.
    """
    if pool.root is not None:
        try:
            return shown(pool.root / pool.ids[index], side)
        except AlearnError:
            pass  # the file is gone, or its store is, but its pixels are still here
    image_1chw = pool.images[torch.tensor([index], device=pool.images.device)]
    return shown_pixels(image_1chw[0].cpu().numpy(), side)


@contextmanager
def _opened(file: BinaryIO, path: Where) -> "Iterator[Image]":
    """Open an image with Pillow, which reads its header. Turn every failure inside the context into a NotReadError."""
    from PIL import Image

    _strict()
    pillow_format = form(file.read(16), path).upper()
    file.seek(0)
    try:
        with Image.open(file, formats=[pillow_format]) as image:
            width, height = image.size
            if width * height > PIXELS:
                raise Image.DecompressionBombError
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotReadError(path, f"has more than {PIXELS // 10**6} million pixels") from None
    except MemoryError as error:
        raise NotReadError(path, "needs more memory than there is") from error
    except Exception as error:  # a damaged file can fail in any way
        why = " ".join(str(error).split()) or type(error).__name__
        raise NotReadError(path, f"is damaged or cut off ({why})") from None


@cache
def _strict() -> None:
    """Make Pillow refuse images of more than PIXELS pixels, and silence its other warnings.

    Pillow also applies its limit to sizes that only turn up while decoding. Its other warnings are not needed: a file
    is either read, or refused with a reason.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = PIXELS
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _plain(image: "Image") -> "Image":
    """Return the image upright and opaque, with 8 bits per channel, in mode L or RGB."""
    from PIL import Image, ImageOps

    image.load()
    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")  # in older Pillows
    with suppress(Exception):  # a damaged EXIF block is ignored: the pixels are there
        image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":
        return Image.fromarray(_eight_bits(np.asarray(image), sixteen))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(values_hw: Array, sixteen: bool) -> Array:
    """Return grey values of 16 or 32 bits as uint8 [H, W].

    16-bit values use their whole range. For 32-bit values there is no common convention: the range is the smallest of
    0 to 1, 0 to 255 and 0 to 65,535 that holds all values, or else the range of the values themselves.
    """
    values_hw = np.nan_to_num(values_hw.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low = float(values_hw.min())
    high = float(values_hw.max())
    for usual in (65_535.0,) if sixteen else (1.0, 255.0, 65_535.0):
        if low >= 0 and high <= usual:
            low = 0.0
            high = usual
            break
    return np.round((values_hw - low) * (255 / max(high - low, 1e-300))).astype(np.uint8)


def _display(image: "Image", side: int, small: bool) -> tuple[bytes, str]:
    """Return the image as PNG if it is small, else as JPEG, and its MIME type.

    An image of at most half of `side` is enlarged by a whole factor, so that its pixels stay squares.
    """
    from PIL import Image

    longer = max(image.size)
    if longer > side:
        image.thumbnail((side, side))
    elif (times := side // longer) > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    image = Image.fromarray(np.asarray(image))  # drop all metadata: place, camera, comment
    out = io.BytesIO()
    if small:
        image.save(out, "PNG")
        return out.getvalue(), "image/png"
    image.save(out, "JPEG", quality=90)
    return out.getvalue(), "image/jpeg"
