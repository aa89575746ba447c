"""The command `alearn`: lets Hydra compose a config, runs one trial of it or a sweep, turns errors into messages."""

import errno
import os
import re
import shlex
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from alearn.config.hydra_front import CONF, explain
from alearn.config.renamed import refuse_old_overrides
from alearn.errors import AlearnError, WaitingError
from alearn.sweep import hydra_callback

if TYPE_CHECKING:
    from alearn.sweep.sweep_progress import Progress

INTERRUPTED, TERMINATED = 130, 143
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
LAUNCHERS = ("joblib.", "ray.", "submitit.")
"""Whose exceptions say that a launcher has lost a worker. (A trial has a process of its own: that may die in peace.)"""


def main() -> None:
    """Run the command line; every error that the user can mend is one message and exit code 1."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra hands us its errors instead of printing them
    signal.signal(signal.SIGTERM, _terminate)
    threading.excepthook = _in_thread
    try:
        sys.argv[1:] = with_resumed(sys.argv[1:])
        refuse_old_overrides(sys.argv[1:])
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(job)()
    except AlearnError as error:
        sys.exit(f"error: {_ended() or error}")
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(f"error: {explain(error)}")
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        again = hydra_callback.running.again() if hydra_callback.running else "the same command"
        sys.exit(f"error: {error}; make room there, then {again} goes on")
    except Exception as error:
        if hydra_callback.running is None or not type(error).__module__.startswith(LAUNCHERS):
            raise
        _go_on(hydra_callback.running, error)
    except KeyboardInterrupt as stop:
        _interrupted(stop, hydra_callback.running.again() if hydra_callback.running else "the same command")
    finally:
        _ended()


def job(composed: DictConfig) -> tuple[float, float]:
    """One trial: Hydra's task function. Returns what sweepers are to minimise: the share of the images that a human
    labeled, and the share of all labels that is wrong.
    """
    from alearn.config import parse

    settings = HydraConfig.get()
    folder, alone = Path(settings.runtime.output_dir), settings.mode == RunMode.RUN
    if not alone and not hydra_callback.in_process(settings.launcher._target_):
        from alearn.sweep import worker

        return _objectives(worker.run(folder, settings.job.num))

    from alearn.trial.row import Origin
    from alearn.trial.run import run  # torch comes with it

    words = tuple(settings.overrides.task)
    try:
        config = parse(composed)
        row = (
            run(config, folder, Origin(words))
            if alone
            else run(config.in_sweep(), folder, Origin(words, settings.job.num))
        )
    except WaitingError as waiting:
        print(waiting, flush=True)
        raise SystemExit(0) from None
    except AlearnError as error:
        if alone:
            sys.exit(f"error: {error}")
        raise
    except KeyboardInterrupt as stop:
        if alone:
            _interrupted(stop, f"alearn resume={shlex.quote(str(folder))}")
        raise
    return _objectives(row)


def _objectives(row: dict[str, Any]) -> tuple[float, float]:
    return row["hand"] / row["images"], row["mislabeled_total"]


def _ended() -> str:
    """Close the sweep of this process, if there is one; what to do about its failed jobs, "" if there are none."""
    if hydra_callback.running is None:
        return ""
    hydra_callback.running.close()
    failures = hydra_callback.running.failures()
    hydra_callback.running = None
    return failures


def _go_on(progress: "Progress", error: Exception) -> NoReturn:
    """Start the sweep again where it is, if it has come any further; the launcher has given it up."""
    what = f"the launcher has lost a worker ({type(error).__name__})"
    if type(error).__module__.startswith("submitit."):  # the cluster may still have jobs in its queue
        sys.exit(f"error: {what}: {error}\nonce its other jobs have ended or are cancelled, {progress.again()} goes on")
    progress.wait()
    if not progress.finished:
        sys.exit(f"error: {what} before any job was finished; {progress.again()} goes on")
    print(f"{what}; going on with what is left", file=sys.stderr, flush=True)
    words = [word for word in sys.argv[1:] if not word.startswith("hydra.sweep.dir=")]
    os.execv(sys.executable, [sys.executable, "-m", "alearn", *words, f"hydra.sweep.dir='{progress.folder}'"])


def _interrupted(stop: KeyboardInterrupt, again: str) -> NoReturn:
    print(f"\ninterrupted; to go on: {again}", file=sys.stderr, flush=True)
    raise SystemExit(TERMINATED if isinstance(stop, _Terminated) else INTERRUPTED) from None


def with_resumed(words: list[str]) -> list[str]:
    """Replace `resume=DIR` in the command line by what DIR was started with, and DIR as the output folder."""
    given = [word for word in words if word.startswith("resume=") and word not in ("resume=", "resume=null")]
    if not given:
        return words
    folder = Path(given[-1].removeprefix("resume=").strip("'\""))
    if {"-m", "--multirun"} & set(words):
        raise AlearnError(
            f"resume={folder} is for one trial; a sweep goes on with the same command and hydra.sweep.dir=DIR"
        )
    if not folder.is_dir():
        raise AlearnError(f"resume={folder}: there is no such folder")
    try:
        overrides = [str(word) for word in OmegaConf.load(folder / ".hydra" / "overrides.yaml")]
        mode = OmegaConf.select(OmegaConf.load(folder / ".hydra" / "hydra.yaml"), "hydra.mode")
        if mode == RunMode.MULTIRUN.name and not any(re.fullmatch(r"threads=\d+", word) for word in overrides):
            overrides.append("threads=1")  # as a job of a sweep has it
    except FileNotFoundError:
        raise AlearnError(f"resume={folder}: that folder holds no trial (it has no .hydra/overrides.yaml)") from None
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"resume={folder}: its .hydra or config.yaml is damaged ({type(error).__name__})") from None
    root = OmegaConf.select(_written(folder), "data.root")
    if "data=folder" in overrides and root is not None:  # it may have been relative to another folder than this one
        overrides = [word for word in overrides if not word.startswith("data.root=")]
        overrides.append(f"data.root='{_quoted(root)}'")
    more = [word for word in words if word not in given]
    return [*overrides, *more, f"hydra.run.dir='{_quoted(folder.absolute())}'"]


def _quoted(path: object) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")


def _written(folder: Path) -> Any:
    """The config that a trial wrote, an empty one if it has not come so far."""
    try:
        return OmegaConf.load(folder / "config.yaml")
    except Exception:  # a damaged file can fail in any way; whoever needs it will say so
        return OmegaConf.create()


def _in_thread(failed: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread; the next event raises what stopped that, and then it is reported."""
    if not isinstance(failed.exc_value, OSError):
        threading.__excepthook__(failed)


class _Terminated(KeyboardInterrupt):
    """SIGTERM: ends a trial as Ctrl-C does."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated
