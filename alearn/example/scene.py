"""A whole picture: something to lie on, a fruit with its shadow, this and that beside it, and a camera's faults.

Shape letters: H height, W width.
"""

import numpy as np
from PIL import Image, ImageFilter

from alearn.example.fruit import KINDS, LEAF, Random
from alearn.example.paint import Colour, Layer, blurred, noise
from alearn.values import Array

LONG, SHORT = 160, 120
"""Pixels a side."""
FINE = 2
"""It is painted so many times larger."""
TABLES: tuple[Colour, ...] = (
    (0.62, 0.45, 0.3), (0.45, 0.3, 0.2), (0.78, 0.66, 0.5), (0.86, 0.84, 0.8), (0.5, 0.55, 0.58), (0.46, 0.52, 0.58),
    (0.72, 0.64, 0.62), (0.53, 0.56, 0.48), (0.25, 0.26, 0.3), (0.84, 0.78, 0.62),
)  # fmt: skip


def picture(random: Random, kind: str) -> Image.Image:
    """One that shows a kind of fruit: LONG x SHORT or SHORT x LONG, in colour."""
    wide = random.random() < 0.6
    width, height = (FINE * side for side in ((LONG, SHORT) if wide else (SHORT, LONG)))
    angle = random.normal(-0.7, 0.5)
    light = (0.75 * float(np.sin(angle)), -0.75 * float(np.cos(angle)), 0.66)
    scene = table(random, height, width)
    _lay(scene, _clutter(random, height, width, light))
    layer, size = Layer(height, width, light), SHORT * FINE * random.uniform(0.2, 0.36)
    at = width * random.uniform(0.38, 0.62), height * random.uniform(0.4, 0.6)
    KINDS[kind](layer, random, at, size)
    _lay(scene, layer)
    return _taken(random, scene)


def table(random: Random, height: int, width: int) -> Array:
    """Wood, cloth or a plain surface, with or without a wall behind it: float [H, W, 3]."""
    colour = np.clip(np.array(TABLES[random.integers(len(TABLES))]) + random.normal(0, 0.04, 3), 0, 1)
    y, x = np.mgrid[0:height, 0:width] / min(height, width)
    shade = 1 + 0.12 * noise(random, height, width, (4, 4))
    kind = random.choice(["wood", "cloth", "plain"], p=[0.4, 0.25, 0.35])
    if kind == "wood":
        planks = y * random.uniform(2.5, 5) + random.random()
        shade = shade + 0.16 * noise(random, height, width, (70, 3)) + 0.06 * np.sin(9 * np.floor(planks) ** 2)
        shade = shade * (1 - 0.4 * np.exp(-(((planks % 1) / 0.03) ** 2)))
    elif kind == "cloth":
        lines = random.uniform(14, 30)
        squares = (np.sin(x * lines) > 0.5).astype(float) + (np.sin(y * lines) > 0.5) * (random.random() < 0.6)
        shade = shade - 0.11 * squares + 0.04 * random.normal(0, 1, (height, width))
    scene: Array = colour * shade[..., None]
    if random.random() < 0.3:  # a wall
        edge = np.clip((random.uniform(0.12, 0.3) - y) * 40 + 0.5, 0, 1)[..., None]
        paint, uneven = np.array(TABLES[random.integers(len(TABLES))]), noise(random, height, width, (3, 3))
        scene = scene * (1 - edge) + paint * (1 + 0.08 * uneven)[..., None] * edge
    scene *= (1 + 0.25 * (random.uniform(-1, 1) * (x - 0.5) + 0.5 - y))[..., None]
    return scene


def _clutter(random: Random, height: int, width: int, light: tuple[float, float, float]) -> Layer:
    """What lies about: a plate below, leaves, nuts, crumbs; nothing that is any of the fruit."""
    layer = Layer(height, width, light)
    if random.random() < 0.3:
        at, size = (width * random.uniform(0.4, 0.6), height * random.uniform(0.45, 0.65)), SHORT * FINE * 0.5
        rows, columns, dx, dy = layer.box(at, size)
        far = np.hypot(dx, dy * 1.12) / size
        glaze = np.array(TABLES[random.choice([2, 3, 3, 5])]) * 1.1
        rim = 0.12 * np.exp(-(((far - 0.72) / 0.03) ** 2)) - 0.1 * np.exp(-(((far - 0.95) / 0.03) ** 2))
        layer.put(rows, columns, np.clip((0.98 - far) * size, 0, 1), glaze - rim[..., None])
    for _ in range(random.poisson(0.6)):
        at = width * random.random(), height * random.random()
        colour = LEAF if random.random() < 0.5 else (0.55, 0.4, 0.18)
        layer.leaf(at, SHORT * FINE * random.uniform(0.12, 0.25), random.uniform(-3, 3), colour)
    for _ in range(random.poisson(1.5)):
        at, size = (width * random.random(), height * random.random()), FINE * random.uniform(1, 5)
        brown = np.array([0.5, 0.36, 0.22]) * random.uniform(0.7, 1.5)
        layer.solid(at, size, lambda u, v, c=brown: np.broadcast_to(c, (*u.shape, 3)), gloss=0.1)  # type: ignore[misc]
    return layer


def _lay(scene: Array, layer: Layer) -> None:
    """Put a layer onto a scene, with its shadow: soft and away from the light, and dark where it touches."""
    for far, blur, dark in ((14, 8, 0.4), (4, 3, 0.35)):
        shift = (round(-layer.light[1] * far), round(-layer.light[0] * far))
        shadow = blurred(np.roll(layer.alpha, shift, (0, 1)), blur)
        scene *= 1 - dark * shadow[..., None]
    alpha = layer.alpha[..., None]
    scene *= 1 - alpha
    scene += layer.rgb * alpha


def _taken(random: Random, scene: Array) -> Image.Image:
    """As a camera takes it: exposure, white balance, contrast, focus, vignette, noise."""
    height, width = scene.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    scene = scene * np.exp(random.normal(0.03, 0.12)) * (1 + random.normal(0, 0.025, 3))
    scene = scene * (1 - random.uniform(0, 0.22) * (x * x + y * y))[..., None]
    scene = 0.5 + (scene - 0.5) * random.uniform(0.85, 1.12)
    image = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(FINE * max(0, random.normal(0.15, 0.35))))
    small = np.asarray(image.resize((width // FINE, height // FINE), Image.Resampling.LANCZOS), float)
    small = small + random.normal(0, random.uniform(1, 5), small.shape)
    return Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))
