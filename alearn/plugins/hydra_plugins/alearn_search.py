"""Hydra's side of a search (`hydra/sweeper=optuna`). Hydra takes sweepers from the namespace `hydra_plugins` alone, and
imports all that is in it whenever it starts: what is heavy is imported on use.
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
    """Searches for the settings that need few hand labels and give few wrong ones; its keys are `alearn.config.Search`.

    Any launcher runs its trials, in folders named by their numbers. The job's return value is the pair of objectives.
    """

    def __init__(self, **keys: Any) -> None:
        super().__init__()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare all that can fail before anything is written. Raises AlearnError."""
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
        """Search until `n_trials` have finished. Raises AlearnError if none has."""
        from alearn.sweep import pareto_front

        folder, plan = self._dir, self._plan
        folder.mkdir(parents=True, exist_ok=True)
        with self._opened as trials:
            OmegaConf.save(self._config, folder / "multirun.yaml")

            def report() -> None:
                points, failed = trials.points(), trials.failed()
                pareto_front.write(folder, points)
                print(pareto_front.progress(points, plan.n_trials, failed), flush=True)

            if len(trials.points()) >= plan.n_trials:
                print(f"search: hydra.sweeper.n_trials={plan.n_trials} is reached already; a higher one goes on")
            trials.run(plan.n_trials, plan.n_jobs, self._launch, report)
            points = trials.points()
        if not points:
            raise AlearnError(f"{folder}: no trial has finished; mend why, then go on with hydra.sweep.dir={folder}")
        pareto_front.write(folder, points)
        print(f"\n{pareto_front.markdown(pareto_front.front(points))}\n{folder / pareto_front.NAME}")

    def _composed(self, overrides: Sequence[str], number: int = 0) -> DictConfig:
        from alearn.config import hydra_front

        return hydra_front.job(self._config, list(overrides), number)

    def _folder(self, asked: "Asked") -> str:
        return str(self._composed(self._space.job(asked.words), asked.number).hydra.sweep.subdir)

    def _launch(self, batch: "Sequence[Asked]") -> "list[Values | None]":
        """Hydra numbers the jobs of a launch from its first one on, so each run of numbers is launched by itself."""
        values: list[Values | None] = []
        for _, run in groupby(enumerate(batch), lambda at: at[1].number - at[0]):
            values += self._launch_run([asked for _, asked in run])
        return values

    def _launch_run(self, batch: "Sequence[Asked]") -> "list[Values | None]":
        jobs = [self._space.job(asked.words) for asked in batch]
        try:
            done = self._launcher.launch(jobs, initial_job_idx=batch[0].number)
        except Exception as error:  # a worker was killed, and what the others came to is lost with it
            if len(batch) > 1:
                return [self._launch_run([asked])[0] for asked in batch]  # goes on where each one was
            print(f"job {batch[0].number} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return [None]
        return [_values(one) for one in done]


def _values(done: JobReturn) -> "Values | None":
    """The objectives of a job that went through."""
    try:
        hand, mislabeled = done.return_value
    except AlearnError:  # the job has said so
        return None
    except Exception:  # a bug of ours, or no memory left: the search goes on without it
        traceback.print_exc()
        return None
    return hand, mislabeled
