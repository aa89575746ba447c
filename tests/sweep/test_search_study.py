import sys
from pathlib import Path

import optuna
import pytest

from alearn.config import Search
from alearn.config.search_space import Interval, Options, Space
from alearn.errors import AlearnError
from alearn.sweep.search_study import choice, distribution, opened

SPACE = Space(
    {
        "a": Interval(0.01, 1.0, log=True, whole=False),
        "b": Options(("0.9", "0.99", "0.999"), ordered=True),
        "c": Options(("x", "y"), ordered=False),
    },
    ("seed=0",),
)
CONFIG = {"seed": 0, "a": 0.01}


class Killed(BaseException):
    """A kill, as far as the running code can see it."""


class Jobs:
    """A launcher that computes objectives itself, and that can be told which trials fail or kill it."""

    def __init__(self, fails: tuple[int, ...] = (), dies: int | None = None) -> None:
        self.fails = fails
        self.dies = dies
        self.launched = {}

    def __call__(self, batch):
        values = []
        for asked in batch:
            if asked.number == self.dies:
                raise Killed
            self.launched[asked.number] = dict(asked.choices)
            a, b = float(asked.choices["a"]), float(asked.choices["b"])
            bad = asked.number in self.fails
            values.append(None if bad else (a + (asked.choices.get("c") == "x"), (1 - b) / a))
        return values


def settings(**keys) -> Search:
    return Search.model_validate(
        {"params": {}, "n_trials": 1, "n_jobs": 1, "seed": 0, "storage": None, "study_name": "s"} | keys
    )


def run(folder: Path, trials: int, jobs: Jobs, at_once: int = 1, space: Space = SPACE, config=CONFIG, **keys):
    """Start or continue a search in a folder; return its points and how many trials failed, None if it was killed."""
    folder.mkdir(exist_ok=True)
    reports = []
    with opened(settings(**keys), space, folder, config, lambda asked: f"job {asked.number}") as study:
        try:
            study.run(trials, at_once, jobs, lambda: reports.append(len(study.points()) + study.failed()))
        except Killed:
            return None
        assert reports == sorted(set(reports)), "a report after each launch"
        return study.points(), study.failed()


def test_dimensions_and_values_are_optunas():
    floats, steps, kinds = (distribution(dimension) for dimension in SPACE.dimensions.values())
    assert floats == optuna.distributions.FloatDistribution(0.01, 1.0, log=True)
    assert steps == optuna.distributions.IntDistribution(0, 2)
    assert kinds == optuna.distributions.CategoricalDistribution(("x", "y"))
    whole = Interval(2, 9, log=False, whole=True)
    assert distribution(whole) == optuna.distributions.IntDistribution(2, 9)
    values = zip(SPACE.dimensions.values(), (1e-05, 2, "y"), strict=True)
    assert [choice(dimension, value) for dimension, value in values] == ["1e-05", "0.999", "y"]
    assert choice(whole, 3) == "3"


def test_a_search_learns(tmp_path):
    points, _ = run(tmp_path / "one", 18, Jobs())
    assert [point.number for point in points] == list(range(18))
    assert {point.folder for point in points} == {f"job {n}" for n in range(18)}
    assert sum(point.choices["c"] == "y" for point in points[10:]) > 4, "x is never on the front"
    other, _ = run(tmp_path / "two", 1, Jobs(), seed=1)
    assert other[0].choices != points[0].choices


def test_killed_and_continued_it_is_the_search_of_one_never_killed(tmp_path):
    expected, _ = run(tmp_path / "undisturbed", 13, Jobs(), at_once=3)
    for dies in (1, 11):  # one of the random trials, then one that TPE chooses
        assert run(tmp_path / "killed", 13, Jobs(dies=dies), at_once=3) is None
    again = Jobs()
    points, failed = run(tmp_path / "killed", 13, again, at_once=3)
    assert (points, failed) == (expected, 0)
    assert min(again.launched) == 9, "finished trials are not run again, interrupted ones are"


def test_a_trial_half_asked_has_failed(tmp_path):
    assert run(tmp_path, 3, Jobs(dies=1)) is None
    database = f"sqlite:///{tmp_path}/search.db"
    storage = optuna.storages.RDBStorage(database)
    study = optuna.load_study(study_name="s", storage=storage)
    study.ask()  # number 2, without any choices
    storage.remove_session()
    storage.engine.dispose()
    points, failed = run(tmp_path, 3, Jobs())
    assert ([point.number for point in points], failed) == ([0, 1, 3], 1)


def test_failed_trials_are_replaced_in_the_next_run(tmp_path):
    points, failed = run(tmp_path, 6, Jobs(fails=(0, 3)))
    assert ([point.number for point in points], failed) == ([1, 2, 4, 5], 2)
    jobs = Jobs()
    points, failed = run(tmp_path, 6, jobs)
    assert (list(jobs.launched), len(points), failed) == ([6, 7], 6, 2)
    jobs = Jobs()
    assert run(tmp_path, 6, jobs) == (points, 2)
    assert not jobs.launched
    assert len(run(tmp_path, 8, jobs, at_once=4)[0]) == 8


def test_what_was_tried_is_not_run_again(tmp_path):
    few = Space({"a": Options(("0.1", "0.5"), ordered=True), "b": SPACE.dimensions["b"]}, ())
    jobs = Jobs()
    points, failed = run(tmp_path, 12, jobs, space=few)
    assert (len(points), failed) == (12, 0)
    tried = [tuple(choices.items()) for choices in jobs.launched.values()]
    assert len(tried) == len(set(tried)) <= 6
    for point in points:
        twin = next(number for number, choices in jobs.launched.items() if choices == point.choices)
        assert (point.values, point.folder) == (points[twin].values, f"job {twin}")


def test_another_search_in_the_same_place_is_refused(tmp_path):
    run(tmp_path, 2, Jobs())
    narrow = Space(SPACE.dimensions | {"b": Options(("0.9", "0.99"), ordered=True)}, SPACE.fixed)
    with pytest.raises(AlearnError, match=r"b: choice\(0.9, 0.99, 0.999\) there, choice\(0.9, 0.99\) now"):
        run(tmp_path, 2, Jobs(), space=narrow)
    with pytest.raises(AlearnError, match=r"search.db holds another search(.|\n)*seed: 0 there, 1 now"):
        run(tmp_path, 2, Jobs(), config=CONFIG | {"seed": 1})
    assert len(run(tmp_path, 3, Jobs())[0]) == 3


def test_a_study_in_a_database_of_ones_own_belongs_to_one_folder(tmp_path):
    keys = {"storage": f"sqlite:///{tmp_path}/mine.db"}
    run(tmp_path / "one", 2, Jobs(), **keys)
    with pytest.raises(AlearnError, match=r"hydra.sweep.dir: .*one there, .*two now"):
        run(tmp_path / "two", 2, Jobs(), **keys)
    assert len(run(tmp_path / "two", 2, Jobs(), study_name="other", **keys)[0]) == 2
    assert not list(tmp_path.rglob("search.db"))


def test_a_database_that_cannot_be_used_is_one_message(tmp_path):
    (tmp_path / "search.db").write_text("not a database" * 100)
    with pytest.raises(AlearnError, match=r"search.db: the search cannot be kept there .*file is not a database"):
        run(tmp_path, 1, Jobs())
    for storage in ("nonsense", "sqlite:////nowhere/at/all.db", "postgresql://x/y"):
        with pytest.raises(AlearnError, match=r"^hydra.sweeper.storage: "):
            run(tmp_path, 1, Jobs(), storage=storage)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "alearn.sweep.search_study")
    with pytest.raises(AlearnError, match=r"pip install 'alearn\[optuna\]'"):
        __import__("alearn.sweep.search_study")
