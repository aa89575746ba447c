"""What the pictures show: four kinds of fruit, no two alike. Each is drawn around a point, to a size, onto a layer."""

from collections.abc import Callable

import numpy as np

from alearn.example.paint import Colour, Layer, Point, noise, turned
from alearn.values import Array

Random = np.random.Generator
WOOD, STALK, LEAF = (0.36, 0.25, 0.15), (0.42, 0.5, 0.2), (0.3, 0.52, 0.18)


def apple(layer: Layer, random: Random, at: Point, size: float) -> None:
    """Red, yellow or green, blushed and streaked, with a stem in a dent, some with a leaf."""
    turn, wide = random.normal(0, 0.3), random.uniform(0.96, 1.06)
    ripe = _pick(random, [(0.78, 0.1, 0.1), (0.7, 0.12, 0.14), (0.93, 0.72, 0.2), (0.56, 0.73, 0.2)], 0.05)
    blush = _pick(random, [(0.75, 0.12, 0.1), (0.86, 0.35, 0.14), (0.8, 0.75, 0.3)], 0.05)
    soft, amount = noise(random, 64, 64, (5, 5)), random.uniform(0.2, 0.9)
    side = random.uniform(-1, 1)

    def outline(angle: Array) -> Array:
        top, bottom = np.exp(-((angle / 0.42) ** 2)), np.exp(-(((np.pi - np.abs(angle)) / 0.4) ** 2))
        return 0.93 * (1 + (wide - 1) * np.sin(angle) ** 2 + 0.05 * np.cos(angle) - 0.2 * top - 0.07 * bottom)

    def skin(u: Array, v: Array) -> Array:
        place = [np.clip((32 + 30 * x).astype(int), 0, 63) for x in (v, u)]
        streaks = 0.12 * np.sin(18 * np.arctan2(u, v + 1.4) + 3 * soft[place[0], place[1]])
        share = np.clip(amount * (0.5 + side * u - 0.3 * v + soft[place[0], place[1]]) + streaks, 0, 1)
        colour = _mixed(ripe, blush, share)
        dent = np.exp(-((u / 0.3) ** 2 + ((v + 0.72) / 0.16) ** 2))
        speckle = 0.06 * (random.random(u.shape) < 0.02)
        return colour * (1 - 0.55 * dent[..., None]) + speckle[..., None]

    layer.solid(at, size, skin, turn, outline, random.uniform(0.25, 0.6))
    foot, tip = (_from(at, size * far, turn + lean) for far, lean in ((0.66, 0), (1.12, random.normal(0, 0.14))))
    middle = _from(at, size * 0.9, turn + random.normal(0, 0.04))
    layer.stroke([foot, middle, tip], size * 0.085, WOOD)
    if random.random() < 0.55:
        layer.leaf(middle, size * random.uniform(0.5, 0.8), turn + random.choice([-1, 1]) * 1.2, _near(random, LEAF))


def banana(layer: Layer, random: Random, at: Point, size: float) -> None:
    """One to three, bent, with edges along them, dark tips, brown spots when ripe."""
    count, turn = int(random.choice([1, 2, 3], p=[0.5, 0.3, 0.2])), random.uniform(-np.pi, np.pi)
    ripe = _pick(random, [(0.97, 0.8, 0.2), (0.95, 0.84, 0.32), (0.85, 0.82, 0.25), (0.93, 0.74, 0.16)], 0.03)
    spotted = random.choice([0, 0.25, 0.6])
    for number in range(count):
        more = (number - (count - 1) / 2) * 0.3
        foot = _from(at, size * 0.16 * (number - (count - 1) / 2), turn)
        _banana(layer, random, foot, size * 1.28, turn + more, ripe, spotted)


def _banana(layer: Layer, random: Random, at: Point, size: float, turn: float, ripe: Colour, spotted: float) -> None:
    bend, half, thick = random.uniform(0.75, 1.0), random.uniform(0.8, 0.95), random.uniform(0.17, 0.21)
    rows, columns, dx, dy = layer.box(at, size * 1.15)
    u, v = turned(dx / size, dy / size, turn)
    far, angle = np.hypot(u, v + bend * 0.85), np.arctan2(u, v + bend * 0.85)  # around the centre of the bend
    along = angle / (half / bend)
    width = thick * np.clip(1 - np.abs(along) ** 3.2, 0, 1) ** 0.6 + 0.035 * (np.abs(along) < 1.1)
    across = (far - bend) / np.maximum(width, 1e-6)
    flat = np.clip(across, -1, 1)
    faces = 0.55 * np.round(flat * 1.6) / 2 + 0.4 * flat  # it has edges, not quite round
    outward = np.stack([np.sin(angle), np.cos(angle)])
    nx, ny = turned(outward[0] * faces, outward[1] * faces, -turn)
    colour = np.broadcast_to(np.array(ripe), (*u.shape, 3)) * (1 - 0.1 * np.abs(flat[..., None]) ** 3)
    soft = noise(random, u.shape[0], u.shape[1], (40, 40))
    spots = spotted * np.clip(soft * 4 - 2.2, 0, 1) * (np.abs(along) < 0.95)
    tip = np.clip((np.abs(along) - 0.93) / 0.1, 0, 1) ** 0.7
    green = 0.3 * np.clip(np.abs(along) * 2 - 1.2, 0, 1)
    colour = _mixed(colour, (0.6, 0.7, 0.2), green)
    colour = _mixed(_mixed(colour, (0.42, 0.26, 0.1), spots), (0.25, 0.17, 0.08), tip)
    alpha = np.clip((1 - np.abs(across)) * width * size + 0.5, 0, 1) * (np.abs(along) < 1.1)
    layer.put(rows, columns, alpha, layer.lit(nx, ny, np.sqrt(1 - faces**2), colour, 0.16, 10))


def cherries(layer: Layer, random: Random, at: Point, size: float) -> None:
    """Two or three, dark and shiny, on long stems that meet."""
    count, turn = int(random.choice([2, 3], p=[0.75, 0.25])), random.normal(0, 0.35)
    skin = _plain(_pick(random, [(0.62, 0.03, 0.07), (0.45, 0.02, 0.08), (0.8, 0.1, 0.1)], 0.03))
    joint = _from(at, size * 1.0, turn)
    spread = np.linspace(-1, 1, count) * random.uniform(0.5, 0.62) + random.normal(0, 0.05, count)
    places = [_from(joint, size * random.uniform(1.4, 1.75), turn + np.pi - d) for d in spread]
    sizes = size * random.uniform(0.42, 0.52, count)
    for place, radius in zip(places, sizes, strict=True):
        layer.solid(place, radius, skin, turn, _heart, 0.95, 42)
        top = _from(place, radius * 0.8, turn)
        bow = _from(((top[0] + joint[0]) / 2, (top[1] + joint[1]) / 2), size * 0.12, turn + np.pi / 2)
        layer.stroke(_bent(top, bow, joint), size * 0.06, STALK)
    layer.stroke([joint, _from(joint, size * 0.12, turn)], size * 0.12, WOOD)
    if random.random() < 0.5:
        layer.leaf(joint, size * random.uniform(0.7, 1.0), turn + random.choice([-1, 1]) * 1.3, _near(random, LEAF))


def grapes(layer: Layer, random: Random, at: Point, size: float) -> None:
    """A bunch, blue, red or green, with a bloom, wide at its stem and narrow at its end."""
    turn, rows, radius = random.normal(0, 0.35), int(random.integers(5, 7)), size * random.uniform(0.2, 0.24)
    colour = _pick(random, [(0.3, 0.14, 0.4), (0.2, 0.15, 0.36), (0.45, 0.1, 0.24), (0.62, 0.72, 0.3)], 0.03)
    top = _from(at, size * 0.75, turn)
    layer.stroke([top, _from(top, size * 0.42, turn + random.normal(0, 0.3))], size * 0.08, WOOD)
    if random.random() < 0.7:
        layer.leaf(top, size * random.uniform(0.6, 0.9), turn + random.choice([-1, 1]) * 1.1, _near(random, LEAF))
    places: list[Point] = []
    for row in range(rows):
        wide = 1.5 + 2.3 * (1 - row / (rows - 1)) * min(1, 0.65 + row * 0.4)
        for x in np.arange(int(wide) + 1) - int(wide) / 2:
            down, right = row * 1.42 * radius + random.normal(0, 0.2) * radius, x * 1.6 * radius
            places.append(_from(_from(top, -down, turn), right + random.normal(0, 0.2) * radius, turn + np.pi / 2))
    for i in random.permutation(len(places)):
        layer.solid(places[i], radius * random.uniform(0.9, 1.08), _bloom(_near(random, colour, 0.02)), gloss=0.5)


KINDS: dict[str, Callable[[Layer, Random, Point, float], None]] = {
    "apple": apple,
    "banana": banana,
    "cherries": cherries,
    "grapes": grapes,
}


def _from(at: Point, far: float, angle: float) -> Point:
    return at[0] + far * float(np.sin(angle)), at[1] - far * float(np.cos(angle))


def _bent(start: Point, by: Point, end: Point) -> list[Point]:
    """A curve from start to end that is drawn towards a third point."""
    weights = [((1 - t) ** 2, 2 * t * (1 - t), t**2) for t in np.linspace(0, 1, 9)]
    return [(a * start[0] + b * by[0] + c * end[0], a * start[1] + b * by[1] + c * end[1]) for a, b, c in weights]


def _heart(angle: Array) -> Array:
    dented: Array = 1 - 0.1 * np.exp(-((angle / 0.4) ** 2))
    return dented


def _plain(colour: Colour) -> Callable[[Array, Array], Array]:
    return lambda u, v: np.broadcast_to(np.array(colour), (*u.shape, 3))


def _bloom(colour: Colour) -> Callable[[Array, Array], Array]:
    return lambda u, v: _mixed(colour, (0.75, 0.75, 0.85), 0.16 * np.clip(0.5 - v, 0, 1))


def _mixed(one: Colour | Array, other: Colour, share: Array) -> Array:
    mixed: Array = np.asarray(one) * (1 - share[..., None]) + np.array(other) * share[..., None]
    return mixed


def _near(random: Random, colour: Colour, spread: float = 0.04) -> Colour:
    red, green, blue = np.clip(np.array(colour) + random.normal(0, spread, 3), 0, 1)
    return float(red), float(green), float(blue)


def _pick(random: Random, colours: list[Colour], spread: float) -> Colour:
    return _near(random, colours[random.integers(len(colours))], spread)
