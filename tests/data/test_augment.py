import pytest
import torch

from alearn.data import augment


def blob(batch: int) -> torch.Tensor:
    x = torch.zeros(batch, 1, 28, 28)
    x[:, :, 10:18, 12:16] = 1
    return x


def test_digits_move_but_stay_what_they_are():
    x = blob(256)
    y = augment.digits(x, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert y.min() >= 0
    assert y.max() <= 1
    mass = y.sum((1, 2, 3)) / x.sum((1, 2, 3))
    assert 0.9 < mass.mean() < 1.15  # a mean scale of 1: the ink stays about the same
    grid = torch.arange(28.0) - 13.5
    middle = (y * grid).sum((1, 2, 3)) / y.sum((1, 2, 3))
    assert abs(middle.mean() - 0.0) < 0.5
    assert 1.0 < middle.std() < 2.5  # shifts of +-2 pixels and the wave


def test_each_image_is_distorted_on_its_own_and_by_the_generator_alone():
    one, same, other = (augment.digits(blob(8), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({tuple(image.flatten().tolist()) for image in one}) == 8


@pytest.mark.parametrize("name", ["ROTATION", "SCALE", "SHEAR", "SHIFT", "WAVE"])
def test_without_any_amount_nothing_moves(monkeypatch, name):
    for each in {"ROTATION", "SCALE", "SHEAR", "SHIFT", "WAVE"} - {name}:
        monkeypatch.setattr(augment, each, 0)
    assert not torch.allclose(augment.digits(blob(4)), blob(4), atol=1e-3)  # this one alone does something
    monkeypatch.setattr(augment, name, 0)
    assert torch.allclose(augment.digits(blob(4)), blob(4), atol=1e-4)


def test_none():
    assert augment.none(x := blob(2)) is x
