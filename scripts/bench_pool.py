"""Images of one's own, measured: how fast files are decoded, how long the second start takes, how much memory it needs.

`scripts/bench_pool.py --images 100000` makes that many JPEG files in a temporary folder, loads them as a pool twice,
each time in a process of its own, and has the second one go over them as training and scoring do: in order, in chunks,
and at random, in batches. Memory is the largest resident set of that process, torch included.
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
SWEEPS, BATCHES, BATCH, CHUNK = 3, 2000, 256, 2048


def make(where: str, start: int, count: int, side: int) -> None:
    """Smooth noise of any colour, so that files have the size of photographs and no two are the same."""
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
    """Load the pool, and use it if that is asked for; seconds, and the peak of the process's memory in MiB."""
    import torch

    from alearn.config import Folder, Imbalance
    from alearn.data import image_folder

    torch.set_num_threads(1)
    found = {"MiB before": peak()}
    data = Folder(
        name="folder", root=f"{root}/images", limit=None, augment="none", imbalance=Imbalance(shape="none", factor=1),
        size=size, channels=3, layout="unlabeled", labels=None, classes=None, cache=f"{root}/cache",
    )  # fmt: skip
    start = time.perf_counter()
    images = image_folder.load(data)[0].images
    found["seconds to load"] = time.perf_counter() - start
    found["images"], found["MiB loaded"] = len(images), peak()
    if use:
        start = time.perf_counter()
        for _ in range(SWEEPS):
            for index in torch.split(torch.arange(len(images)), CHUNK):
                images[index]
        found["images/s in order"] = SWEEPS * len(images) / (time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(BATCHES):
            images[torch.randint(len(images), (BATCH,))]
        found["images/s at random"] = BATCHES * BATCH / (time.perf_counter() - start)
    return found | {"MiB peak": peak()}


def peak() -> float:
    """The largest resident set so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=96, help="pixels a side of the files")
    parser.add_argument("--size", type=int, default=64, help="pixels a side of the pool's images")
    parser.add_argument("--worker", nargs=2, metavar=("ROOT", "USE"), help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.worker:
        print(json.dumps(pool(words.worker[0], words.size, words.worker[1] == "use")))
        return
    with tempfile.TemporaryDirectory() as root:
        Path(root, "images").mkdir()
        start, step = time.perf_counter(), -(-words.images // 64)
        with ProcessPoolExecutor() as processes:
            for begin in range(0, words.images, step):
                count = min(step, words.images - begin)
                processes.submit(make, f"{root}/images", begin, count, words.side)
        print(f"{words.images:,} files made in {time.perf_counter() - start:.0f} s; {os.cpu_count()} CPUs", flush=True)
        for name, use in (("first load", "load"), ("second load", "load"), ("second load, used", "use")):
            command = [sys.executable, __file__, "--size", str(words.size), "--worker", root, use]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            print(f"{name}: {found['images'] / found['seconds to load']:,.0f} images/s")
            print("".join(f"  {key}: {value:,.1f}\n" for key, value in found.items()), end="", flush=True)


if __name__ == "__main__":
    main()
