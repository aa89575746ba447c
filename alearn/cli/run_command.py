"""`alearn [OVERRIDES]` and `alearn -m [OVERRIDES]`: compose a config with Hydra, and run a trial or a sweep."""

import errno
import os
import re
import shlex
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from alearn.cli import help_page
from alearn.cli.exit_codes import DONE, report
from alearn.config import usual_policy
from alearn.config.hydra_front import explain, in_process, refuse_respelled_seed
from alearn.config.presets import CONF
from alearn.config.renamed import refuse_old_overrides
from alearn.errors import AlearnError, WaitingError
from alearn.sweep import running_sweep
from alearn.sweep.running_sweep import RunningSweep

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
LAUNCHERS = ("joblib.", "ray.", "submitit.")
"""Packages whose exceptions mean that a launcher has lost a worker. (Each trial runs in its own process, whose end does
not harm the launcher.)"""


def run(args: Sequence[str]) -> int:
    """Run a trial or a sweep and return the exit code. Raise AlearnError for an error that the user can fix."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # so that Hydra raises its errors instead of printing them
    threading.excepthook = _in_thread
    with running_sweep.owned() as sweep:
        try:
            overrides = with_resumed(list(args))
            if overrides == list(args):  # a trial that is resumed keeps its policy, whatever the machine
                overrides += usual_policy.override(overrides)
            sys.argv = ["alearn", *overrides]  # Hydra reads its arguments from there
            refuse_old_overrides(overrides)
            refuse_respelled_seed(overrides)
            if {"--help", "-h"} & set(args):
                print(help_page.text([arg for arg in overrides if not arg.startswith("-")]))
                return DONE
            hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(job)()
        except AlearnError as error:
            raise AlearnError(sweep.end() or str(error)) from error
        except (HydraException, OmegaConfBaseException) as error:
            raise AlearnError(explain(error)) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise AlearnError(f"{error}; make room there, then continue with {sweep.again()}") from error
        except KeyboardInterrupt as stop:
            return report(stop if stop.args else type(stop)(sweep.again()))
        except Exception as error:
            if sweep.progress is None or not type(error).__module__.startswith(LAUNCHERS):
                raise
            _restart(sweep, error)
    return DONE


def job(composed: DictConfig) -> tuple[float, float]:
    """Run one trial, as Hydra's task function. Return the values that a search minimizes."""
    from alearn.config import parse
    from alearn.trial.metrics import objectives

    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    alone = settings.mode == RunMode.RUN
    if not alone and not in_process(settings.launcher._target_):
        from alearn.sweep import worker

        return objectives(worker.run(folder, settings.job.num))

    from alearn.report.reporters import run_shown  # here, because it imports torch
    from alearn.trial.row import Origin

    overrides = tuple(settings.overrides.task)
    try:
        config = parse(composed)
        if alone:
            return objectives(run_shown(config, folder, Origin(overrides)))
        return objectives(run_shown(config.in_sweep(), folder, Origin(overrides, settings.job.num)))
    except WaitingError as waiting:
        raise SystemExit(report(waiting)) from None
    except AlearnError as error:
        if alone:
            raise SystemExit(report(error)) from None  # Hydra would print its own text about an exception
        raise
    except KeyboardInterrupt as stop:
        if alone:
            raise type(stop)(f"alearn resume={shlex.quote(str(folder))}") from None
        raise


def _restart(sweep: RunningSweep, error: Exception) -> NoReturn:
    """Restart a sweep that its launcher has given up. Raise AlearnError if no job was finished."""
    progress = sweep.progress
    assert progress is not None
    reason = f"the launcher has lost a worker ({type(error).__name__})"
    if type(error).__module__.startswith("submitit."):  # the cluster may still have jobs in its queue
        raise AlearnError(
            f"{reason}: {error}\nonce its other jobs have ended or are cancelled, continue with {sweep.again()}"
        )
    progress.wait()
    if not progress.finished:
        raise AlearnError(f"{reason} before any job was finished; continue with {sweep.again()}")
    print(f"{reason}; continuing with the remaining jobs", file=sys.stderr, flush=True)
    args = [arg for arg in sys.argv[1:] if not arg.startswith("hydra.sweep.dir=")]
    os.execv(sys.executable, [sys.executable, "-m", "alearn", *args, f"hydra.sweep.dir='{progress.folder}'"])


def with_resumed(args: list[str]) -> list[str]:
    """Replace `resume=DIR` in a command line by the overrides of the trial in DIR, and make DIR the output folder."""
    given = [arg for arg in args if arg.startswith("resume=") and arg not in ("resume=", "resume=null")]
    if not given:
        return args
    folder = Path(given[-1].removeprefix("resume=").strip("'\""))
    if {"-m", "--multirun"} & set(args):
        raise AlearnError(
            f"resume={folder} is for one trial; continue a sweep with the same command and hydra.sweep.dir=DIR"
        )
    if not folder.is_dir():
        raise AlearnError(f"resume={folder}: there is no such folder")
    try:
        overrides = [str(override) for override in OmegaConf.load(folder / ".hydra" / "overrides.yaml")]
        mode = OmegaConf.select(OmegaConf.load(folder / ".hydra" / "hydra.yaml"), "hydra.mode")
        if mode == RunMode.MULTIRUN.name and not any(re.fullmatch(r"threads=\d+", override) for override in overrides):
            overrides.append("threads=1")  # as in the job of the sweep
    except FileNotFoundError:
        raise AlearnError(f"resume={folder}: that folder holds no trial (it has no .hydra/overrides.yaml)") from None
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"resume={folder}: its .hydra or config.yaml is damaged ({type(error).__name__})") from None
    root = OmegaConf.select(_written(folder), "data.root")
    if "data=folder" in overrides and root is not None:  # it may have been relative to another folder than this one
        overrides = [override for override in overrides if not override.startswith("data.root=")]
        overrides.append(f"data.root='{_quoted(root)}'")
    more = [arg for arg in args if arg not in given]
    return [*overrides, *more, f"hydra.run.dir='{_quoted(folder.absolute())}'"]


def _quoted(path: object) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")


def _written(folder: Path) -> Any:
    """Return the config that a trial wrote, or an empty one if there is none yet."""
    try:
        return OmegaConf.load(folder / "config.yaml")
    except Exception:  # a damaged file can fail in any way; its next reader reports it
        return OmegaConf.create()


def _in_thread(failed: threading.ExceptHookArgs) -> None:
    """Ignore an OSError in TensorBoard's writer thread. The next event raises it again, and then it is reported."""
    if not isinstance(failed.exc_value, OSError):
        threading.__excepthook__(failed)
