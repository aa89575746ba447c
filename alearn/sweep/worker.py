"""Run a job of a sweep in a separate process. If that process dies, one trial is lost, and not the launcher's pool.

The launcher's worker imports little. It waits for the process, and records how it ended. The process ends if the
worker ends.
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
    """Run the trial that Hydra composed in a folder (in .hydra/config.yaml), and return its row.

    Raises:
        AlearnError: The trial failed, or its process was killed. status.failure(folder) has the reason.
    """
    from alearn.trial import row, status

    if not status.locked(folder):
        (folder / status.FAILED).unlink(missing_ok=True)  # from an earlier attempt
    args = [sys.executable, "-m", "alearn.sweep.worker", str(folder.absolute()), str(job)]
    with (folder / LOG).open("a") as log, Popen(args, stdin=PIPE, stdout=DEVNULL, stderr=log) as process:
        code = process.wait()
    if code == 0 and (done := row.load(folder)) is not None:
        return done
    reason = None if code < 0 else status.failure(folder)
    if reason is None:
        reason = f"its process ended with exit code {code}: see {folder / LOG}"
        if code < 0:
            name = signal.Signals(-code).name
            reason = f"its process was ended by {name}"
            if name == "SIGKILL":
                reason += " (the system does so when memory runs out)"
        if not status.locked(folder):  # otherwise another process is running the trial, and refused this one
            status.fail(folder, reason)
    raise AlearnError(reason)


def main() -> None:
    """Run a trial in its own process: python -m alearn.sweep.worker FOLDER JOB.

    Its standard input is a pipe that closes when the launcher's worker ends.
    """
    folder = Path(sys.argv[1])
    job = int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # a cluster also signals the worker, which knows what to do
    Thread(target=_end_with_the_worker, daemon=True).start()
    logging.basicConfig(
        filename=folder / LOG, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s  %(message)s"
    )
    from alearn.config import parse
    from alearn.report.reporters import run_shown
    from alearn.trial.row import Origin

    composed = OmegaConf.load(folder / ".hydra" / "config.yaml")
    overrides = tuple(map(str, OmegaConf.load(folder / ".hydra" / "overrides.yaml")))
    assert isinstance(composed, DictConfig)
    try:
        run_shown(parse(composed).in_sweep(), folder, Origin(overrides, job))
    except AlearnError as error:
        sys.exit(f"error: {error}")


def _end_with_the_worker() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would make the interpreter abort at its end
        pass
    os._exit(1)  # end at once, as if killed; no label is lost


if __name__ == "__main__":
    main()
