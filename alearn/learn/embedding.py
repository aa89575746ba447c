"""Prepare the stored features of a data set for a head: fewer dimensions, and smoothed over similar images.

Shape letters: N images, F features, D dimensions, k neighbours, B images of a chunk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from alearn.learn import device
from alearn.models.backbone import Backbone
from alearn.values import Images

MOST = 100_000
"""The most images that are embedded. The time to find their neighbours grows with the square of their number. For so
many it should be a minute of a CPU core, judging by 10,000 images. The features of more images stay as they are, on
disk."""

DIMS = 512
"""D. Fewer dimensions make everything after the embedding faster, and lose nothing that can be measured."""

GRAPH_DIMS = 128
"""The dimensions by which neighbours are found. The others hold mostly noise."""

SAMPLE = 5_000
"""The most images from which the dimensions are computed, evenly spaced."""

NEIGHBOURS = 5
SHARPNESS = 10.0
"""Weights of the neighbours are softmax(SHARPNESS x cosine)."""

STEPS = 2
"""An image is smoothed over the neighbours of its neighbours, too."""

CHUNK = 1_000


@dataclass(frozen=True)
class Embedding:
    """The principal components of features: x is mapped to (x - mean) axes.

    mean_f: float32 [F]. axes_fd: float32 [F, D], orthonormal columns, the largest component first.
    """

    mean_f: Tensor
    axes_fd: Tensor

    @classmethod
    def of(cls, features_nf: Images) -> Self:
        """Compute the components from a sample of features, on their device."""
        n, width = features_nf.shape
        index = torch.linspace(0, n - 1, min(n, SAMPLE)).round().long().to(features_nf.device)
        sample = features_nf[index].float()
        mean_f = sample.mean(0)
        device.seed(0)  # the method draws; the same features give the same components
        _, _, axes_fd = torch.pca_lowrank(sample - mean_f, min(DIMS, width, len(sample)), center=False, niter=3)
        return cls(mean_f, axes_fd)

    def __call__(self, features_nf: Images) -> Tensor:
        """Return the components of features, float16 [N, D]."""
        index_n = torch.arange(len(features_nf), device=features_nf.device)
        chunks = [((features_nf[i].float() - self.mean_f) @ self.axes_fd).half() for i in torch.split(index_n, CHUNK)]
        return torch.cat(chunks) if chunks else self.axes_fd.new_empty(0, self.axes_fd.shape[1], dtype=torch.float16)

    def unfolded(self, weight_kd: Tensor, bias_k: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights [K, F] and biases [K] of a head on features, given those of a head on components."""
        weight_kf = weight_kd @ self.axes_fd.T.to(weight_kd.device)
        return weight_kf, bias_k - weight_kf @ self.mean_f.to(weight_kd.device)


def prepared(features_nf: Images, smooth: bool) -> tuple[Images, Embedding | None]:
    """Prepare the features of a data set for a head. Return them and what was done; it can be done to others, too.

    Args:
        features_nf: The features, float16 [N, F]. More than MOST of them stay as they are.
        smooth: Whether to draw similar images together. This is for the pool only: a head labels new images one by one.
    """
    if len(features_nf) > MOST:
        return features_nf, None
    embedding = Embedding.of(features_nf)
    components_nd = embedding(features_nf)
    return (smoothed(components_nd) if smooth else components_nd), embedding


def on_pixels(backbone: Backbone, embedding: Embedding | None, head: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a `Classifier` that maps pixels to the logits of a head on prepared features.

    Args:
        backbone: The network that has computed the features.
        embedding: What was done to the features; None if nothing was.
        head: The weights of the head, "head.weight" and "head.bias".
    """
    body = {f"body.{name}": value for name, value in backbone.state_dict().items()}
    return body | on_features(embedding, head)


def on_features(embedding: Embedding | None, head: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a head on features, given those of a head on prepared features, as `on_pixels` does."""
    weight = head["head.weight"].cpu()
    bias = head["head.bias"].cpu()
    if embedding is not None:
        weight, bias = embedding.unfolded(weight, bias)
    return {"head.weight": weight, "head.bias": bias}


def smoothed(x_nd: Tensor) -> Tensor:
    """Return components in which each image is drawn towards the images that look like it, float16 [N, D].

    Similar images mostly have the same class, so this brings the images of a class together without any label. This is
    the propagation of Zhou et al., "Learning with Local and Global Consistency" (2003), of features in place of
    labels: z <- x / 2 + mean of the neighbours' z / 2.
    """
    index_nk, weight_nk = neighbours(x_nd)
    z_nd = x_nd
    for _ in range(STEPS if index_nk.shape[1] else 0):
        chunks = zip(*(torch.split(each, CHUNK) for each in (x_nd, index_nk, weight_nk)), strict=True)
        z_nd = torch.cat([(x / 2 + torch.einsum("bk,bkd->bd", w, z_nd[i].float()) / 2).half() for x, i, w in chunks])
    return z_nd


def neighbours(x_nd: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest neighbours of each image by cosine, int64 [N, k], and their weights, float32 [N, k]."""
    count = min(NEIGHBOURS, len(x_nd) - 1)
    unit_nd = F.normalize(x_nd[:, :GRAPH_DIMS].float())
    index = []
    weight = []
    for start in range(0, len(unit_nd), CHUNK):
        near_bn = unit_nd[start : start + CHUNK] @ unit_nd.T
        near_bn.diagonal(start).fill_(-torch.inf)  # nobody is its own neighbour
        cosine_bk, index_bk = near_bn.topk(count)
        index.append(index_bk)
        weight.append((SHARPNESS * cosine_bk).softmax(1))
    return torch.cat(index), torch.cat(weight)
