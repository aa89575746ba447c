"""Fold batch norms into the convolutions before them, which makes a network that no longer learns faster on a CPU.

The result is the same function. A network of depthwise convolutions spends a third of its time in batch norms.
"""

from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CLOSE = 1e-3
"""How far the outputs of the folded network may be from those of the network, relative to the largest of them."""

N = TypeVar("N", bound=nn.Module)


def folded(network: N, example: Tensor) -> N:
    """Return a copy of a network in evaluation mode without batch norms, or the network itself if that changes it.

    example: an input of the network. It shows which batch norm follows which convolution.
    """
    copy = deepcopy(network)
    with torch.no_grad():
        for convolution, norm in _pairs(copy, example):
            fused = fuse_conv_bn_eval(convolution, norm)
            convolution.weight = fused.weight
            convolution.bias = fused.bias
            _neutralise(copy, norm)
        before = network(example)
        after = copy(example)
    same = bool((before - after).abs().max() <= CLOSE * before.abs().max())
    return copy if same else network


def _pairs(network: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return the convolutions whose output goes into a batch norm, each with that batch norm."""
    made = dict[int, tuple[Tensor, nn.Conv2d]]()  # by the id of the output, which is kept so that no other gets its id
    pairs = list[tuple[nn.Conv2d, nn.BatchNorm2d]]()

    def convolved(module: nn.Module, inputs: Any, output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        made[id(output)] = (output, module)

    def normed(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        if id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][1], module))

    handles = [
        module.register_forward_hook(convolved)
        if isinstance(module, nn.Conv2d)
        else module.register_forward_pre_hook(normed)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    network(example[:1])
    for handle in handles:
        handle.remove()
    parts = [id(part) for pair in pairs for part in pair]
    return [pair for pair in pairs if all(parts.count(id(part)) == 1 for part in pair)]  # no part is used twice


def _neutralise(network: nn.Module, norm: nn.BatchNorm2d) -> None:
    """Replace a batch norm by what else it does: those of timm contain the activation."""
    rest = nn.Sequential(*(part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part))
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is norm:
                setattr(parent, name, rest)
