"""Random distortions of whole batches, on the device, without a loop over images.

Shape letters: B batch, C channels, H height, W width, D degrees of freedom of a displacement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

KNOTS = 5
"""Points per side at which the wave is drawn. Between the points it is interpolated bicubically."""


@dataclass(frozen=True)
class Distortion:
    """Random distortions of a batch. Each field is the strength of one distortion; 0 turns it off.

    Attributes:
        rotation: The largest rotation, in radians.
        scale: The largest change of scale, as a share.
        shear: The largest shear, in radians.
        shift: The largest shift, in pixels. Without rotation, scale, shear and wave, shifts are whole pixels, which
            keeps the pixel values.
        wave: The standard deviation of a smooth bending, in half image widths.
        flip: Whether to mirror half of the images.
        light: The largest change of contrast and of brightness.
        hole: The side, in pixels, of a square that is filled with the image's mean (DeVries and Taylor, "Improved
            Regularization of Convolutional Neural Networks with Cutout", 2017).
        padding: What fills the pixels that move in from outside the image, as in `grid_sample`.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: int = 0
    wave: float = 0.0
    flip: bool = False
    light: float = 0.0
    hole: int = 0
    padding: str = "border"

    def __call__(self, x_bchw: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Distort a batch: resample it once, then change the light, then fill the hole.

        Args:
            x_bchw: Float images in [0, 1].
            generator: Random numbers, on the device of the batch.

        Returns:
            A new batch of the same shape.
        """
        draw = _Draw(len(x_bchw), x_bchw.device, generator)
        x_bchw = self._moved(x_bchw, draw)
        if self.light:
            mean = x_bchw.mean((1, 2, 3), keepdim=True)
            contrast, brightness = (draw.uniform(2, 1, 1, 1) * self.light).unbind(1)
            x_bchw.mul_(1 + contrast).add_(brightness - contrast * mean).clamp_(0, 1)  # a new tensor, safe to write to
        if self.hole:
            inside = [self._span(side, draw) for side in x_bchw.shape[2:]]
            inside_b1hw = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
            x_bchw = torch.where(inside_b1hw, x_bchw.mean((2, 3), keepdim=True), x_bchw)
        return x_bchw

    def _moved(self, x_bchw: Tensor, draw: "_Draw") -> Tensor:
        """Return the batch after everything that moves pixels.

        The displacement is linear in the random numbers, so one product with a basis replaces an upsampling per image.
        """
        batch, _, height, width = x_bchw.shape
        angle = draw.uniform() * self.rotation
        shear = draw.uniform() * self.shear
        scale = 1 + draw.uniform(2) * self.scale
        shift_x = draw.uniform() * self.shift
        shift_y = draw.uniform() * self.shift
        if not (self.rotation or self.scale or self.shear or self.wave):
            shift_x = shift_x.round()
            shift_y = shift_y.round()
        cos = angle.cos()
        sin = angle.sin()
        top = torch.stack([cos * scale[:, 0], shear - sin * scale[:, 1], shift_x * (2 / width)], 1)
        bottom = torch.stack([sin * scale[:, 0], cos * scale[:, 1], shift_y * (2 / height)], 1)
        weight_b2d = torch.stack([top, bottom], 1)
        if self.wave:
            weight_b2d = torch.cat([weight_b2d, draw.normal(2, KNOTS * KNOTS) * self.wave], 2)
        if self.flip:
            weight_b2d[:, 0] *= draw.uniform(1).sign()
        with torch.autocast(x_bchw.device.type, enabled=False):  # bf16 is off by a tenth of a pixel
            grid_b2p = weight_b2d @ _basis(height, width, x_bchw.device)[: weight_b2d.shape[2]]
        grid_bhw2 = grid_b2p.view(batch, 2, height, width).permute(0, 2, 3, 1)
        return F.grid_sample(x_bchw, grid_bhw2, padding_mode=self.padding, align_corners=False)

    def _span(self, side: int, draw: "_Draw") -> Tensor:
        """Return where the hole is along one side of each image, bool [B, side].

        The middle of the hole is anywhere in the image, so up to half of the hole can lie outside.
        """
        middle = ((draw.uniform(1) + 1) * (side / 2)).floor()
        from_start = torch.arange(side, device=middle.device) - (middle - self.hole // 2)
        return (from_start >= 0) & (from_start < self.hole)


@dataclass(frozen=True)
class _Draw:
    """A source of random numbers for each image of a batch."""

    batch: int
    device: torch.device
    generator: torch.Generator | None

    def uniform(self, *shape: int) -> Tensor:
        """Return uniform numbers in [-1, 1), float [B, *shape]."""
        return torch.rand((self.batch, *shape), generator=self.generator, device=self.device) * 2 - 1

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers, float [B, *shape]."""
        return torch.randn((self.batch, *shape), generator=self.generator, device=self.device)


@cache
def _basis(height: int, width: int, device: torch.device) -> Tensor:
    """Return the terms that a sampling grid is a sum of, float [3 + KNOTS x KNOTS, H x W].

    The terms are the pixels' own x and y in [-1, 1], the constant 1, and the bicubic bump of each knot.
    """
    unit = torch.eye(2, 3, device=device)[None]
    x_and_y = F.affine_grid(unit, [1, 1, height, width], align_corners=False).permute(0, 3, 1, 2)[0]
    knots = torch.eye(KNOTS * KNOTS, device=device).view(-1, 1, KNOTS, KNOTS)
    bumps = F.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True)[:, 0]
    return torch.cat([x_and_y, torch.ones_like(x_and_y[:1]), bumps]).flatten(1)


def none(x_bchw: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return the batch unchanged."""
    return x_bchw


AUGMENT: dict[str, Callable[..., Tensor]] = {
    "none": none,
    "digits": Distortion(rotation=0.25, scale=0.15, shear=0.25, shift=2, wave=0.06),  # written by hand
    "numbers": Distortion(rotation=0.1, scale=0.15, shear=0.1, shift=2, light=0.2),  # photographed
    "objects": Distortion(shift=4, flip=True, light=0.1, hole=8, padding="reflection"),
    "clothes": Distortion(rotation=0.05, scale=0.1, shear=0.05, shift=2, flip=True, hole=8),
}
"""The distortions by their names in the config. None of them changes the class of an image."""
