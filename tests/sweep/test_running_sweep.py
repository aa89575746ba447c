"""Who owns a sweep, and for how long."""

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from alearn.errors import AlearnError
from alearn.sweep import running_sweep
from alearn.sweep.hydra_callback import Guard
from alearn.trial import status


class Watch:
    """Stands for a sweep's progress, and notes what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def watch(self) -> None:
        self.calls.append("watch")

    def update(self, job) -> None:
        self.calls.append(job)

    def close(self) -> None:
        self.calls.append("close")

    def failures(self) -> str:
        return "1 of 2 jobs failed"

    def again(self) -> str:
        return "the same command with a folder"


def test_a_sweep_is_there_inside_of_its_block_alone():
    assert running_sweep.current() is None
    with running_sweep.owned() as sweep:
        assert running_sweep.current() is sweep
        assert (sweep.again(), sweep.end()) == ("the same command", ""), "none has begun"
    assert running_sweep.current() is None


@pytest.mark.parametrize("error", [None, AlearnError("x"), KeyboardInterrupt()])
def test_its_folder_is_held_until_the_block_ends_however_it_ends(tmp_path, error):
    folder, watch = tmp_path / "new", Watch()

    def block() -> None:
        with running_sweep.owned() as sweep:
            sweep.lock(folder)
            sweep.begin(watch, watch=False)
            assert status.locked(folder)
            assert sweep.again() == "the same command with a folder"
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            block()
    else:
        block()
    assert not status.locked(folder)
    assert watch.calls == ["close"], "the last results are written"


def test_it_ends_once():
    watch = Watch()
    with running_sweep.owned() as sweep:
        sweep.begin(watch, watch=True)
        assert sweep.end() == "1 of 2 jobs failed"
        assert sweep.end() == ""
    assert watch.calls == ["watch", "close"]


@pytest.mark.parametrize(("launcher", "seen"), [("x.BasicLauncher", True), ("x.JoblibLauncher", False)])
def test_hydra_tells_it_of_jobs_that_run_here(tmp_path, launcher, seen):
    config = OmegaConf.create({"hydra": {"launcher": {"_target_": launcher}, "runtime": {"output_dir": str(tmp_path)}}})
    watch = Watch()
    Guard().on_job_end(config, SimpleNamespace())  # a process of a launcher, which has no sweep
    with running_sweep.owned() as sweep:
        Guard().on_job_end(config, SimpleNamespace())  # a single trial
        sweep.begin(watch, watch=False)
        Guard().on_job_end(config, SimpleNamespace())
        assert watch.calls == [tmp_path] * seen
