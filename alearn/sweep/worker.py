"""A job of a sweep in a process of its own: whatever ends that process costs one trial, not the launcher's pool.

The launcher's worker stays light. It waits, and takes down how the process ended; that one ends with its worker.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Thread
from typing import Any

from omegaconf import DictConfig, OmegaConf

from alearn.errors import AlearnError

LOG = "alearn.log"


def run(folder: Path, job: int) -> dict[str, Any]:
    """Run the trial that Hydra composed in a folder (its .hydra/config.yaml); returns its row.

    Raises AlearnError if the trial fails, or its process is killed; status.failure(folder) has the reason then.
    """
    from alearn.trial import row, status

    if not status.locked(folder):
        (folder / status.FAILED).unlink(missing_ok=True)  # an earlier attempt's
    words = [sys.executable, "-m", "alearn.sweep.worker", str(folder.absolute()), str(job)]
    with (folder / LOG).open("a") as log, Popen(words, stdin=PIPE, stdout=DEVNULL, stderr=log) as process:
        code = process.wait()
    if code == 0 and (done := row.load(folder)) is not None:
        return done
    reason = None if code < 0 else status.failure(folder)
    if reason is None:
        reason = f"its process ended with exit code {code}: see {folder / LOG}"
        if code < 0:
            reason = f"its process was ended by {signal.Signals(-code).name}"
            reason += " (the system does so when memory runs out)" * (signal.Signals(-code).name == "SIGKILL")
        if not status.locked(folder):  # otherwise a trial is alive there, and this one was refused
            status.fail(folder, reason)
    raise AlearnError(reason)


def main() -> None:
    """The trial's process: python -m alearn.sweep.worker FOLDER JOB; its input is a pipe that ends with the worker."""
    folder, job = Path(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # a cluster signals all processes of a job, and the worker knows why
    Thread(target=_end_with_the_worker, daemon=True).start()
    logging.basicConfig(
        filename=folder / LOG, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s  %(message)s"
    )
    from alearn.config import parse
    from alearn.report.reporters import run_shown
    from alearn.trial.row import Origin

    composed = OmegaConf.load(folder / ".hydra" / "config.yaml")
    words = tuple(map(str, OmegaConf.load(folder / ".hydra" / "overrides.yaml")))
    assert isinstance(composed, DictConfig)
    try:
        run_shown(parse(composed).in_sweep(), folder, Origin(words, job))
    except AlearnError as error:
        sys.exit(f"error: {error}")


def _end_with_the_worker() -> None:
    while os.read(0, 1):  # not sys.stdin: its lock, held here, would abort the interpreter's own end
        pass
    os._exit(1)  # at once, as if killed: nothing that is labeled is lost


if __name__ == "__main__":
    main()
