"""Blocks on a real Ray cluster of several nodes, all of them on this machine."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from alearn import __version__
from alearn.errors import AlearnError
from alearn.trial import ray_blocks
from tests.apart import Apart
from tests.cli.test_block_commands import MODEL, contents, images, trial
from tests.command import ROOT, alearn, alearn_apart, environment, run, start
from tests.waiting import until

BLOCKS, FIRST = 9, 2
"""All blocks, and those that are computed before the workers wait."""

GATE = """
import os, time
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path

GATE = Path(__file__).parent

def gated(compute):
    def one(block, *rest):
        with (GATE / "log").open("a") as log:
            log.write(f"{block.file} {os.getpid()} {os.getppid()}\\n")
        while (GATE / "hold").exists() and int(block.file[6:11]) > int((GATE / "hold").read_text()):
            time.sleep(0.02)
        if (GATE / "deadly").exists() and block.file == (GATE / "deadly").read_text():
            os.kill(os.getpid(), 9)
        return compute(block, *rest)
    return one

class Finder(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "alearn.data.blocks":
            spec = PathFinder.find_spec(name, path)
            run = spec.loader.exec_module
            def exec_module(module):
                run(module)
                module.compute = gated(module.compute)
            spec.loader.exec_module = exec_module
            return spec

__import__("sys").meta_path.insert(0, Finder())
"""
"""In every worker: log each block that it begins, and wait while there is a file `hold` with a smaller number."""


class Begun(NamedTuple):
    """A block that a worker began. raylet: the process of the node that the worker is on."""

    file: str
    worker: int
    raylet: int


class Nodes:
    """A cluster whose workers pass the gate."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._gate = folder
        (folder / "sitecustomize.py").write_text(GATE)
        self._cluster = Cluster()
        self.add(num_cpus=1, include_dashboard=False)

    def add(self, path: Path | None = None, **resources: Any) -> Any:
        """Add a node. path: a folder that its workers look into first."""
        folders = [*([path] if path else []), self._gate, ROOT, ROOT / "alearn" / "plugins"]
        env = {"PYTHONPATH": os.pathsep.join(map(str, folders)), "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
        return self._cluster.add_node(env_vars=env, **resources)

    def remove(self, node: Any) -> None:
        self._cluster.remove_node(node)

    def close(self) -> None:
        self._cluster.shutdown()

    @property
    def address(self) -> str:
        address: str = self._cluster.address
        return address

    def hold(self, first: int) -> None:
        """Let workers wait at all blocks but the first ones."""
        (self._gate / "log").write_text("")
        (self._gate / "hold").write_text(str(first))

    def deadly(self, block: str) -> None:
        """Let a block end its worker, always; "" for none."""
        (self._gate / "deadly").write_text(block)

    def release(self) -> None:
        (self._gate / "hold").unlink()

    @property
    def log(self) -> list[Begun]:
        lines = (self._gate / "log").read_text().splitlines()
        return [Begun(file, int(worker), int(raylet)) for file, worker, raylet in map(str.split, lines)]

    def states(self) -> list[str]:
        """Return the states of the workers that Ray knows and that have not ended, sorted."""
        table = self._cluster.global_state.actor_table(None, None, None)
        return sorted(
            actor["State"] for actor in table.values()
            if "MapWorker" in actor["ActorClassName"] and actor["State"] != "DEAD"
        )  # fmt: skip

    def free_gpus(self) -> float:
        left: dict[str, dict[str, float]] = self._cluster.global_state.available_resources_per_node()
        return sum(node.get("GPU", 0.0) for node in left.values())


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def nodes(tmp_path_factory) -> Iterator[Nodes]:
    pytest.importorskip("ray.data", reason="needs the extra: pip install 'alearn[ray]'")
    nodes = Nodes(tmp_path_factory.mktemp("gate"))
    yield nodes
    nodes.close()


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("pool")
    root = images(folder / "images", 24)
    sizes = ("data.size=48", "data.layout=classes", "data.channels=3", "data.augment=none")
    rest = ("device=cpu", "precision=fp32", "--block=3")
    return (f"data.root='{root}'", f"data.cache='{folder}/cache'", *sizes, *MODEL, *rest)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, words) -> dict[str, bytes]:
    """What one process without Ray makes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert alearn("features", "--out", out, *words).code == 0
    found = contents(out)
    assert sum(name.endswith(".parquet") for name in found) == BLOCKS
    return found


@pytest.mark.slow
def test_killed_workers_and_a_killed_driver_lose_nothing(nodes, words, whole, tmp_path):
    out = tmp_path / "out"
    command = ("features", "--out", out, "--ray", nodes.address, *words)
    code, _, err = alearn_apart(*command, "--gpus-per-worker", "1", cwd=tmp_path)
    assert code == 1
    assert (
        "error: --gpus-per-worker=1: a worker needs a CPU and 1 GPUs of one machine, and the cluster has 1 CPUs" in err
    )
    assert "Traceback" not in err

    nodes.add(num_cpus=1)
    nodes.hold(FIRST)
    driver = start(*command, cwd=tmp_path)
    blocks = [name for name in sorted(whole) if name.endswith(".parquet")]
    driver.until(lambda: len({begun.worker for begun in nodes.log if begun.file not in blocks[:FIRST]}) == 2)
    driver.until(lambda: {*blocks[:FIRST]} <= contents(out).keys())
    assert len({begun.raylet for begun in nodes.log}) == 2, "both nodes work"
    victim = nodes.log[-1]
    assert victim.file not in contents(out)
    os.kill(victim.worker, signal.SIGKILL)
    driver.until(lambda: sum(begun.file == victim.file for begun in nodes.log) == 2)
    again = [begun.file for begun in nodes.log]
    assert sorted(again) == sorted([*{*again}, victim.file]), "only the block of the killed worker is repeated"
    assert driver.kill() == -signal.SIGKILL
    until(lambda: not any(alive(begun.worker) for begun in nodes.log), "Ray ends the workers of a dead driver")
    there = contents(out)
    assert [name for name in there if name.endswith(".parquet")] == blocks[:FIRST]
    assert there.items() <= whole.items()

    nodes.hold(BLOCKS)
    code, said, err = alearn_apart(*command, cwd=tmp_path)
    assert code == 0, err
    assert said.splitlines()[0] == f"{BLOCKS} blocks: {BLOCKS - FIRST} computed, the others were there already"
    assert sorted(begun.file for begun in nodes.log) == blocks[FIRST:], "each once"
    assert contents(out) == whole, "byte for byte what one process makes"
    assert "Traceback" not in err
    assert "Warning" not in err, "Ray takes this way of calling it for some versions to come"


def three(*args: str) -> None:
    """Be a process that asks Ray for three workers, however many fit."""
    ray_blocks.fitting = lambda nodes, gpus: 3  # type: ignore[assignment]
    run(*args)


@pytest.mark.slow
def test_two_workers_with_half_a_gpu_run_at_once_and_not_three(nodes, words, whole, tmp_path):
    node = nodes.add(num_cpus=3, num_gpus=1)
    nodes.hold(0)
    args = ("features", "--out", str(tmp_path / "out"), "--ray", nodes.address, "--gpus-per-worker", "0.5", *words)
    driver = Apart(three, *args, cwd=tmp_path, env=environment())
    driver.until(lambda: len({begun.worker for begun in nodes.log}) == 2)
    driver.until(lambda: nodes.states() == ["ALIVE", "ALIVE", "PENDING_CREATION"] and not nodes.free_gpus())
    assert len({begun.worker for begun in nodes.log}) == 2
    nodes.release()
    assert driver.wait() == 0, driver
    assert contents(tmp_path / "out") == whole
    nodes.remove(node)


def one_death(*args: str) -> None:
    """Be a process that lets a block end its worker only once."""
    ray_blocks.DEATHS = 1
    run(*args)


@pytest.mark.slow
def test_a_block_that_always_ends_its_worker_is_named(nodes, words, tmp_path):
    nodes.hold(BLOCKS)
    nodes.deadly(f"block-00002-of-0000{BLOCKS}.parquet")
    args = ("features", "--out", str(tmp_path / "out"), "--ray", nodes.address, "--workers", "1", *words)
    driver = Apart(one_death, *args, cwd=tmp_path, env=environment())
    assert driver.wait() == 1, driver
    nodes.deadly("")
    assert f"error: --ray: block-00002-of-0000{BLOCKS}.parquet has ended its worker again and again" in driver.err
    assert "Traceback" not in driver.err
    assert sum(begun.file.startswith("block-00002") for begun in nodes.log) == 2, "one death, and one more try"


@pytest.mark.slow
def test_a_machine_with_another_version_is_one_message(nodes, words, tmp_path):
    other = tmp_path / "other" / "alearn"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("__version__ = '0.0.9'")
    node = nodes.add(other.parent, num_cpus=1)
    command = ("features", "--out", tmp_path / "out", "--ray", nodes.address, *words)
    code, _, err = alearn_apart(*command, cwd=tmp_path)
    assert code == 1
    assert f" has alearn 0.0.9, and this is {__version__}; install this version there" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "out").glob("*.parquet"))
    nodes.remove(node)


@pytest.mark.slow
def test_labels_are_those_of_one_process(nodes, words, tmp_path):
    root = words[0].removeprefix("data.root=").strip("'")
    trial(tmp_path, words[:-1])
    args = ("predict", tmp_path / "t", root, "--device", "cpu", "--block", "9")
    assert alearn(*args, "--out", f"{tmp_path}/one/").code == 1, "two files are no images"
    code, out, err = alearn_apart(*args, "--out", f"{tmp_path}/two/", "--ray", nodes.address, cwd=tmp_path)
    assert (code, "24 images in 3 blocks; 2 files skipped" in out) == (1, True), err
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    ("nodes", "gpus", "expected"),
    [
        ([{"CPU": 4.0}], 0.0, 4),
        ([{"CPU": 4.0}], 1.0, 0),
        ([{"CPU": 4.0, "GPU": 1.0}], 0.5, 2),
        ([{"CPU": 8.0, "GPU": 1.0}] * 3, 0.75, 3),  # the remainders of GPUs do not add up
        ([{"CPU": 8.0, "GPU": 3.0}], 2.0, 1),
        ([{"CPU": 8.0, "GPU": 1.0}] * 2, 2.0, 0),
        ([{"CPU": 2.0, "GPU": 8.0}, {"CPU": 9.0}], 1.0, 2),
        ([{"CPU": 16.0, "GPU": 1.0}], 0.1, 10),
        ([{"memory": 1.0}], 0.0, 0),
    ],
)
def test_how_many_workers_fit(nodes, gpus, expected):
    assert ray_blocks.fitting(nodes, gpus) == expected


def test_a_cluster_that_does_not_answer_is_one_message(monkeypatch):
    pytest.importorskip("ray.data")
    with pytest.raises(AlearnError, match=r"--ray: no cluster can be used at 127\.0\.0\.1:9 \(.*refused"):
        next(ray_blocks.compute(None, [], Path(), ray_blocks.Cluster("127.0.0.1:9")))  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(AlearnError, match=r"needs Ray and its Data library .*pip install 'alearn\[ray\]'"):
        next(ray_blocks.compute(None, [], Path(), ray_blocks.Cluster()))  # type: ignore[arg-type]
