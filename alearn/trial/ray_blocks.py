"""Compute blocks on a Ray cluster: Ray Data hands them to workers, each of which holds the network.

Ray repeats the block of a worker that dies. Blocks are files with names of their own, so a repeated block replaces
itself, and a driver that is started again goes on with the blocks that are not there.
"""

import logging
import os
import pickle
import signal
import socket
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from alearn import __version__
from alearn.data.blocks import Block, Done
from alearn.errors import AlearnError
from alearn.files.parquet_tables import pyarrow
from alearn.trial import block_tasks
from alearn.trial.block_tasks import Place, Task, Work

DEATHS = 10
"""How often a block may end its worker. Machines that are taken away do it by chance, but an image that always does it
would be tried for ever.
"""

CONNECT = 10.0
"""Seconds in which the head of a cluster must answer."""

ANSWER = 300.0
"""Seconds in which each machine of the cluster must start a process."""


@dataclass(frozen=True)
class Cluster:
    """Which Ray cluster, and how to use it.

    Attributes:
        address: As ray.init takes it. None takes RAY_ADDRESS, or starts Ray on this machine.
        workers: The number of processes that compute. None takes as many as the CPUs or GPUs allow.
        gpus: The GPUs of each of them, perhaps a fraction.
    """

    address: str | None = None
    workers: int | None = None
    gpus: float = 0.0


def compute(task: Task, todo: Sequence[Block], place: Place, cluster: Cluster) -> Iterator[Done]:
    """Compute blocks, and yield each when it is done, in any order.

    Raises:
        AlearnError: Ray is not installed or cannot be reached, the cluster lacks what was asked for, a machine has
            another version of alearn, or a block cannot be computed.
    """
    ray = _connected(cluster.address)
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        count = _workers(cluster, [node["Resources"] for node in nodes])
        _check_versions(ray, [node for node in nodes if node["Resources"].get("CPU")])
        done = ray.data.from_arrow([_packed(block, place) for block in todo]).map_batches(
            Computing,
            fn_constructor_args=(task, _here(ray, ray.remote(Begun)).remote(DEATHS)),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(count, len(todo)), max_tasks_in_flight_per_actor=1),
            num_cpus=1,
            num_gpus=cluster.gpus or None,
        )
        for row in done.iter_rows():
            if row["error"]:
                raise AlearnError(row["error"])
            yield Done(row["file"], row["images"], row["skipped"])
    finally:
        ray.shutdown()


class Begun:
    """Counts how often each block was begun, on the machine of the driver. Ray itself tries for ever."""

    def __init__(self, most: int) -> None:
        """most: how often a block may end its worker."""
        self._most = most
        self._times = Counter[str]()

    def begin(self, block: str) -> bool:
        """Return whether a block may be begun once more."""
        self._times[block] += 1
        return self._times[block] <= self._most + 1


class Computing:
    """What a worker of Ray Data runs. Errors for the user are values, because Ray would wrap them in tracebacks."""

    def __init__(self, task: Task, begun: Any) -> None:
        """begun: the handle of the `Begun` that all workers share."""
        self._task = task
        self._begun = begun
        self._work: Work | None = None

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """Compute a block, and return what became of it. batch: a table of one row, as `_packed` makes it."""
        block, place = pickle.loads(zlib.decompress(batch["block"][0].as_py()))
        done, error = Done(block.file, 0, 0), ""
        try:
            if self._work is None:
                self._work = block_tasks.worker(self._task)
            self._may_begin(block.file)
            done = self._work(block, place)
        except AlearnError as wrong:
            error = str(wrong)
        return {name: [value] for name, value in {**done._asdict(), "error": error}.items()}

    def _may_begin(self, block: str) -> None:
        import ray

        if not ray.get(self._begun.begin.remote(block)):
            raise AlearnError(
                f"--ray: {block} has ended its worker again and again. The machines may lack memory: give fewer "
                "--workers, or a smaller --block with another --out"
            )


def fitting(nodes: Sequence[Mapping[str, float]], gpus: float) -> int:
    """Return how many workers with a CPU and some GPUs fit at the same time on machines with these resources.

    A worker is on one machine, and one that has a fraction of a GPU is on one GPU.
    """

    def on(node: Mapping[str, float]) -> float:
        there = node.get("GPU", 0.0) + 1e-6
        by_gpu = inf if not gpus else int(there) * int(1 / gpus + 1e-6) if gpus < 1 else int(there / gpus)
        return min(int(node.get("CPU", 0)), by_gpu)

    return int(sum(map(on, nodes)))


def _packed(block: Block, place: Place) -> Any:
    """Return a table with a block, and with what is needed to read its images. Ray keeps one for each block."""
    arrow, _ = pyarrow()
    content = zlib.compress(pickle.dumps((block, block_tasks.part(place, block))), 1)
    return arrow.table({"block": arrow.array([content], arrow.large_binary())})


def _here(ray: Any, work: Any) -> Any:
    """Return work of Ray that runs on this machine, and takes no CPU from the workers."""
    return work.options(num_cpus=0, scheduling_strategy=_on(ray.get_runtime_context().get_node_id()))


def _on(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def _connected(address: str | None) -> Any:
    """Return the module ray, connected to a cluster."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it reports trouble that it then mends
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise AlearnError(f"--ray: needs Ray and its Data library ({error}); pip install 'alearn[ray]'") from None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    terminate = signal.getsignal(signal.SIGTERM)
    at = address or os.environ.get("RAY_ADDRESS") or "this machine"
    try:
        _reach(at)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except Exception as error:  # Ray has many, and a cluster that is not there is only one of the reasons
        raise AlearnError(f"--ray: no cluster can be used at {at} ({_line(error)})") from None
    signal.signal(signal.SIGTERM, terminate)  # Ray's own would end this process without a word
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray


def _reach(address: str) -> None:
    """Raise OSError if nobody answers at HOST:PORT. Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT).close()


def _workers(cluster: Cluster, nodes: Sequence[Mapping[str, float]]) -> int:
    """Return how many workers to start. Raise AlearnError if none can run."""
    fit = fitting(nodes, cluster.gpus)
    if not fit:
        cpus, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
        asked = f"--gpus-per-worker={cluster.gpus:g}" if cluster.gpus else "--ray"
        need = f"a CPU and {cluster.gpus:g} GPUs" if cluster.gpus else "a CPU"
        raise AlearnError(
            f"{asked}: a worker needs {need} of one machine, and the cluster has {cpus:g} CPUs and {gpus:g} GPUs"
        )
    if cluster.workers is not None and cluster.workers > fit:
        print(f"--workers={cluster.workers}: only {fit} fit into the cluster, so there are {fit}", flush=True)
    return min(fit, cluster.workers or fit)


def _check_versions(ray: Any, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raise AlearnError if a machine of the cluster lacks alearn, or has another version."""

    def version() -> str:  # is sent as code, because a machine may lack this module
        try:
            from importlib import import_module

            return str(import_module("alearn").__version__)
        except ImportError:
            return ""

    asked = [
        ray.remote(version).options(num_cpus=0, scheduling_strategy=_on(node["NodeID"])).remote() for node in nodes
    ]
    try:
        found = ray.get(asked, timeout=ANSWER)
    except ray.exceptions.GetTimeoutError:
        raise AlearnError(f"--ray: a machine of the cluster starts no process within {ANSWER:.0f} seconds") from None
    for node, there in zip(nodes, found, strict=True):
        if there != __version__:
            what = f"has alearn {there}" if there else "has no alearn"
            raise AlearnError(
                f"--ray: {node['NodeManagerHostname']} {what}, and this is {__version__}; install this version there"
            )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
