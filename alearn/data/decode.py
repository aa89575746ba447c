"""One image file to pixels, or a reason why not; and images for people's eyes.

The pool, `alearn predict` and the pages all come here, so a new image is treated exactly as one of the pool. A file is
judged by its first bytes and its header before any pixel is decoded: files come from anywhere, and decoders are where
attacks on programs that read images begin.

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
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch

from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.values import Array

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1
"""Goes up whenever the same file becomes other pixels: decoded images of other versions are not used."""

PIXELS = 100_000_000
"""More than any camera has; a file of a few kilobytes can claim, and fill, any amount of memory."""

BYTES = 200_000_000
"""Of a file."""

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
}
"""The formats that are read, and how their files are called."""

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
"""By a file's first bytes; WebP's are in two places."""

SMALL = 256
"""Pixels: what is no larger is shown without loss, for whoever looks at it sees every pixel."""


class NotReadError(AlearnError):
    """A file that is no image, or one that is not safe to decode. reason: a predicate, "is empty (0 bytes)"."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{path} cannot be read as an image: it {reason}")
        self.reason = reason


def decoded(path: str | Path, size: tuple[int, int], channels: int) -> Array:
    """An image file as uint8 [C, H, W]: upright, on white where it is transparent, of an animation the first frame,
    resized without regard to its proportions.

    size: (height, width). channels: 1 for grey, 3 for colour. Raises NotReadError, an AlearnError, that names the file.
    """
    return pixels(content(path), path, size, channels)


def content(path: str | Path) -> bytes:
    """The bytes of a file that may be an image. Raises NotReadError for what is missing, empty, too large, or no
    regular file.
    """
    with _file(path) as file:
        return file.read(BYTES)


@contextmanager
def _file(path: str | Path) -> Iterator[BinaryIO]:
    """The open file; devices and pipes are not opened."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise NotReadError(path, "is not a regular file")
        if not found.st_size:
            raise NotReadError(path, "is empty (0 bytes)")
        if found.st_size > BYTES:
            raise NotReadError(path, f"has {found.st_size / 1e6:,.0f} MB; at most {BYTES / 1e6:.0f} are read")
        with open(path, "rb") as file:
            yield file
    except FileNotFoundError:
        raise NotReadError(path, "is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise NotReadError(path, f"cannot be opened ({getattr(error, 'strerror', None) or error})") from None


def pixels(data: bytes, path: str | Path, size: tuple[int, int], channels: int) -> Array:
    """As `decoded`, of a file's content; path: its name, which must not say another format."""
    mode, (height, width) = "L" if channels == 1 else "RGB", size
    with _opened(io.BytesIO(data), path) as image:
        image.draft(mode, (max(size), max(size)))  # a large JPEG is decoded no larger than it must be
        found = np.asarray(_plain(image).convert(mode).resize((width, height), 2))  # 2: bilinear
    return np.ascontiguousarray(found.reshape(height, width, channels).transpose(2, 0, 1))


def header(path: str | Path) -> tuple[int, int]:
    """Height and width of an image, upright, without decoding it. Raises NotReadError."""
    with _file(path) as file, _opened(file, path) as image:
        width, height = image.size
        try:
            turned = image.format != "TIFF" and image.getexif().get(0x0112) in (5, 6, 7, 8)  # of a TIFF size is upright
        except Exception:  # a damaged EXIF block is none
            turned = False
    return (width, height) if turned else (height, width)


def form(data: bytes, path: str | Path) -> str:
    """The format of a file, a key of SUFFIXES, by its first bytes. Raises NotReadError if it is none of them, or its
    name says another.
    """
    found = next((name for start, name in STARTS.items() if data.startswith(start)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = "WebP"
    if found is None:
        raise NotReadError(path, f"is none of {', '.join(SUFFIXES)} by its content")
    suffix = os.path.splitext(path)[1].lower()
    claimed = next((name for name, suffixes in SUFFIXES.items() if suffix in suffixes), found)
    if claimed != found:
        raise NotReadError(path, f"is a {found} file by its content, not {claimed}; rename it")
    return found


def shown(path: str | Path, side: int) -> tuple[bytes, str]:
    """An image file as a browser shows it, and its MIME type: upright, its longer side at most `side` pixels, without
    metadata. Raises NotReadError.
    """
    with _file(path) as file, _opened(file, path) as image:
        small = max(image.size) <= SMALL
        image.draft("RGB", (side, side))
        return _display(_plain(image), side, small)


def shown_pixels(image_chw: Array, side: int) -> tuple[bytes, str]:
    """The same of pixels, uint8 [C, H, W]."""
    from PIL import Image

    image_hwc = np.ascontiguousarray(image_chw.transpose(1, 2, 0))
    image = Image.fromarray(image_hwc[:, :, 0] if len(image_chw) == 1 else image_hwc)
    return _display(image, side, max(image.size) <= SMALL)


def encoded(pool: ImageSet, index: int, side: int) -> tuple[bytes, str]:
    """Image `index` of a data set for a browser, and its MIME type: the file itself if it has one that can still be
    read, else the pixels that the model sees. Its longer side is at most `side` pixels; small ones are enlarged.
    """
    if pool.root is not None:
        try:
            return shown(pool.root / pool.ids[index], side)
        except NotReadError:
            pass  # it went since: its pixels are here
    one = pool.images[torch.tensor([index], device=pool.images.device)]
    return shown_pixels(one[0].cpu().numpy(), side)


@contextmanager
def _opened(file: BinaryIO, path: str | Path) -> "Iterator[Image]":
    """Pillow's image of a file, its header read. What goes wrong inside becomes a NotReadError."""
    from PIL import Image

    _strict()
    found = form(file.read(16), path)
    file.seek(0)
    try:
        with Image.open(file, formats=[found.upper()]) as image:
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
    """Pillow's own limit, which it also applies to what only turns up while decoding, is ours, and refuses. Of all else
    it warns in vain: a file is read, or it is refused with a reason.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = PIXELS
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _plain(image: "Image") -> "Image":
    """Upright, 8 bits a channel, opaque: in mode L or RGB."""
    from PIL import Image, ImageOps

    image.load()
    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")  # in older Pillows
    with suppress(Exception):  # a damaged EXIF block is none: the pixels are there
        image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":
        return Image.fromarray(_eight_bits(np.asarray(image), sixteen))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(values_hw: Array, sixteen: bool) -> Array:
    """Grey of 16 or 32 bits as uint8. 16 bits are the whole range. 32 bits have none that all agree on: it is the
    smallest of the usual ones, 0 to 1, 255 or 65,535, that holds all values, else their own.
    """
    values_hw = np.nan_to_num(values_hw.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values_hw.min()), float(values_hw.max())
    for usual in (65_535.0,) if sixteen else (1.0, 255.0, 65_535.0):
        if low >= 0 and high <= usual:
            low, high = 0.0, usual
            break
    return np.round((values_hw - low) * (255 / max(high - low, 1e-300))).astype(np.uint8)


def _display(image: "Image", side: int, small: bool) -> tuple[bytes, str]:
    """PNG if it is small, else JPEG; one that is smaller is enlarged by a whole factor, so that pixels stay squares."""
    from PIL import Image

    longer = max(image.size)
    if longer > side:
        image.thumbnail((side, side))
    elif (times := side // longer) > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    image = Image.fromarray(np.asarray(image))  # pixels alone: no place, no camera, no comment
    out = io.BytesIO()
    if small:
        image.save(out, "PNG")
        return out.getvalue(), "image/png"
    image.save(out, "JPEG", quality=90)
    return out.getvalue(), "image/jpeg"
