"""The policy of a command line that names none: frugal on a GPU, where its long training takes seconds, else quick."""

import sys
from collections.abc import Sequence
from pathlib import Path

CHOOSES = ("policy=", "trial=", "experiment=", "data=folder")
"""Overrides that name a policy, or that name a preset which may do so."""

DRIVERS = ("/proc/driver/nvidia", "/dev/dxg", "/dev/kfd")
"""One of these exists on Linux where a driver of GPUs is loaded: NVIDIA's, that of WSL, or AMD's."""


def usual_policy(overrides: Sequence[str]) -> list[str]:
    """Return the override that chooses the policy for this machine, or nothing if conf/config.yaml's suits it.

    The override becomes a part of the trial, so that a trial that is resumed on another machine keeps its policy.
    """
    chosen = any(override.lstrip("+").startswith(CHOOSES) for override in overrides)
    return [] if chosen or "device=cpu" in overrides or not _gpu() else ["policy=frugal"]


def _gpu() -> bool:
    """Return whether torch finds a GPU. Without a driver it is not asked, because its import takes a second or two."""
    if sys.platform == "linux" and not any(Path(path).exists() for path in DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()
