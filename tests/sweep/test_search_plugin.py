import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.alearn_search import OptunaSweeper

from alearn.config.search_space import Space
from alearn.errors import AlearnError
from alearn.sweep.search_study import Asked


class Launcher:
    """A launcher like those of Hydra: a job returns what it raises, and a killed worker fails the whole launch."""

    def __init__(self, killed: frozenset[int] = frozenset(), **raised: Exception) -> None:
        self.killed, self.raised, self.launches = killed, raised, []

    def launch(self, jobs, initial_job_idx):
        numbers = range(initial_job_idx, initial_job_idx + len(jobs))
        assert jobs == [["seed=0", f"a={number}"] for number in numbers]
        self.launches.append(list(numbers))
        if self.killed & set(numbers):
            raise RuntimeError("a worker was killed")
        return [self.done(number) for number in numbers]

    def done(self, number):
        error = self.raised.get(f"job{number}")
        done = JobReturn(overrides=[], status=JobStatus.FAILED if error else JobStatus.COMPLETED)
        done.return_value = error or (0.5, number / 10)
        return done


def launch(launcher: Launcher, *numbers: int):
    sweeper = OptunaSweeper()
    sweeper._space, sweeper._launcher = Space({}, ("seed=0",)), launcher
    return sweeper._launch([Asked(number, {"a": str(number)}) for number in numbers])


def test_consecutive_trials_are_launched_together():
    launcher = Launcher()
    assert launch(launcher, 2, 3, 7) == [(0.5, 0.2), (0.5, 0.3), (0.5, 0.7)]
    assert launcher.launches == [[2, 3], [7]], "a job has the number of its trial"


@pytest.mark.parametrize("error", [AlearnError("the loss is nan"), MemoryError("no memory left")])
def test_a_job_that_fails_has_no_objectives(error, capsys):
    assert launch(Launcher(job1=error), 0, 1) == [(0.5, 0.0), None]
    assert ("Traceback" in capsys.readouterr().err) == isinstance(error, MemoryError), (
        "an error of the user has a message, a bug has a traceback"
    )


def test_a_killed_worker_costs_its_own_trial_alone(capsys):
    launcher = Launcher(killed=frozenset({1}))
    assert launch(launcher, 0, 1, 2) == [(0.5, 0.0), None, (0.5, 0.2)]
    assert launcher.launches == [[0, 1, 2], [0], [1], [2]]
    assert capsys.readouterr().err == "job 1 failed: RuntimeError: a worker was killed\n"
