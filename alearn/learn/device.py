"""Choose the device and the precision of the computation."""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import prod
from time import perf_counter

import torch

from alearn.errors import AlearnError


@dataclass(frozen=True)
class Runtime:
    """A device, the precision of its convolutions, and whether training steps are replayed as CUDA graphs."""

    device: torch.device
    bf16: bool
    cuda_graphs: bool = False

    def chunk(self, shape: Sequence[int]) -> int:
        """Return how many images a forward pass takes when scoring.

        They are few enough for the cache of a CPU, and enough to fill a GPU, but not its memory.

        shape: the shape of an image, (C, H, W), or of its features, (F,).
        """
        most, numbers = (256, 1 << 22) if self.device.type == "cpu" else (4096, 1 << 26)
        return max(1, min(most, numbers // prod(shape)))

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context that runs operations in bf16 if bf16 is on. The models compute logits outside of it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def synchronize(self) -> None:
        """Wait for the device. This is for measuring time; never call it inside a training step."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def describe(self) -> str:
        """Return the hardware and the precision, in words."""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        else:
            threads = torch.get_num_threads()
            name = f"{_cpu_name()}, {threads} {'threads' if threads > 1 else 'thread'}"
        return f"{name}, {'bf16' if self.bf16 else 'fp32'}"


@dataclass
class Clock:
    """A clock that measures the seconds of each phase. At the end of a phase it waits for the device."""

    runtime: Runtime
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure how long the body of the `with` statement takes."""
        start = perf_counter()
        yield
        self.runtime.synchronize()
        self.seconds[name] = perf_counter() - start


def choose(
    device: str, precision: str, threads: str | int = "auto", job: int = 0, *, cuda_graphs: bool = False
) -> Runtime:
    """Choose the device and its settings.

    Args:
        device: auto, cpu or cuda.
        precision: auto, fp32 or bf16.
        threads: CPU threads; "auto" leaves torch's number as it is.
        job: The number of a job of a sweep. The jobs take the GPUs in turn.
        cuda_graphs: Whether to replay training steps as CUDA graphs.

    Raises:
        AlearnError: There is no GPU where one is needed, or it does not have the precision.
    """
    gpu = torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise AlearnError("device=cuda: torch finds no usable GPU here; use device=cpu or device=auto")
    if gpu and device != "cpu":
        chosen = torch.device("cuda", job % torch.cuda.device_count())
        torch.cuda.set_device(chosen)
    else:
        chosen = torch.device("cpu")
    if cuda_graphs and chosen.type != "cuda":
        raise AlearnError("cuda_graphs=true: this needs a GPU, and the device is the CPU; use false, or device=cuda")
    fast = torch.cuda.is_bf16_supported() if chosen.type == "cuda" else _cpu_has_bf16()
    if precision == "bf16" and chosen.type == "cuda" and not fast:
        raise AlearnError(
            f"precision=bf16: {torch.cuda.get_device_name(chosen)} does not have it; use precision=fp32 or auto"
        )
    if isinstance(threads, int):
        torch.set_num_threads(threads)
    _tune(chosen)
    return Runtime(chosen, precision == "bf16" or (precision == "auto" and fast), cuda_graphs)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one CPU thread. Among many small operations, threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seed(value: int) -> None:
    """Seed torch's global generators, which draw initial weights, dropout masks and training batches."""
    torch.manual_seed(value)


def _cpu_has_bf16() -> bool:
    """Return whether the CPU has bf16 in hardware. Emulated bf16 is slower than fp32."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    known = [bool(capabilities[key]) for key in ("avx512_bf16", "amx_bf16", "bf16") if key in capabilities]
    return any(known) if known else bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


@cache
def _tune(device: torch.device) -> None:
    """Apply settings that make results repeatable, or that make the computation faster and change nothing else."""
    torch.backends.cudnn.deterministic = True
    torch.set_flush_denormal(True)  # Adadelta's running means decay into denormals, which are slow on CPUs
    if device.type == "cpu" and sys.platform == "linux" and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        # glibc returns every large block to the kernel when it is freed, and each step has to map the same pages again,
        # which takes a fifth of the time of a step of batch 32. Keep up to half a gigabyte instead. (M_MMAP_THRESHOLD
        # is -3, M_TRIM_THRESHOLD -1.)
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has no mallopt
        if mallopt is not None:
            mallopt(-3, 1 << 25)
            mallopt(-1, 1 << 29)


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "CPU"
