"""Measure a folder of images: how fast files are decoded, how long a second load takes, and how much memory it needs.

`scripts/bench_pool.py --images 100000` writes that many JPEG files into a temporary folder. It loads them as a pool
three times, each time in a separate process. The third process also uses the pool as scoring and training do: in order,
in chunks, and then at random, in batches. Memory is the largest resident set of a process, including torch.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

FOLDERS = 100
SWEEPS = 3
BATCHES = 2000
BATCH = 256
CHUNK = 2048


def make(where: str, start: int, count: int, side: int) -> None:
    """Write images of smooth noise in any colour. Their files are as large as photographs, and all are different."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(start)
    for number in range(start, start + count):
        rough = random.integers(0, 256, (12, 12, 3), np.uint8)
        image = Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC)
        path = Path(where, f"{number % FOLDERS:03}")
        path.mkdir(exist_ok=True)
        image.save(path / f"{number:07}.jpg", quality=85)


def pool(root: str, size: int, use: bool) -> dict[str, float]:
    """Load the pool, and use it if `use` is true. Return seconds, rates, and the memory of the process in MiB."""
    import torch

    from alearn.config import Folder, Imbalance
    from alearn.data import image_folder

    torch.set_num_threads(1)
    measured = {"MiB before": peak()}
    data = Folder(
        name="folder", root=f"{root}/images", limit=None, augment="none", imbalance=Imbalance(shape="none", factor=1),
        size=size, channels=3, layout="unlabeled", labels=None, classes=None, cache=f"{root}/cache",
    )  # fmt: skip
    start = time.perf_counter()
    images = image_folder.load(data)[0].images
    measured["seconds to load"] = time.perf_counter() - start
    measured["images"] = len(images)
    measured["MiB loaded"] = peak()
    if use:
        start = time.perf_counter()
        for _ in range(SWEEPS):
            for index in torch.split(torch.arange(len(images)), CHUNK):
                images[index]
        measured["images/s in order"] = SWEEPS * len(images) / (time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(BATCHES):
            images[torch.randint(len(images), (BATCH,))]
        measured["images/s at random"] = BATCHES * BATCH / (time.perf_counter() - start)
    return measured | {"MiB peak": peak()}


def peak() -> float:
    """Return the largest resident set of this process so far, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=96, help="pixels of a side of the files' images")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side of the pool's images")
    parser.add_argument("--worker", nargs=2, metavar=("ROOT", "USE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        root, use = args.worker
        print(json.dumps(pool(root, args.size, use == "use")))
        return
    with tempfile.TemporaryDirectory() as root:
        Path(root, "images").mkdir()
        start = time.perf_counter()
        step = -(-args.images // 64)
        with ProcessPoolExecutor() as processes:
            for begin in range(0, args.images, step):
                count = min(step, args.images - begin)
                processes.submit(make, f"{root}/images", begin, count, args.side)
        print(
            f"{args.images:,} files written in {time.perf_counter() - start:.0f} s; {os.cpu_count()} CPUs", flush=True
        )
        for name, use in (("first load", "load"), ("second load", "load"), ("second load, used", "use")):
            command = [sys.executable, __file__, "--size", str(args.size), "--worker", root, use]
            measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            print(f"{name}: {measured['images'] / measured['seconds to load']:,.0f} images/s")
            print("".join(f"  {key}: {value:,.1f}\n" for key, value in measured.items()), end="", flush=True)


if __name__ == "__main__":
    main()
