"""Compare the rate of the extractor of features, without decoding, with bare forward passes of timm.

Both have the same images, batch size, views and precision, in one process, in turns. The bare pass gets one view at a
time, of float images in the precision of the network that are ready in memory. The ratio is taken within a repeat.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import timm
import torch

from alearn.learn import device
from alearn.learn.extract import Extraction
from alearn.models import pretrained
from alearn.models.pretrained import Pretrained
from alearn.trial.row import commit, versions


def seconds(runtime: device.Runtime, work: Callable[[], object]) -> float:
    """Return the seconds that the work takes, including the work of the device."""
    runtime.synchronize()
    start = time.perf_counter()
    work()
    runtime.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Run both in turns, and print a line of a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="tf_efficientnet_lite0", help="a network of timm; its weights are random")
    parser.add_argument("--size", type=int, default=128, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--views", type=int, choices=(1, 2), default=1)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    options = parser.parse_args()
    runtime = device.choose("auto", options.precision)
    shape = (3, options.size, options.size)
    config = Pretrained(name=options.name, weights=None, views=options.views)
    extraction = Extraction(pretrained.backbone(config, shape), runtime)
    fixed = {"img_size": options.size} if timm.get_pretrained_cfg(options.name).fixed_input_size else {}
    dtype = torch.bfloat16 if runtime.bf16 else torch.float32
    layout = {"dtype": dtype, "memory_format": torch.channels_last}
    network = timm.create_model(options.name, num_classes=0, **fixed).eval().to(runtime.device).to(**layout)
    pixels = torch.randint(256, (options.images, *shape), dtype=torch.uint8)
    batch = torch.rand(extraction.batch, *shape, device=runtime.device).to(**layout)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(options.views * -(-options.images // extraction.batch)):
                network(batch)

    def ours() -> None:
        for part in pixels.split(extraction.chunk):
            extraction(part)

    taken: dict[str, list[float]] = {"extractor": [], "bare": []}
    both = {"extractor": ours, "bare": bare}
    for work in both.values():
        work()
    for repeat in range(options.repeats):
        for name in list(both) if repeat % 2 == 0 else list(both)[::-1]:
            taken[name].append(seconds(runtime, both[name]))
        print(f"repeat {repeat + 1} of {options.repeats} done", file=sys.stderr, flush=True)
    ratios = [bare / ours for ours, bare in zip(taken["extractor"], taken["bare"], strict=True)]
    rates = [f"{options.images / statistics.median(times):,.0f}" for times in taken.values()]
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(
        f"{runtime.describe()}; {versions()}; commit {commit()}; batches of {extraction.batch}; {options.views} views\n"
    )
    print("| network, pixels | extractor, images/s | timm, images/s | ratio: median (range) |")
    print("| --- | ---: | ---: | ---: |")
    print(f"| {options.name}, {options.size} | {rates[0]} | {rates[1]} | {ratio} |")


if __name__ == "__main__":
    main()
