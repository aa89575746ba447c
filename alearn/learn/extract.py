"""Compute the features of images with a frozen backbone, on the device, batch by batch.

Shape letters: B images, C channels, H height, W width, F features.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from alearn.config import Data, Folder
from alearn.errors import AlearnError
from alearn.learn import device
from alearn.learn.device import Runtime
from alearn.models import pretrained
from alearn.models.backbone import Backbone
from alearn.models.classifier import to_float
from alearn.models.pretrained import Pretrained

BATCH_CPU, BATCH_GPU = 32, 256
"""Images per forward pass."""

BATCHES = 4
"""Batches that are asked for at a time. After them the features are on disk, and the progress bar moves."""

MOST = torch.finfo(torch.float16).max


def extraction(config: Pretrained, data: Data, runtime: Runtime) -> "Extraction":
    """Return the extractor for a data set.

    Files are decoded to data.size and data.channels; data.size=auto means colour, at the size that the weights know.
    Images of known data sets are resized to that size on the device.

    Raises:
        AlearnError: The backbone or its weights are not available.
    """
    shape = None
    device.seed(0)  # so random weights are the same ones whenever a trial goes on
    if isinstance(data, Folder) and data.size != "auto":
        shape = (3 if data.channels == "auto" else data.channels, data.size, data.size)
    return Extraction(pretrained.backbone(config, shape), runtime)


class Extraction:
    """A backbone on a device, as `alearn.values.Extractor`.

    All forward passes have the same number of images, because libraries compute differently rounded results for another
    number: an incomplete batch is filled up with black images. So the features of an image are the same in whatever
    batch it is, on the same hardware. bf16 and fp32 have different keys.

    backbone: the network, which can be trained. done: the number of images whose features it has computed.
    """

    def __init__(self, backbone: Backbone, runtime: Runtime) -> None:
        self.backbone = backbone
        self.key = f"{backbone.key} {'bf16' if runtime.bf16 else 'fp32'}"
        self.width = backbone.features
        self.size = backbone.size
        self.channels = backbone.channels
        self.batch = BATCH_CPU if runtime.device.type == "cpu" else BATCH_GPU
        self.chunk = BATCHES * self.batch
        self.done = 0
        self._network = backbone.frozen(runtime.bf16).to(runtime.device)
        self._runtime = runtime

    def __call__(self, pixels_bchw: Tensor) -> Tensor:
        """Return the features of images (uint8 [B, C, H, W], on the CPU), float16 [B, F], on the CPU.

        Features that float16 cannot hold become the nearest number that it can.

        Raises:
            AlearnError: Some features are not numbers.
        """
        features_bf = self._computed(pixels_bchw)
        self._runtime.synchronize()
        if features_bf.isnan().any():
            precision = "precision=fp32 may help, or " if self._runtime.bf16 else ""
            raise AlearnError(f"model: some of its features are not numbers; {precision}choose another network")
        self.done += len(features_bf)
        return features_bf

    def _computed(self, pixels_bchw: Tensor) -> Tensor:
        """Start the computation of the features, as `__call__` returns them, without waiting for the device."""
        on = self._runtime.device
        gpu = on.type == "cuda"
        features_bf = torch.empty((len(pixels_bchw), self.width), dtype=torch.float16, pin_memory=gpu)
        with torch.inference_mode():
            for start in range(0, len(pixels_bchw), self.batch):
                part_bchw = pixels_bchw[start : start + self.batch]
                count = len(part_bchw)
                part_bchw = F.pad(part_bchw, (0, 0, 0, 0, 0, 0, 0, self.batch - count))
                if gpu:
                    part_bchw = part_bchw.pin_memory()
                made_bf = self._network(to_float(part_bchw.to(on, non_blocking=True)))
                made_bf = made_bf[:count].float().clamp(-MOST, MOST).half()
                features_bf[start : start + count].copy_(made_bf, non_blocking=True)
        return features_bf
