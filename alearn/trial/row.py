"""row.json: what a finished trial comes to, and what it takes to run it again."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alearn import __version__
from alearn.config import Config, flatten
from alearn.files import atomic
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

    The table's columns first: init_fraction, threshold, hand_fraction, rounds, hand, auto, mislabeled_auto.
    learning_curve: after each round, how many labels are by hand, and how many would be wrong if the model gave all the
    rest (None where nobody knows).
    """
    policy, published = config.policy, comparable(config.data, config.policy)
    seconds = {phase: sum(metrics.get(f"seconds_{phase}", 0.0) for metrics in history) for phase in PHASES}
    images = final["hand"] + final.get("given", 0) + final["auto"] + final["unlabeled"]
    keys = (
        "hand",
        "auto",
        "mislabeled_auto",
        "mislabeled_total",
        "wrong_auto",
        "unlabeled",
        "first",
        "query",
        "audit",
        "rest",
    )
    return {
        "trial": config.trial.name,
        "seed": config.seed,
        "settings": policy.describe(images),
        "init_fraction": policy.init_fraction or round(policy.init_size(images) / images, 6),
        "threshold": policy.threshold,
        "hand_fraction": policy.hand_fraction or round(policy.round_size(images) / images, 6),
        "rounds": len(history),
        **{key: final[key] for key in keys},
        **{key: final.get(key, 0) for key in ("given", "aside")},
        **{
            key: final.get(key)
            for key in (
                "certificate",
                "estimated_mislabeled_auto",
                "worst_class_error",
                "mean_class_error",
                "missing_classes",
                "per_class",
            )
        },
        "learning_curve": [[metrics["hand"], metrics["wrong_if_finished"]] for metrics in history],
        "test_accuracy": history[-1]["test_accuracy"] if history else None,
        "images": images,
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
