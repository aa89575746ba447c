from dataclasses import replace
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from alearn.config.section import Augment
from alearn.data import augment
from alearn.data.augment import AUGMENT, KNOTS, Distortion

DIGITS = AUGMENT["digits"]


def blob(batch: int) -> torch.Tensor:
    x = torch.zeros(batch, 1, 28, 28)
    x[:, :, 10:18, 12:16] = 1
    return x


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def direct(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the batch after `digits`, computed step by step, with the wave of each image upsampled on its own."""
    batch, _, height, width = x.shape

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    angle, shear = uniform(batch) * 0.25, uniform(batch) * 0.25
    scale = 1 + uniform(batch, 2) * 0.15
    shift_x, shift_y = uniform(batch) * (2 * 2 / width), uniform(batch) * (2 * 2 / height)
    cos, sin = angle.cos(), angle.sin()
    top = torch.stack([cos * scale[:, 0], shear - sin * scale[:, 1], shift_x], 1)
    bottom = torch.stack([sin * scale[:, 0], cos * scale[:, 1], shift_y], 1)
    grid = F.affine_grid(torch.stack([top, bottom], 1), list(x.shape), align_corners=False)
    knots = torch.randn(batch, 2, KNOTS, KNOTS, generator=generator) * 0.06
    wave = F.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid + wave, padding_mode="border", align_corners=False)


@pytest.mark.parametrize("shape", [(16, 1, 28, 28), (5, 3, 32, 20)])
def test_digits_are_the_direct_formula(shape):
    x = torch.rand(shape, generator=seeded(1))
    torch.testing.assert_close(DIGITS(x, seeded()), direct(x, seeded()), atol=1e-5, rtol=0)


def test_autocast_around_it_changes_nothing():
    x = torch.rand(4, 1, 28, 28, generator=seeded(1))
    with torch.autocast("cpu", torch.bfloat16):
        found = DIGITS(x, seeded())
    assert torch.equal(found, DIGITS(x, seeded()))


def test_digits_move_but_stay_what_they_are():
    x = blob(256)
    y = DIGITS(x, seeded())
    assert y.min() >= 0
    assert y.max() <= 1
    mass = y.sum((1, 2, 3)) / x.sum((1, 2, 3))
    assert 0.9 < mass.mean() < 1.15  # a mean scale of 1: the ink stays about the same
    grid = torch.arange(28.0) - 13.5
    middle = (y * grid).sum((1, 2, 3)) / y.sum((1, 2, 3))
    assert abs(middle.mean() - 0.0) < 0.5
    assert 1.0 < middle.std() < 2.5  # shifts of +-2 pixels and the wave


@pytest.mark.parametrize("name", [name for name in AUGMENT if name != "none"])
def test_each_image_is_distorted_on_its_own_by_the_generator_alone_and_stays_in_range(name):
    x = torch.rand(8, 3, 32, 32, generator=seeded())
    before = x.clone()
    one, same, other = (AUGMENT[name](x, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(x, before), "the batch that was given is left alone"
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == x.shape
    assert one.dtype == x.dtype
    assert one.min() >= -1e-6
    assert one.max() <= 1 + 1e-6
    alike = AUGMENT[name](x[:1].expand(8, 3, 32, 32), seeded(1))
    assert len({tuple(image.flatten().tolist()) for image in alike}) == 8


@pytest.mark.parametrize("name", ["rotation", "scale", "shear", "shift", "wave"])
def test_without_any_amount_nothing_moves(name):
    nothing = Distortion()
    torch.testing.assert_close(nothing(blob(4), seeded()), blob(4), atol=1e-4, rtol=0)
    alone = replace(nothing, **{name: getattr(DIGITS, name)})
    assert not torch.allclose(alone(blob(4), seeded()), blob(4), atol=1e-3)


def test_objects_are_shifted_by_whole_pixels_with_their_mirror_image_outside():
    x = torch.rand(200, 1, 8, 8, generator=seeded())
    y = Distortion(shift=2, padding="reflection")(x, seeded())
    padded = F.pad(x, (2, 2, 2, 2), mode="replicate")
    padded[..., :2], padded[..., -2:] = padded[..., 2:4].flip(-1), padded[..., -4:-2].flip(-1)
    padded[..., :2, :], padded[..., -2:, :] = padded[..., 2:4, :].flip(-2), padded[..., -4:-2, :].flip(-2)
    places = [(i, j) for i in range(5) for j in range(5)]
    found = []
    for image, large in zip(y, padded, strict=True):
        errors = [(image - large[:, i : i + 8, j : j + 8]).abs().max().item() for i, j in places]
        assert min(errors) < 1e-5
        found.append(places[errors.index(min(errors))])
    assert set(found) == set(places), "every shift up to 2 comes"


def test_half_of_the_images_are_mirrored_and_nothing_else():
    x = torch.rand(400, 3, 9, 8, generator=seeded())
    y = Distortion(flip=True)(x, seeded())
    same, mirrored = ((y - z).abs().amax((1, 2, 3)) < 1e-5 for z in (x, x.flip(3)))
    assert (same ^ mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_a_hole_is_a_square_of_the_images_mean():
    x = torch.rand(300, 3, 20, 16, generator=seeded())
    y = Distortion(hole=6)(x, seeded())
    changed = (y - x).abs().amax(1) > 1e-4
    mean = x.mean((2, 3), keepdim=True).expand_as(x)
    torch.testing.assert_close(y, torch.where(changed[:, None], mean, x), atol=1e-4, rtol=0)
    rows, columns = changed.any(2), changed.any(1)
    assert (changed == (rows[:, :, None] & columns[:, None, :])).all(), "a rectangle"
    for side in (rows, columns):
        assert side.sum(1).max() == 6
        assert side.sum(1).min() == 3, "its middle is within the image"
        assert side.any(0).all(), "anywhere"


def test_light_changes_contrast_and_brightness_of_whole_images():
    x = 0.4 + 0.2 * torch.rand(100, 3, 8, 8, generator=seeded())
    y = Distortion(light=0.2)(x, seeded())
    contrast = (y - y.mean((1, 2, 3), keepdim=True)) / (x - x.mean((1, 2, 3), keepdim=True))
    spread = contrast.flatten(1).quantile(0.9, 1) - contrast.flatten(1).quantile(0.1, 1)
    assert spread.max() < 1e-2, "one factor an image"
    factor = contrast.flatten(1).median(1).values
    assert 0.79 < factor.min() < 0.85
    assert 1.15 < factor.max() < 1.21
    difference = (y - x).mean((1, 2, 3))
    assert 0.15 < difference.max() < 0.201
    assert -0.201 < difference.min() < -0.15


def test_letters_and_digits_are_never_mirrored():
    assert not DIGITS.flip
    assert not AUGMENT["numbers"].flip


def test_none():
    assert augment.none(x := blob(2)) is x


def test_the_config_knows_the_same_names():
    assert set(get_args(Augment)) == {*AUGMENT, "auto"}
