"""row.json: what a finished trial comes to, and what it takes to run it again."""

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

if TYPE_CHECKING:  # torch comes with it, and a sweep's own process only reads rows
    from alearn.learn.device import Runtime

NAME = "row.json"
PHASES = ("fit", "score", "decide", "ask", "measure")


@dataclass(frozen=True)
class Origin:
    """What a trial was started by: the words of its command line, and its number in a sweep, None outside of one."""

    overrides: Sequence[str] = ()
    job: int | None = None


UNKNOWN = Origin()


def build(
    config: Config, origin: Origin, history: list[dict[str, Any]], final: dict[str, Any], runtime: Runtime
) -> dict[str, Any]:
    """The row of a finished trial. history: the metrics of its rounds; final: of its labels.

    `alearn.trial.metrics` says what its numbers mean.
    """
    policy, published = config.policy, comparable(config.data, config.policy)
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
    """Write row.json, whole."""
    atomic.replace(folder / NAME, json.dumps(row, indent=1) + "\n")


def load(folder: Path) -> dict[str, Any] | None:
    """The row in a folder, None if there is none that can be read. Read once as long as the file is the same."""
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
    """The command line that runs the row's trial again, by itself and in a new folder."""
    words = list(row["overrides"])
    if row["job"] is not None:
        words.append(f"threads={row['config']['threads']}")  # a job of a sweep has one unless told otherwise
    return shlex.join(["alearn", *words])


@cache
def versions() -> dict[str, str]:
    """Of what the result depends on."""
    found = {"alearn": __version__, "python": platform.python_version()}
    for name in ("torch", "torchvision", "numpy", "hydra-core"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


@cache
def commit() -> str | None:
    """The git commit of a checkout, with "+" if files differ from it; None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + "+" * bool(changes)
