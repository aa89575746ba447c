"""Replay the passes of a training step as a CUDA graph.

A step of a small network is some hundred kernels. A GPU runs them faster than Python launches them one by one; a graph
launches them all at once.

Shape letters: B batch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from alearn.errors import AlearnError
from alearn.values import Images

Passes = Callable[[Images, Tensor, Tensor], Tensor]
"""Computes the loss of a batch, a scalar, and its gradients, from the images, indices int64 [B] and labels int64 [B].
It must not wait for the device."""

WARM_UP = 3
"""Batches that are computed without a graph first, so that cuDNN and cuBLAS have their memory when one is recorded."""


class Replay:
    """The passes of a step, recorded after WARM_UP batches, and replayed from then on.

    A graph reads and writes the same memory each time. So batches are copied to where the recorded one was, and batches
    of another size than the first are computed without the graph. The random numbers are those that the passes would
    draw: torch's generator hands a replay the next ones.
    """

    def __init__(self, passes: Passes, parameters: Sequence[nn.Parameter]) -> None:
        """parameters: those that get gradients; before each call their gradients are None."""
        self._passes = passes
        self._parameters = parameters
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batches = 0
        self._shape: torch.Size | None = None

    def __call__(self, images_nchw: Images, index_b: Tensor, label_b: Tensor) -> Tensor:
        """Return the loss of a batch, and leave its gradients in the parameters. All calls take the same images."""
        if self._shape is None:
            self._shape = index_b.shape
        if index_b.shape != self._shape:
            return self._passes(images_nchw, index_b, label_b)
        self._batches += 1
        if self._batches <= WARM_UP:
            beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                loss = self._passes(images_nchw, index_b, label_b)
            torch.cuda.current_stream().wait_stream(beside)
            return loss
        if self._graph is None:
            self._record(images_nchw, index_b, label_b)
        assert self._graph is not None
        self._index_b.copy_(index_b)
        self._label_b.copy_(label_b)
        self._graph.replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._loss.clone()

    def _record(self, images_nchw: Images, index_b: Tensor, label_b: Tensor) -> None:
        """Record the passes. Nothing is computed."""
        self._index_b = index_b.clone()
        self._label_b = label_b.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._loss = self._passes(images_nchw, self._index_b, self._label_b)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise AlearnError(
                f"cuda_graphs=true: a step of this network cannot be recorded ({reason}); use false"
            ) from None
        self._gradients = [parameter.grad for parameter in self._parameters]
        self._graph = graph
