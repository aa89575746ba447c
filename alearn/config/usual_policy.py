"""The policy of a command line that names none: frugal, which trains long, if there is a GPU, else quick."""

import sys
from collections.abc import Sequence
from pathlib import Path

CHOOSES = ("policy=", "trial=", "experiment=", "data=folder")
"""Overrides that name a policy, or that name a preset which may do so."""

DRIVERS = ("/proc/driver/nvidia", "/dev/dxg", "/dev/kfd")
"""One of these exists on Linux where a driver of GPUs is loaded: NVIDIA's, that of WSL, or AMD's."""


def on(gpu: bool) -> str:
    """Return the name of the policy that suits a GPU or a CPU."""
    return "frugal" if gpu else "quick"


def override(overrides: Sequence[str]) -> list[str]:
    """Return the override that chooses the policy for a GPU, or nothing if there is none or the policy is chosen.

    The override becomes a part of the trial. So a trial that is resumed on a machine without a GPU keeps its policy.
    """
    chosen = any(override.lstrip("+").startswith(CHOOSES) for override in overrides)
    return [] if chosen or "device=cpu" in overrides or not _gpu() else [f"policy={on(gpu=True)}"]


def _gpu() -> bool:
    """Return whether torch finds a GPU. Without a driver it is not asked, because its import takes a second or two."""
    if sys.platform == "linux" and not any(Path(path).exists() for path in DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()
