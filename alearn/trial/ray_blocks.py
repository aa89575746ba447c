"""Compute blocks on a Ray cluster: Ray Data hands them to workers, each of which holds the network.

Ray repeats the block of a worker that dies. Blocks are files with names of their own, so a repeated block replaces
itself, and a driver that is started again goes on with the blocks that are not there.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alearn import __version__
from alearn.data.blocks import Block, Done
from alearn.errors import AlearnError
from alearn.trial.block_tasks import Task, worker

log = logging.getLogger(__name__)


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


def compute(task: Task, blocks: Sequence[Block], cluster: Cluster) -> Iterator[Done]:
    """Compute blocks, and yield each when it is done, in any order.

    Raises:
        AlearnError: Ray is not installed or cannot be reached, the cluster lacks what was asked for, a machine has
            another version of alearn, or a block cannot be computed.
    """
    ray = _connected(cluster.address)
    try:
        count = _workers(cluster, ray.cluster_resources())
        _check_versions(ray)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        rows = [block._asdict() for block in blocks]
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            Computing,
            fn_constructor_args=(task,),
            concurrency=min(count, len(rows)),
            num_cpus=1,
            num_gpus=cluster.gpus or None,
        )
        for row in done.iter_rows():
            if row["error"]:
                raise AlearnError(row["error"])
            yield Done(row["file"], row["images"], row["skipped"])
    finally:
        ray.shutdown()


class Computing:
    """What a worker of Ray Data runs. Errors for the user are values, because Ray would wrap them in tracebacks."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._work: Any = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Compute a block, and return what became of it."""
        try:
            if self._work is None:
                self._work = worker(self._task)
            labels = [None if label is None else str(label) for label in row["labels"]]
            done = self._work(Block(row["file"], [*map(str, row["names"])], labels))
            return {**done._asdict(), "error": ""}
        except AlearnError as error:
            return {**Done(row["file"], 0, 0)._asdict(), "error": str(error)}


def _connected(address: str | None) -> Any:
    """Return the module ray, connected to a cluster."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise AlearnError(f"--ray: needs Ray and its Data library ({error}); pip install 'alearn[ray]'") from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray has many, and a cluster that is not there is only one of the reasons
        why = " ".join(str(error).split()) or type(error).__name__
        raise AlearnError(f"--ray={address or 'auto'}: no cluster can be used there ({why})") from None
    return ray


def _workers(cluster: Cluster, there: dict[str, float]) -> int:
    """Return how many workers to start, of those that were asked for. Raise AlearnError if none can run."""
    cpus, gpus = int(there.get("CPU", 0)), there.get("GPU", 0.0)
    if cluster.gpus > gpus or not cpus:
        raise AlearnError(
            f"--gpus-per-worker={cluster.gpus:g}: the cluster has {gpus:g} GPUs and {cpus} CPUs; a worker needs that "
            "many GPUs and a CPU"
        )
    fit = min(cpus, int(gpus / cluster.gpus + 1e-6)) if cluster.gpus else cpus
    if cluster.workers is not None and cluster.workers > fit:
        log.warning("--workers=%d: only %d fit into the cluster, so it is %d", cluster.workers, fit, fit)
    return min(fit, cluster.workers or fit)


def _check_versions(ray: Any) -> None:
    """Raise AlearnError if a machine of the cluster lacks alearn, or has another version."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def version() -> str:  # is sent as code, because a machine may lack this module
        try:
            from importlib import import_module

            return str(import_module("alearn").__version__)
        except ImportError:
            return "(none)"

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    asked = [
        ray.remote(version)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote()
        for node in nodes
    ]
    for node, there in zip(nodes, ray.get(asked), strict=True):
        if there != __version__:
            where = node["NodeManagerHostname"]
            raise AlearnError(
                f"--ray: {where} has alearn {there}, and this is {__version__}; install this version there"
            )
