"""Measure the rates of training and scoring as ratios to hand-written code, and how long the command takes to start.

Each competitor runs in a separate process, with the same images, labels, batch size, optimizer and initial seed. All
competitors run in every repeat, and their order alternates. The result is the median of the ratios within a repeat,
because the processes of a repeat share the state of the machine. Rates do not include imports and the first steps.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

STEPS = 300
WARM_STEPS = 50
POOL = 60_000
LOADER_POOL = 10_000
CHUNKS_CPU = (64, 128, 256, 512, 2048)
CHUNKS_GPU = (1024, 4096, 16_384)

TRAIN = ("alearn fit", "bare step", "DataLoader loop")
GRAPHS = "alearn fit, cuda_graphs=true"  # measured on a GPU alone
SCORE = ("alearn score", "bare forward", "DataLoader scoring")
OVERRIDES = {"fast": ["train=fast", "model=source_cnn"], "source": ["train=source", "model=source_cnn"]}


def setting(recipe: str, *, cuda_graphs: bool = False) -> Any:
    """Return the config, the runtime, and the pool on the device."""
    from alearn.config import hydra_front
    from alearn.data import sources
    from alearn.learn import device

    config = hydra_front.compose(*OVERRIDES[recipe])
    runtime = device.choose("auto", "auto", cuda_graphs=cuda_graphs)
    pool, _ = sources.load(config.data, config.seed)
    return config, runtime, pool.to(runtime.device)


def clocked(runtime: Any, work: Callable[[], Any]) -> float:
    """Return the seconds that the work takes, including the work of the device."""
    runtime.synchronize()
    start = time.perf_counter()
    work()
    runtime.synchronize()
    return time.perf_counter() - start


def alearn_fit(recipe: str, *, cuda_graphs: bool = False) -> float:
    """Return images per second of alearn's training, with its batches, its epochs and its progress."""
    import numpy as np

    from alearn.learn.fit import fit
    from alearn.learn.training_set import TrainingSet
    from alearn.models.build import build

    config, runtime, pool = setting(recipe, cuda_graphs=cuda_graphs)
    batch = config.train.batch
    index = np.arange(STEPS * batch)

    def go(steps: int) -> None:
        train = config.train.model_copy(update={"steps": steps, "patience": None, "validation": 0.0})
        labeled = TrainingSet(index, pool.truth[index], np.arange(len(index)) % 2 == 0, index[:0])
        network = partial(build, config.model)
        fit(train, network, pool.images, labeled, 10, runtime=runtime, seed=config.seed, round=1)

    go(WARM_STEPS)
    return STEPS * batch / clocked(runtime, lambda: go(STEPS))


def bare_step(recipe: str) -> float:
    """Return images per second of a training step written by hand.

    It has uint8 tensors on the device, one random order, and the same model, optimizer and precision.
    """
    import torch
    import torch.nn.functional as F

    from alearn.models.build import build

    config, runtime, pool = setting(recipe)
    torch.manual_seed(0)
    train = config.train
    images = pool.images
    truth = torch.from_numpy(pool.truth).to(runtime.device)
    model = build(config.model, (1, 28, 28), 10).to(runtime.device).train()
    if train.optimizer == "adadelta":
        optimizer: Any = torch.optim.Adadelta(model.parameters(), train.lr, rho=0.95, eps=1e-7)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), train.lr, weight_decay=train.weight_decay, fused=True)

    def go(steps: int) -> None:
        order = torch.randperm(STEPS * train.batch, device=runtime.device)
        for i in range(steps):
            batch = order[i * train.batch : (i + 1) * train.batch]
            x = images[batch].to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255)
            with runtime.autocast():
                loss = F.cross_entropy(model(x), truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    go(WARM_STEPS)
    return STEPS * train.batch / clocked(runtime, lambda: go(STEPS))


def plain_model() -> Any:
    """Return the network with the layers of its description and torch's defaults: fp32, NCHW, ReLU before pooling."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def loader(config: Any, batch: int, shuffle: bool) -> Any:
    """Return a DataLoader with torchvision's data set and transforms, as in tutorials."""
    import torch
    from torchvision import datasets, transforms

    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    data = datasets.MNIST(str(Path(config.data.root).expanduser()), train=True, transform=steps)
    return torch.utils.data.DataLoader(data, batch_size=batch, shuffle=shuffle)


def dataloader_loop(recipe: str) -> float:
    """Return images per second of the usual training loop, in fp32 and with `.item()` for the running loss."""
    import torch
    import torch.nn.functional as F

    config, runtime, _ = setting(recipe)
    torch.manual_seed(0)
    train = config.train
    model = plain_model().to(runtime.device).train()
    if train.optimizer == "adadelta":
        optimizer: Any = torch.optim.Adadelta(model.parameters(), train.lr, rho=0.95, eps=1e-7)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), train.lr, weight_decay=train.weight_decay)
    batches = iter(loader(config, train.batch, shuffle=True))

    def go(steps: int) -> None:
        running = 0.0
        for _ in range(steps):
            x, y = next(batches)
            x = x.to(runtime.device)
            y = y.to(runtime.device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()

    go(WARM_STEPS)
    return STEPS * train.batch / clocked(runtime, lambda: go(STEPS))


def alearn_score(recipe: str) -> float:
    """Return images per second of alearn's scoring, from an index of images to `Scores`."""
    import numpy as np

    from alearn.learn.score import score
    from alearn.models.build import build

    config, runtime, pool = setting(recipe)
    model = build(config.model, (1, 28, 28), 10).to(runtime.device)
    score(runtime, model, pool.images, np.arange(2000))
    return POOL / clocked(runtime, lambda: score(runtime, model, pool.images, np.arange(POOL)))


def bare_forward(recipe: str) -> float:
    """Return images per second of forward passes alone, over a tensor on the device, in chunks of the best size."""
    import torch

    from alearn.models.build import build

    config, runtime, pool = setting(recipe)
    model = build(config.model, (1, 28, 28), 10).to(runtime.device).eval()
    images = pool.images[:POOL]

    def go(chunk: int, total: int) -> None:
        with torch.inference_mode(), runtime.autocast():
            for part in images[:total].split(chunk):
                model(part.to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255))

    go(128, 2000)
    chunks = CHUNKS_CPU if runtime.device.type == "cpu" else CHUNKS_GPU
    best = min(chunks, key=lambda chunk: clocked(runtime, lambda: go(chunk, POOL // 4)))
    return POOL / clocked(runtime, lambda: go(best, POOL))


def dataloader_scoring(recipe: str) -> float:
    """Return images per second of the usual scoring loop.

    It has a DataLoader, fp32, batches of 1000, softmax, and moves the results of each batch to the CPU.
    """
    import torch

    config, runtime, _ = setting(recipe)
    model = plain_model().to(runtime.device).eval()
    batches = iter(loader(config, 1000, shuffle=False))

    def go(count: int) -> None:
        with torch.no_grad():
            for _ in range(count):
                x, _ = next(batches)
                model(x.to(runtime.device)).softmax(1).max(1).values.cpu()

    go(1)
    return LOADER_POOL / clocked(runtime, lambda: go(LOADER_POOL // 1000))


WORKERS: dict[str, Callable[[str], float]] = {
    **dict(zip(TRAIN, (alearn_fit, bare_step, dataloader_loop), strict=True)),
    GRAPHS: partial(alearn_fit, cuda_graphs=True),
    **dict(zip(SCORE, (alearn_score, bare_forward, dataloader_scoring), strict=True)),
}


def help_seconds() -> float:
    """Return the seconds that `alearn --help` takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "alearn", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Run everything and print a Markdown report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="torch threads of each process; 0: torch's default")
    parser.add_argument("--recipe", choices=list(OVERRIDES), default="fast")
    parser.add_argument("--worker", choices=list(WORKERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    import torch

    if options.worker:
        if options.threads:
            torch.set_num_threads(options.threads)
        print(json.dumps(WORKERS[options.worker](options.recipe)))
        return
    rates: dict[str, list[float]] = {name: [] for name in WORKERS if name != GRAPHS or torch.cuda.is_available()}
    for repeat in range(options.repeats):
        names = list(rates) if repeat % 2 == 0 else list(rates)[::-1]
        for name in names:
            args = ["--worker", name, "--recipe", options.recipe, "--threads", str(options.threads)]
            done = subprocess.run([sys.executable, __file__, *args], check=True, stdout=subprocess.PIPE, text=True)
            rates[name].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"repeat {repeat + 1} of {options.repeats} done", file=sys.stderr, flush=True)
    starts = [help_seconds() for _ in range(options.repeats)]
    report(options, rates, starts)


def report(options: argparse.Namespace, rates: dict[str, list[float]], starts: list[float]) -> None:
    """Print the median rates, and the ratios with their range."""
    import torch

    from alearn.learn import device
    from alearn.trial.row import commit, versions

    if options.threads:
        torch.set_num_threads(options.threads)
    where = device.choose("auto", "auto").describe()
    print(f"{where}; {versions()}; commit {commit()}; train={options.recipe}; {options.repeats} repeats\n")
    print("| | images per second (median) | rate of alearn / this rate: median (range) |\n| --- | ---: | ---: |")
    for group in ((*TRAIN, GRAPHS), SCORE):
        for name in filter(rates.__contains__, group):
            ratios = [alearn / rate for alearn, rate in zip(rates[group[0]], rates[name], strict=True)]
            shown = (
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if name != group[0] else ""
            )
            print(f"| {name} | {statistics.median(rates[name]):,.0f} | {shown} |")
    print(f"\n`alearn --help`: {statistics.median(starts):.2f} s (range {min(starts):.2f} to {max(starts):.2f})")


if __name__ == "__main__":
    main()
