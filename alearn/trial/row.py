"""row.json: the results of a finished trial, and everything that is needed to run it again."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alearn import __version__
from alearn.config import Config, flatten
from alearn.files import atomic
from alearn.trial.metrics import METRICS
from alearn.trial.published import comparable

if TYPE_CHECKING:  # it imports torch, and a sweep's own process only reads rows
    from alearn.learn.device import Runtime

NAME = "row.json"
PHASES = ("fit", "score", "decide", "ask", "measure")


@dataclass(frozen=True)
class Origin:
    """What started a trial.

    Attributes:
        overrides: The overrides on its command line.
        job: Its number in a sweep, None outside of a sweep.
    """

    overrides: Sequence[str] = ()
    job: int | None = None


UNKNOWN = Origin()


def build(
    config: Config, origin: Origin, history: list[dict[str, Any]], final: dict[str, Any], runtime: Runtime
) -> dict[str, Any]:
    """Return the row of a trial. `alearn.trial.metrics` says what its numbers mean.

    Args:
        config: The config of the trial.
        origin: What started the trial.
        history: The metrics of its rounds.
        final: The metrics of its labels at the end.
        runtime: Where and how it computed.
    """
    policy = config.policy
    published = comparable(config.data, policy)
    seconds = {phase: sum(metrics.get(f"seconds_{phase}", 0.0) for metrics in history) for phase in PHASES}
    images = images_of(final)
    return {
        "trial": config.trial.name,
        "seed": config.seed,
        "settings": policy.describe(images),
        "init_fraction": policy.init_fraction or round(policy.init_size(images) / images, 6),
        "threshold": policy.threshold,
        "hand_fraction": policy.hand_fraction or round(policy.round_size(images) / images, 6),
        "rounds": len(history),
        **{metric.key: final.get(metric.key) for metric in METRICS if metric.in_rounds and metric.in_row},
        "learning_curve": [[metrics["hand"], metrics["wrong_if_finished"]] for metrics in history],
        "test_accuracy": history[-1]["test_accuracy"] if history else None,
        "images": images,
        "certificate": final.get("certificate"),
        "seconds": seconds | {"total": sum(seconds.values())},
        "published": published and asdict(published),
        "device": runtime.device.type,
        "hardware": runtime.describe(),
        "versions": versions(),
        "git_commit": commit(),
        "overrides": list(origin.overrides),
        "job": origin.job,
        "config": flatten(config.model_dump()),
        "digest": config.digest(),
        "setting": config.setting(),
    }


def images_of(metrics: Mapping[str, Any]) -> int:
    """Return the number of images in the data set, given the counts of a round or a trial."""
    return sum(metrics.get(key) or 0 for key in ("hand", "given", "auto", "unlabeled"))


def save(folder: Path, row: dict[str, Any]) -> None:
    """Write row.json."""
    atomic.replace(folder / NAME, json.dumps(row, indent=1) + "\n")


def load(folder: Path) -> dict[str, Any] | None:
    """Return the row in a folder, None if there is none that can be read. An unchanged file is read only once."""
    try:
        stat = (folder / NAME).stat()
        row = _parsed(folder / NAME, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) and "setting" in row else None


@cache
def _parsed(path: Path, changed: int, size: int) -> Any:
    return json.loads(path.read_text())


def command(row: dict[str, Any]) -> str:
    """Return the command line that runs the row's trial again, on its own and in a new folder."""
    overrides = list(row["overrides"])
    if row["job"] is not None:
        overrides.append(f"threads={row['config']['threads']}")  # in a sweep, the default is one thread
    return shlex.join(["alearn", *overrides])


@cache
def versions() -> dict[str, str]:
    """Return the versions of the software that the results depend on, by name."""
    by_name = {"alearn": __version__, "python": platform.python_version()}
    for name in ("torch", "torchvision", "timm", "numpy", "hydra-core"):
        try:
            by_name[name] = version(name)
        except PackageNotFoundError:
            by_name[name] = "unknown"
    return by_name


@cache
def commit() -> str | None:
    """Return the git commit of a checkout, with "+" if files differ from it; None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True, check=True).stdout.strip()
            for args in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}+" if changes else head
