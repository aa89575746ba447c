"""Compute blocks for `alearn features` and `alearn predict`: here, as one part of several, or on a Ray cluster."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from time import monotonic

from alearn.cli.exit_codes import DONE, ERROR
from alearn.data import blocks
from alearn.data.blocks import Block, Done
from alearn.data.file_store import Store
from alearn.data.progress_bar import Bar
from alearn.errors import AlearnError
from alearn.trial import block_tasks
from alearn.trial.block_tasks import OUT, Place, Task


def run(task: Task, args: Namespace, then: str = "") -> int:
    """Compute the blocks that are not there yet, and print what was done. Return the exit code.

    If all blocks are there in the end, skipped.csv names the files that are in none. then: what to do with the blocks.
    """
    place, pool, test, every = block_tasks.plan(task, args.block)
    out = Store(task.out, OUT)
    start = monotonic()
    if not args.merge:
        here = task if args.ray is None else task.on("auto")  # only the workers need the device that was asked for
        there = blocks.begin(out, here.computer().key, every, args.block)
        mine = every if args.part is None else [*args.part.of(every)]
        todo = blocks.missing(out, there, mine, place)
        if args.part is not None:
            print(f"part {args.part.number} of {args.part.parts}")
        done = _computed(task, todo, place, args)
        seconds = monotonic() - start
        count = sum(block.images for block in done)
        print(f"{_count(len(mine), 'block')}: {len(done):,} computed, the others were there already")
        skipped = sum(block.skipped for block in done)
        speed = f"{seconds:,.1f} s, {count / seconds:,.0f} a second"
        print(f"{_count(count, 'image')} in {speed}; {_count(skipped, 'file')} skipped")
        if args.part is not None:
            return DONE
    images, skipped = blocks.finish(out, every, [*pool.skipped, *test.skipped])
    print(f"{out.root}: {_count(images, 'image')} in {_count(len(every), 'block')}", end="")
    print(f"; {_count(skipped, 'file')} skipped, see {out.root}/{blocks.SKIPPED}" if skipped else "")
    if then:
        print(then)
    return ERROR if skipped and not then else DONE


def _computed(task: Task, todo: Sequence[Block], place: Place, args: Namespace) -> list[Done]:
    """Compute blocks, and show the progress."""
    done = list[Done]()
    if not todo:
        return done
    with Bar(sum(len(block.names) for block in todo), "images") as bar:
        for block in _compute(task, todo, place, args):
            done.append(block)
            bar.advance(block.images + block.skipped)
    return done


def _compute(task: Task, todo: Sequence[Block], place: Place, args: Namespace) -> Iterator[Done]:
    if args.ray is None:
        work = block_tasks.worker(task)
        yield from (work(block, place) for block in todo)
        return
    from alearn.trial import ray_blocks

    cluster = ray_blocks.Cluster(args.ray or None, args.workers, args.gpus_per_worker)
    if task.device == "cuda" and not cluster.gpus:
        raise AlearnError("device=cuda: Ray gives its workers no GPUs by itself; give --gpus-per-worker, too")
    if task.device == "auto":  # a worker that cannot use its GPU must say so, and not take the CPU
        task = task.on("cuda" if cluster.gpus else "cpu")
    yield from ray_blocks.compute(task, todo, place, cluster)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
