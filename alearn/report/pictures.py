"""Pictures that Pillow draws: galleries of images with captions, confusion matrices, and sprites.

Shape letters: n images, C channels, H height, W width, K classes.
"""

import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from alearn.values import Array

Picture = Image.Image

SIDE = 96
"""The least pixels of the longer side of an image in a gallery. Smaller images are enlarged by a whole factor."""
LARGEST = 128
"""The most pixels of the longer side of an image in a gallery. Larger images are shrunk."""
COLUMNS = 4
GAP = 6
TEXT = 15
NAME = 10
"""The most letters of a class name."""
MATRIX = 640
"""Pixels of a side of a confusion matrix with many classes."""
NUMBERED = 30
"""The most classes for which the cells of a confusion matrix have numbers."""
SPRITES = 8192
"""The most pixels of a side of a sprite that TensorBoard's projector accepts."""


def gallery(images_nchw: Array, captions: Sequence[str]) -> Picture:
    """Return a picture of images in rows of four.

    Args:
        images_nchw: uint8 [n, C, H, W], n > 0. Three channels are RGB; otherwise the first channel is shown in grey.
        captions: The text below each image. It may have any number of lines.
    """
    pixels = _pixels(images_nchw)
    height, width = pixels.shape[1:3]
    factor = max(1, ceil(SIDE / max(height, width)))
    pixels = pixels.repeat(factor, 1).repeat(factor, 2)
    if max(height, width) > LARGEST:
        pixels = _resized(pixels, LARGEST / max(height, width))
    height, width = pixels.shape[1:3]

    lines = [plain(caption).split("\n") for caption in captions]
    line = TEXT + 3
    cell_w = max(width, ceil(max(_font(TEXT).getlength(text) for texts in lines for text in texts))) + GAP
    cell_h = height + line * max(map(len, lines)) + GAP
    columns = min(COLUMNS, len(pixels))
    shape = (cell_h * ceil(len(pixels) / columns) + GAP, cell_w * columns + GAP, *pixels.shape[3:])
    canvas = np.full(shape, 255, np.uint8)
    places = [(GAP + cell_h * (i // columns), GAP + cell_w * (i % columns)) for i in range(len(pixels))]
    for (top, left), image in zip(places, pixels, strict=True):
        canvas[top : top + height, left : left + width] = image
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for (top, left), texts in zip(places, lines, strict=True):
        for i, text in enumerate(texts):
            draw.text((left, top + height + i * line), text, fill="black", font=_font(TEXT))
    return picture


def confusion(matrix: Array, classes: Sequence[str]) -> Picture:
    """Return a picture of a confusion matrix. Mistakes are red, and frequent ones are redder.

    Args:
        matrix: int [K, K], how often an image of a true class (row) has a label (column). Its numbers are written into
            the cells if there are up to 30 classes.
        classes: The names of the classes.
    """
    total = len(classes)
    cell = 44 if total <= 12 else max(1, MATRIX // total, 24 if total <= NUMBERED else 0)
    size = min(TEXT, cell - 4)
    names = [shortened(name) for name in classes] if size >= 8 else []
    font = _font(max(size, 8))
    margin = ceil(max((font.getlength(name) for name in names), default=0)) + TEXT + 4 * GAP
    picture = Image.new("RGB", (margin + cell * total + GAP, margin + cell * total + GAP), "white")
    picture.paste(_heat(matrix, cell), (margin, margin))
    draw = ImageDraw.Draw(picture)
    draw.text((margin, GAP), "auto label", fill="black", font=_font(TEXT))
    _upright(picture, (GAP, margin), "true class", TEXT)
    for i, name in enumerate(names):
        middle = margin + cell * i + cell // 2
        draw.text((margin - GAP, middle), name, fill="black", font=font, anchor="rm")
        if max(map(len, names)) <= 2:
            draw.text((middle, margin - GAP), name, fill="black", font=font, anchor="mb")
        else:
            length = ceil(font.getlength(name))
            _upright(picture, (middle - size // 2 - 2, margin - GAP - length), name, size)
    if total <= NUMBERED:
        numbers = _font(min(13, cell // 3))
        for row, column in zip(*np.nonzero(matrix), strict=True):
            centre = (margin + cell * int(column) + cell // 2, margin + cell * int(row) + cell // 2)
            draw.text(centre, _number(int(matrix[row, column])), fill="black", font=numbers, anchor="mm")
    return picture


def sprite(images_nchw: Array) -> tuple[Picture, tuple[int, int]]:
    """Return a picture of images in a square without gaps, and the (width, height) of each image in it.

    The images are shrunk if the picture would be too large for the projector.

    Args:
        images_nchw: uint8 [n, C, H, W], n > 0.
    """
    pixels = _pixels(images_nchw)
    side = ceil(len(pixels) ** 0.5)
    room = SPRITES // side
    if max(pixels.shape[1:3]) > room:
        pixels = _resized(pixels, room / max(pixels.shape[1:3]))
    height, width = pixels.shape[1:3]
    canvas = np.zeros((side * height, side * width, *pixels.shape[3:]), np.uint8)
    for i, image in enumerate(pixels):
        top = height * (i // side)
        left = width * (i % side)
        canvas[top : top + height, left : left + width] = image
    return Image.fromarray(canvas), (width, height)


def png(picture: Picture) -> bytes:
    """Return a picture as a PNG file. Compression is low, because there are many pictures and they are small."""
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=1)
    return content.getvalue()


def plain(text: str) -> str:
    """Return a text in ASCII, which every font has. Accents are dropped, and other letters become question marks."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(letters).encode("ascii", "replace").decode()


def shortened(name: str) -> str:
    """Return a class name with ten letters at most."""
    name = plain(name)
    return name if len(name) <= NAME else name[: NAME - 2] + ".."


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _pixels(images_nchw: Array) -> Array:
    """Return [n, H, W, 3] if there are three channels, otherwise the first channel, [n, H, W]."""
    return images_nchw.transpose(0, 2, 3, 1) if images_nchw.shape[1] == 3 else images_nchw[:, 0]


def _resized(pixels: Array, factor: float) -> Array:
    height, width = (max(1, int(side * factor)) for side in pixels.shape[1:3])
    return np.stack([np.asarray(Image.fromarray(image).resize((width, height))) for image in pixels])


def _heat(matrix: Array, cell: int) -> Picture:
    """Draw the cells of a confusion matrix, with lines between them if there is room.

    Right labels are blue, by their share of the row. Mistakes are red, by their share of the most frequent mistake.
    """
    total = len(matrix)
    counts = matrix.astype(np.float64)
    right = np.eye(total, dtype=bool)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    wrong = np.sqrt(counts / max(1.0, counts[~right].max(initial=0)))
    strength = np.where(right, shares * 0.6, wrong * 0.9)[:, :, None]
    colour = np.where(right[:, :, None], (70, 130, 230), (235, 60, 40))
    pixels = (255 - strength * (255 - colour)).astype(np.uint8).repeat(cell, 0).repeat(cell, 1)
    if cell >= 8:
        pixels[::cell] = pixels[:, ::cell] = 225
    return Image.fromarray(pixels)


def _upright(picture: Picture, place: tuple[int, int], text: str, size: int) -> None:
    """Draw text that reads upwards."""
    tile = Image.new("RGB", (ceil(_font(size).getlength(text)), size + 4), "white")
    ImageDraw.Draw(tile).text((0, 0), text, fill="black", font=_font(size))
    picture.paste(tile.rotate(90, expand=True), place)


def _number(count: int) -> str:
    """Format a number with four characters at most: 980, 5923, 12k."""
    return str(count) if count < 10_000 else f"{count // 1000}k"
