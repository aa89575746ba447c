"""Layers that several networks have."""

from torch import Tensor, nn


class GlobalMax(nn.Module):
    """Maximum over the last dimension; unlike adaptive pooling it has a deterministic gradient on a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., n] to [...]."""
        return x.amax(-1)
