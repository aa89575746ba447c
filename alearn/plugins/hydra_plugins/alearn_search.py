"""Hydra's side of a search (`hydra/sweeper=optuna`).

Hydra finds sweepers only in the namespace package `hydra_plugins`, and imports all of its modules at every start. So
slow imports happen inside the functions that need them.
"""

import sys
import traceback
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from alearn.errors import AlearnError

if TYPE_CHECKING:
    from alearn.sweep.search_study import Asked, Values


class OptunaSweeper(Sweeper):
    """A sweeper that searches for settings with few hand labels and few wrong labels.

    Its keys are those of `alearn.config.Search`. Any launcher can run the trials. A trial's number is the name of
    its folder. A job returns its two objectives.
    """

    def __init__(self, **keys: Any) -> None:
        super().__init__()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the search. Everything that can fail early fails here, before anything is written.

        Raises:
            AlearnError: Optuna is not installed, or a key of the search or of its trials is wrong.
        """
        from alearn.config import hydra_front, parse, parse_search
        from alearn.sweep import search_study

        self._config = config
        self._dir = Path(config.hydra.sweep.dir)
        self._plan = parse_search(config)
        self._space = hydra_front.space(config)
        shared = parse(self._composed(self._space.probes()[0])).identity()
        self._opened = search_study.opened(self._plan, self._space, self._dir, shared, self._folder)
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Search until `n_trials` trials have finished.

        Raises:
            AlearnError: No trial has finished.
        """
        from alearn.sweep import pareto_front

        folder = self._dir
        plan = self._plan
        folder.mkdir(parents=True, exist_ok=True)
        with self._opened as trials:
            OmegaConf.save(self._config, folder / "multirun.yaml")

            def report() -> None:
                points = trials.points()
                pareto_front.write(folder, points)
                print(pareto_front.progress(points, plan.n_trials, trials.failed()), flush=True)

            if len(trials.points()) >= plan.n_trials:
                print(f"search: hydra.sweeper.n_trials={plan.n_trials} is reached already; a higher one continues it")
            trials.run(plan.n_trials, plan.n_jobs, self._launch, report)
            points = trials.points()
        if not points:
            raise AlearnError(f"{folder}: no trial has finished; fix that, then continue with hydra.sweep.dir={folder}")
        pareto_front.write(folder, points)
        print(f"\n{pareto_front.markdown(pareto_front.front(points))}\n{folder / pareto_front.NAME}")

    def _composed(self, overrides: Sequence[str], number: int = 0) -> DictConfig:
        from alearn.config import hydra_front

        return hydra_front.job(self._config, list(overrides), number)

    def _folder(self, asked: "Asked") -> str:
        return str(self._composed(self._space.job(asked.choices), asked.number).hydra.sweep.subdir)

    def _launch(self, batch: "Sequence[Asked]") -> "list[Values | None]":
        """Run trials and return the objectives of each, None for a trial that failed.

        Hydra numbers the jobs of a launch consecutively, so each sequence of consecutive numbers is a launch.
        """
        values: list[Values | None] = []
        for _, consecutive in groupby(enumerate(batch), lambda pair: pair[1].number - pair[0]):
            values += self._launch_consecutive([asked for _, asked in consecutive])
        return values

    def _launch_consecutive(self, batch: "Sequence[Asked]") -> "list[Values | None]":
        jobs = [self._space.job(asked.choices) for asked in batch]
        try:
            results = self._launcher.launch(jobs, initial_job_idx=batch[0].number)
        except Exception as error:  # a worker was killed, and the results of the other jobs are lost with it
            if len(batch) > 1:
                return [self._launch_consecutive([asked])[0] for asked in batch]  # each trial resumes where it was
            print(f"job {batch[0].number} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return [None]
        return [_values(result) for result in results]


def _values(result: JobReturn) -> "Values | None":
    """Return the objectives of a job, None if it failed."""
    try:
        hand, mislabeled = result.return_value
    except AlearnError:  # the job has already reported it
        return None
    except Exception:  # a bug in alearn, or no memory left: the search continues without this trial
        traceback.print_exc()
        return None
    return hand, mislabeled
