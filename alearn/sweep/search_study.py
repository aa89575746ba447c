"""The study of a search: what was asked and what came of it, kept by Optuna in a database that survives a restart."""

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
    """A trial to run: its number and its choices by key, as words for the command line."""

    number: int
    words: Mapping[str, str]


class Study:
    """The trials of one space under one config; `opened` makes it."""

    def __init__(self, study: optuna.Study, space: Space, seed: int, folder: Callable[[Asked], str]) -> None:
        self._study, self._space, self._seed, self._folder = study, space, seed, folder
        self._distributions = {key: distribution(one) for key, one in space.dimensions.items()}

    def run(
        self,
        trials: int,
        at_once: int,
        launch: Callable[[Sequence[Asked]], Sequence[Values | None]],
        report: Callable[[], None],
    ) -> None:
        """Go on until so many trials have finished, those of earlier runs included. A trial that fails is replaced by
        another in the next run, not in this one: what fails always would never end. A trial that repeats the choices of
        a finished one finishes as that did, without being run.

        launch: runs at most `at_once` trials; for each its objectives, None if it failed. report: called after each
        launch. The trials that were under way when the last run was killed come first, as they were.
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
        """The finished trials."""
        return [
            Point(one.number, self._words(one.params), (one.values[0], one.values[1]), one.user_attrs["folder"])
            for one in self._trials(TrialState.COMPLETE)
        ]

    def failed(self) -> int:
        """How many trials have failed."""
        return len(self._trials(TrialState.FAIL))

    def _ask(self) -> Asked | None:
        """A new trial; None if it repeats a finished one.

        Asks TPE: after its ten random trials it learns from each, where a genetic algorithm (NSGA-II) would still be
        drawing its first generation. Its seed follows from the number: a search goes on as if never interrupted.
        """
        number = len(self._study.get_trials(deepcopy=False))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some of the options are experimental, in some versions
            self._study.sampler = TPESampler(
                seed=derive(self._seed, number, "search") % 2**32,
                multivariate=True,  # the three numbers of a policy work together
                constant_liar=True,  # so that trials asked at once are not all alike
            )
            trial = self._study.ask(self._distributions)
        asked = Asked(trial.number, self._words(trial.params))
        twin = next((point for point in self.points() if point.words == asked.words), None)
        trial.set_user_attr("folder", twin.folder if twin else self._folder(asked))  # last: now the trial is whole
        if twin is None:
            return asked
        self._study.tell(trial, twin.values)
        return None

    def _stale(self) -> list[Asked]:
        """What was under way when the last run was killed; what was only half asked then has failed."""
        running = self._trials(TrialState.RUNNING)
        for one in running:
            if "folder" not in one.user_attrs:
                self._study.tell(one.number, state=TrialState.FAIL)
        return [Asked(one.number, self._words(one.params)) for one in running if "folder" in one.user_attrs]

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

    def _words(self, params: Mapping[str, Any]) -> dict[str, str]:
        return {key: word(one, params[key]) for key, one in self._space.dimensions.items()}


@contextmanager
def opened(
    search: Search, space: Space, folder: Path, config: Mapping[str, Any], trial_folder: Callable[[Asked], str]
) -> Iterator[Study]:
    """The study of a search, new or as it was left. folder: the sweep's; trial_folder: a trial's within it.

    config: what all trials share, flat. Raises AlearnError if the study there has another space, config or objective,
    and whenever its database cannot be read or written.
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
            f"{where}: the search cannot be kept there ({str(error).splitlines()[0]}); mend it, or start anew in "
            "another hydra.sweep.dir"
        ) from error


def _identity(search: Search, space: Space, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What must not change while a study goes on."""
    shared = {"hydra.sweep.dir": str(folder.absolute())} if search.storage else {}  # one study, one folder
    dimensions = {key: str(one) for key, one in space.dimensions.items()}
    return {"objectives": ", ".join(OBJECTIVES)} | shared | dict(config) | dimensions


def _claim(study: optuna.Study, where: str, here: Mapping[str, Any]) -> None:
    """Raises AlearnError if the study is another search's."""
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
    """Optuna's. Ordered options are numbered, so that neighbours are taken to be alike, whatever their distance."""
    if isinstance(dimension, Interval):
        if dimension.whole:
            return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if dimension.ordered:
        return IntDistribution(0, len(dimension.words) - 1)
    return CategoricalDistribution(dimension.words)


def word(dimension: Dimension, value: Any) -> str:
    """A value of `distribution` as a word for the command line."""
    if isinstance(dimension, Interval):
        return repr(value)
    return dimension.words[value] if dimension.ordered else str(value)
