"""Random distortions of whole batches, on the device, without a loop over images.

Shape letters: B batch, C channels, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

ROTATION, SCALE, SHEAR = 0.25, 0.15, 0.25  # radians, share, share
SHIFT = 2  # pixels
WAVE, KNOTS = 0.06, 5  # sd of the displacement at the knots, in half image widths; knots a side


def digits(x_bchw: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Rotate, scale, shear, shift and smoothly bend handwritten characters; no flips. Float in and out, same shape and
    device.

    The affine map and a random displacement, bicubic between KNOTS x KNOTS points, are one resampling.
    """
    batch, _, height, width = x_bchw.shape
    device = x_bchw.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device) * 2 - 1

    angle, shear = uniform(batch) * ROTATION, uniform(batch) * SHEAR
    scale = 1 + uniform(batch, 2) * SCALE
    shift_x, shift_y = uniform(batch) * (2 * SHIFT / width), uniform(batch) * (2 * SHIFT / height)
    cos, sin = angle.cos(), angle.sin()
    top = torch.stack([cos * scale[:, 0], shear - sin * scale[:, 1], shift_x], 1)
    bottom = torch.stack([sin * scale[:, 0], cos * scale[:, 1], shift_y], 1)
    grid = F.affine_grid(torch.stack([top, bottom], 1), list(x_bchw.shape), align_corners=False)
    knots = torch.randn(batch, 2, KNOTS, KNOTS, generator=generator, device=device) * WAVE
    wave = F.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return F.grid_sample(x_bchw, grid + wave, padding_mode="border", align_corners=False)


def none(x_bchw: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Leave the batch as it is."""
    return x_bchw


AUGMENT = {"none": none, "digits": digits}
