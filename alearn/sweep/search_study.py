"""The study of a search: its trials and their results, which Optuna keeps in a database that survives a restart."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alearn.config import Search
from alearn.config.search_space import Dimension, Interval, Space
from alearn.errors import AlearnError
from alearn.rng import derive
from alearn.sweep.pareto_front import Point
from alearn.trial.metrics import OBJECTIVES

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.exceptions import OptunaError
    from optuna.samplers import TPESampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, TrialState
    from sqlalchemy.exc import SQLAlchemyError
except ImportError:
    raise AlearnError("hydra/sweeper=optuna needs Optuna: pip install 'alearn[optuna]'") from None

DATABASE = "search.db"

Values = tuple[float, float]


@dataclass(frozen=True)
class Asked:
    """A trial to run.

    Attributes:
        number: Its number.
        choices: What the search chose for it, by key, as values for the command line.
    """

    number: int
    choices: Mapping[str, str]


class Study:
    """The trials of one search space under one config. `opened` opens it."""

    def __init__(self, study: optuna.Study, space: Space, seed: int, folder: Callable[[Asked], str]) -> None:
        self._study = study
        self._space = space
        self._seed = seed
        self._folder = folder
        self._distributions = {key: distribution(dimension) for key, dimension in space.dimensions.items()}

    def run(
        self,
        trials: int,
        at_once: int,
        launch: Callable[[Sequence[Asked]], Sequence[Values | None]],
        report: Callable[[], None],
    ) -> None:
        """Run trials until `trials` of them have finished, including those of earlier runs.

        The trials that were under way when the last run was killed come first, with the choices that they had. A trial
        that fails is replaced in the next run, not in this one, because a search in which all trials fail would never
        end. A trial that repeats the choices of a finished trial gets its results, and is not run.

        Args:
            trials: How many trials must have finished.
            at_once: How many trials to launch at once, at most.
            launch: Runs trials. It returns the objectives of each, None for a trial that failed.
            report: Is called after each launch.
        """
        stale = self._stale()
        for start in range(0, len(stale), at_once):
            self._finish(stale[start : start + at_once], launch, report)
        wanted = trials - len(self.points())
        while wanted > 0:
            size = min(at_once, wanted)
            wanted -= size
            self._finish([new for _ in range(size) if (new := self._ask())], launch, report)

    def points(self) -> list[Point]:
        """Return the finished trials."""
        return [
            Point(
                number=trial.number,
                choices=self._choices(trial.params),
                values=(trial.values[0], trial.values[1]),
                folder=trial.user_attrs["folder"],
            )
            for trial in self._trials(TrialState.COMPLETE)
        ]

    def failed(self) -> int:
        """Return how many trials have failed."""
        return len(self._trials(TrialState.FAIL))

    def _ask(self) -> Asked | None:
        """Return a new trial, None if it repeats the choices of a finished trial.

        TPE chooses it. After ten random trials, TPE learns from every trial, while a genetic algorithm (NSGA-II) would
        still be drawing its first generation. The seed follows from the trial's number, so an interrupted search
        continues as if it had never been interrupted.
        """
        number = len(self._study.get_trials(deepcopy=False))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some versions warn that some options are experimental
            self._study.sampler = TPESampler(
                seed=derive(self._seed, number, "search") % 2**32,
                multivariate=True,  # the numbers of a policy work together
                constant_liar=True,  # trials that are asked at the same time should differ
            )
            trial = self._study.ask(self._distributions)
        asked = Asked(trial.number, self._choices(trial.params))
        twin = next((point for point in self.points() if point.choices == asked.choices), None)
        trial.set_user_attr("folder", twin.folder if twin else self._folder(asked))  # set last: the trial is complete
        if twin is None:
            return asked
        self._study.tell(trial, twin.values)
        return None

    def _stale(self) -> list[Asked]:
        """Return the trials that were under way when the last run was killed. Incomplete ones become failed trials."""
        running = self._trials(TrialState.RUNNING)
        for trial in running:
            if "folder" not in trial.user_attrs:
                self._study.tell(trial.number, state=TrialState.FAIL)
        return [Asked(trial.number, self._choices(trial.params)) for trial in running if "folder" in trial.user_attrs]

    def _finish(
        self,
        batch: Sequence[Asked],
        launch: Callable[[Sequence[Asked]], Sequence[Values | None]],
        report: Callable[[], None],
    ) -> None:
        for asked, values in zip(batch, launch(batch) if batch else [], strict=True):
            if values is None:
                self._study.tell(asked.number, state=TrialState.FAIL)
            else:
                self._study.tell(asked.number, values)
        report()

    def _trials(self, state: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=[state])

    def _choices(self, params: Mapping[str, Any]) -> dict[str, str]:
        return {key: choice(dimension, params[key]) for key, dimension in self._space.dimensions.items()}


@contextmanager
def opened(
    search: Search, space: Space, folder: Path, config: Mapping[str, Any], trial_folder: Callable[[Asked], str]
) -> Iterator[Study]:
    """Open the study of a search: a new one, or the one that an earlier run left.

    Args:
        search: How to search.
        space: What the search may choose.
        folder: The folder of the sweep.
        config: The config that all trials share, flat.
        trial_folder: Returns the folder of a trial, relative to the folder of the sweep.

    Raises:
        AlearnError: The existing study has another space, config or objective, or the database cannot be read or
            written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    where = "hydra.sweeper.storage" if search.storage else str(folder / DATABASE)
    try:
        try:
            storage = RDBStorage(search.storage or f"sqlite:///{(folder / DATABASE).absolute()}")
        except (ImportError, RuntimeError) as error:  # a driver that is not installed, a schema of another version
            raise AlearnError(f"{where}: {error}") from error
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=search.study_name,
                directions=["minimize"] * len(OBJECTIVES),
                load_if_exists=True,
            )
            _claim(study, where, _identity(search, space, folder, config))
            yield Study(study, space, search.seed, trial_folder)
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (OptunaError, SQLAlchemyError) as error:
        raise AlearnError(
            f"{where}: the search cannot be kept there ({str(error).splitlines()[0]}); correct that, or start again "
            "with another hydra.sweep.dir"
        ) from error


def _identity(search: Search, space: Space, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must stay the same as long as a study continues."""
    shared = {"hydra.sweep.dir": str(folder.absolute())} if search.storage else {}  # a study belongs to one folder
    dimensions = {key: str(dimension) for key, dimension in space.dimensions.items()}
    return {"objectives": ", ".join(OBJECTIVES)} | shared | dict(config) | dimensions


def _claim(study: optuna.Study, where: str, here: Mapping[str, Any]) -> None:
    """Record in a new study which search it belongs to. Raise AlearnError if it belongs to another search."""
    there = study.user_attrs.get("search")
    if there is None and not study.get_trials(deepcopy=False):
        study.set_user_attr("search", here)
        return
    there = there or {}
    differ = [key for key in sorted(there.keys() | here.keys()) if there.get(key) != here.get(key)]
    if differ:
        lines = [f"  {key}: {there.get(key)} there, {here.get(key)} now" for key in differ]
        raise AlearnError(
            "\n".join([f"{where} holds another search; give another hydra.sweep.dir. They differ in", *lines])
        )


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return Optuna's distribution for a dimension.

    Ordered options become their positions, so that neighbours count as similar, whatever their distance.
    """
    if isinstance(dimension, Interval):
        if dimension.whole:
            return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if dimension.ordered:
        return IntDistribution(0, len(dimension.words) - 1)
    return CategoricalDistribution(dimension.words)


def choice(dimension: Dimension, value: Any) -> str:
    """Return a value of `distribution` as a value for the command line."""
    if isinstance(dimension, Interval):
        return repr(value)
    return dimension.words[value] if dimension.ordered else str(value)
