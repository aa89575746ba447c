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
"""Points a side at which the wave is drawn; in between it is bicubic."""


@dataclass(frozen=True)
class Distortion:
    """How much of everything; what is 0 is left out. Called with a batch, float [B, C, H, W] in [0, 1], and a generator
    on its device; returns the distorted batch, of the same shape.

    rotation, shear: radians at most; scale: a share at most. shift: pixels at most; whole ones if nothing else moves
    the image, so that its values stay. wave: standard deviation of a smooth bending, in half image widths. flip: mirror
    half of the images. light: the contrast's and the brightness's change at most. hole: pixels a side of a square that
    is painted over with the image's mean (DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks
    with Cutout", 2017). padding: what comes in from outside, as in `grid_sample`.
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
        """One resampling, then light, then the hole."""
        draw = _Draw(len(x_bchw), x_bchw.device, generator)
        x_bchw = self._moved(x_bchw, draw)
        if self.light:
            mean = x_bchw.mean((1, 2, 3), keepdim=True)
            contrast, brightness = (draw.uniform(2, 1, 1, 1) * self.light).unbind(1)
            x_bchw.mul_(1 + contrast).add_(brightness - contrast * mean).clamp_(0, 1)  # ours: it has just been made
        if self.hole:
            inside = [self._span(side, draw) for side in x_bchw.shape[2:]]
            inside_b1hw = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
            x_bchw = torch.where(inside_b1hw, x_bchw.mean((2, 3), keepdim=True), x_bchw)
        return x_bchw

    def _moved(self, x_bchw: Tensor, draw: "_Draw") -> Tensor:
        """The displacement is linear in what is drawn: one product with a basis instead of an upsampling an image."""
        batch, _, height, width = x_bchw.shape
        angle, shear = draw.uniform() * self.rotation, draw.uniform() * self.shear
        scale = 1 + draw.uniform(2) * self.scale
        shift_x, shift_y = draw.uniform() * self.shift, draw.uniform() * self.shift
        if not (self.rotation or self.scale or self.shear or self.wave):
            shift_x, shift_y = shift_x.round(), shift_y.round()
        cos, sin = angle.cos(), angle.sin()
        top = torch.stack([cos * scale[:, 0], shear - sin * scale[:, 1], shift_x * (2 / width)], 1)
        bottom = torch.stack([sin * scale[:, 0], cos * scale[:, 1], shift_y * (2 / height)], 1)
        weight_b2d = torch.stack([top, bottom], 1)
        if self.wave:
            weight_b2d = torch.cat([weight_b2d, draw.normal(2, KNOTS * KNOTS) * self.wave], 2)
        if self.flip:
            weight_b2d[:, 0] *= draw.uniform(1).sign()
        with torch.autocast(x_bchw.device.type, enabled=False):  # in bf16 a place is off by a tenth of a pixel
            grid_b2p = weight_b2d @ _basis(height, width, x_bchw.device)[: weight_b2d.shape[2]]
        grid_bhw2 = grid_b2p.view(batch, 2, height, width).permute(0, 2, 3, 1)
        return F.grid_sample(x_bchw, grid_bhw2, padding_mode=self.padding, align_corners=False)

    def _span(self, side: int, draw: "_Draw") -> Tensor:
        """bool [B, side]: where the hole is; its middle is anywhere, so it may lie half outside."""
        middle = ((draw.uniform(1) + 1) * (side / 2)).floor()
        from_start = torch.arange(side, device=middle.device) - (middle - self.hole // 2)
        return (from_start >= 0) & (from_start < self.hole)


@dataclass(frozen=True)
class _Draw:
    """Random numbers for each image of a batch."""

    batch: int
    device: torch.device
    generator: torch.Generator | None

    def uniform(self, *shape: int) -> Tensor:
        """[B, *shape] in [-1, 1)."""
        return torch.rand((self.batch, *shape), generator=self.generator, device=self.device) * 2 - 1

    def normal(self, *shape: int) -> Tensor:
        """[B, *shape]."""
        return torch.randn((self.batch, *shape), generator=self.generator, device=self.device)


@cache
def _basis(height: int, width: int, device: torch.device) -> Tensor:
    """[3 + KNOTS x KNOTS, H x W]: what a sampling grid is made of. The pixels' own x and y in [-1, 1], 1, and the
    bicubic bump of each knot.
    """
    unit = torch.eye(2, 3, device=device)[None]
    x_and_y = F.affine_grid(unit, [1, 1, height, width], align_corners=False).permute(0, 3, 1, 2)[0]
    knots = torch.eye(KNOTS * KNOTS, device=device).view(-1, 1, KNOTS, KNOTS)
    bumps = F.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True)[:, 0]
    return torch.cat([x_and_y, torch.ones_like(x_and_y[:1]), bumps]).flatten(1)


def none(x_bchw: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Leave the batch as it is."""
    return x_bchw


AUGMENT: dict[str, Callable[..., Tensor]] = {
    "none": none,
    "digits": Distortion(rotation=0.25, scale=0.15, shear=0.25, shift=2, wave=0.06),  # written by hand
    "numbers": Distortion(rotation=0.1, scale=0.15, shear=0.1, shift=2, light=0.2),  # photographed
    "objects": Distortion(shift=4, flip=True, light=0.1, hole=8, padding="reflection"),
    "clothes": Distortion(rotation=0.05, scale=0.1, shear=0.05, shift=2, flip=True, hole=8),
}
"""By the name in the config. None of them turns an image of a class into one of another."""
