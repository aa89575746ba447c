"""Layers that several networks use."""

from torch import Tensor, nn


class GlobalMax(nn.Module):
    """The maximum over the last dimension. Unlike adaptive pooling, its gradient on a GPU is deterministic."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima: x [..., n] becomes [...]."""
        return x.amax(-1)
