"""Shapes with light on them: what a picture is painted with.

Shape letters: H height, W width of the picture; h, w of the box that a shape is computed in. Lengths are pixels, angles
radians, clockwise from upwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from alearn.values import Array

Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 1."""
Point = tuple[float, float]
"""x to the right, y down."""


@dataclass
class Layer:
    """Things in front of nothing. rgb: float [H, W, 3]. alpha: float [H, W], how much they cover. light: the direction
    that it comes from, a unit vector (x, y, towards the viewer).
    """

    height: int
    width: int
    light: tuple[float, float, float] = (-0.45, -0.6, 0.66)
    rgb: Array = field(init=False)
    alpha: Array = field(init=False)

    def __post_init__(self) -> None:
        self.rgb, self.alpha = np.zeros((self.height, self.width, 3)), np.zeros((self.height, self.width))

    def box(self, at: Point, reach: float) -> tuple[slice, slice, Array, Array]:
        """The pixels within reach of a point: rows, columns, and their distances from it, right and down, [h, w]."""
        left, right = (int(np.clip(at[0] + d, 0, self.width)) for d in (-reach, reach + 1))
        top, bottom = (int(np.clip(at[1] + d, 0, self.height)) for d in (-reach, reach + 1))
        y, x = np.mgrid[top:bottom, left:right].astype(float)
        return slice(top, bottom), slice(left, right), x + 0.5 - at[0], y + 0.5 - at[1]

    def put(self, rows: slice, columns: slice, alpha_hw: Array, rgb_hw3: Array) -> None:
        """Lay something over what is there."""
        rgb, alpha = self.rgb[rows, columns], self.alpha[rows, columns]
        total = alpha_hw + alpha * (1 - alpha_hw)
        share = (alpha_hw / np.maximum(total, 1e-9))[..., None]
        rgb[...] = rgb * (1 - share) + np.clip(rgb_hw3, 0, 1) * share
        alpha[...] = total

    def lit(self, nx: Array, ny: Array, nz: Array, rgb_hw3: Array, gloss: float, sharp: float = 26) -> Array:
        """A surface of these normals under the light, [h, w, 3]. gloss: of its highlight, which is small if sharp."""
        x, y, z = self.light
        diffuse = np.maximum(0, nx * x + ny * y + nz * z)
        half = np.array([x, y, z + 1]) / np.sqrt(x * x + y * y + (z + 1) ** 2)  # between the light and the viewer
        shine = gloss * np.maximum(0, nx * half[0] + ny * half[1] + nz * half[2]) ** sharp
        bounced = 0.1 * np.maximum(0, ny) * (1 - nz)  # from the table
        seen: Array = rgb_hw3 * (0.32 + 0.78 * diffuse + bounced)[..., None] + shine[..., None]
        return seen

    def solid(
        self,
        at: Point,
        size: float,
        skin: Callable[[Array, Array], Array],
        turn: float = 0.0,
        outline: Callable[[Array], Array] = np.ones_like,
        gloss: float = 0.5,
        sharp: float = 26,
    ) -> None:
        """A round body. outline: its radius by angle, relative to size. skin: its colour [h, w, 3] by the place on it,
        (right, down), -1 to 1.
        """
        rows, columns, dx, dy = self.box(at, size * 1.25)
        u, v = turned(dx / size, dy / size, turn)
        edge, far = outline(np.arctan2(u, -v)), np.hypot(u, v)
        inside = np.minimum(far / edge, 1)
        depth = np.sqrt(1 - inside**2)
        slope = inside / np.maximum(far * size, 1e-6)
        rgb = self.lit(dx * slope, dy * slope, depth, skin(u, v), gloss, sharp)
        self.put(rows, columns, np.clip((edge - far) * size + 0.5, 0, 1), rgb)

    def stroke(self, points: list[Point], width: float, colour: Colour) -> None:
        """A line, darker at its lower side."""
        x, y = zip(*points, strict=True)
        at = (min(x) + max(x)) / 2, (min(y) + max(y)) / 2
        rows, columns, dx, _ = self.box(at, max(max(x) - min(x), max(y) - min(y)) / 2 + width + 3)
        if not dx.size:
            return
        mask = Image.new("L", dx.shape[::-1])
        places = [(px - columns.start, py - rows.start) for px, py in points]
        ImageDraw.Draw(mask).line(places, fill=255, width=max(1, round(width)), joint="curve")
        alpha = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.6)), float) / 255
        shade = np.clip(alpha - np.roll(alpha, (1, 1), (0, 1)), -0.4, 0.4)[..., None]
        self.put(rows, columns, alpha, np.array(colour) * (0.85 + shade))

    def leaf(self, at: Point, size: float, turn: float, colour: Colour) -> None:
        """A leaf that begins at a point and grows in a direction. size: its length."""
        rows, columns, dx, dy = self.box(at, size * 1.1)
        across, along = turned(dx / size, dy / size, turn)
        along = -along
        half = 0.29 * np.sin(np.pi * np.clip(along, 0, 1) ** 0.85) ** 0.9
        alpha = np.clip((half - np.abs(across)) * size + 0.5, 0, 1) * ((along > 0) & (along < 1))
        rib = np.exp(-((across / 0.018) ** 2)) + 0.5 * np.maximum(0, np.sin((along - np.abs(across)) * 42)) ** 8
        rgb = np.array(colour) * (0.85 + 0.5 * across - 0.15 * along)[..., None] + 0.16 * rib[..., None]
        self.put(rows, columns, alpha, rgb)


def turned(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    """Coordinates in a frame that is turned clockwise."""
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def noise(random: np.random.Generator, height: int, width: int, coarse: tuple[int, int]) -> Array:
    """Soft noise, float [height, width], mostly -1 to 1. coarse: how many random values down and across."""
    grid = Image.fromarray(random.normal(0, 0.5, coarse).astype(np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), float)


def blurred(plane: Array, radius: float) -> Array:
    """A plane [H, W] of values from 0 to 1, out of focus."""
    image = Image.fromarray((plane * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, float) / 255
