"""`alearn features`: compute the features of a data set ahead of a trial."""

import shlex
from argparse import Namespace
from time import monotonic

from alearn.cli.command_line import Parser, add_cluster, check_cluster, cluster_words, filled, part_of_all
from alearn.cli.exit_codes import DONE
from alearn.config.renamed import refuse_old_overrides
from alearn.errors import AlearnError


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "features",
        "Compute the features that a pretrained model makes of the images, and keep them on disk. A trial with the "
        "same data and model finds them there. Interrupt it at any time: the same command goes on where it stopped.",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--shard",
        dest="part",
        type=part_of_all,
        metavar="I/N",
        help="compute part I of N of a folder, from 1/N to N/N, beside other processes; auto takes I and N from the "
        "environment of a SLURM job array or an AWS Batch array job",
    )
    group.add_argument(
        "--merge",
        action="store_true",
        help="put together what all parts have computed; with --out, check that all is there",
    )
    parser.add_argument(
        "--out",
        type=filled,
        metavar="OUT",
        help="write Parquet files to this folder or URL, for data=features, in place of data.cache",
    )
    add_cluster(parser)
    parser.add_argument(
        "overrides",
        nargs="+",
        metavar="KEY=VALUE",
        help="keys as for a trial, for example data.root=DIR; without data=NAME, data=folder",
    )
    return parser


def run(args: Namespace) -> int:
    """Compute what is not there yet, and print what was done."""
    check_cluster(args, args.out is not None, "give --out OUT, too")
    from hydra.errors import HydraException  # here, because this takes long, and torch even longer
    from omegaconf.errors import OmegaConfBaseException

    from alearn.config import hydra_front

    named = any(override.startswith("data=") for override in args.overrides)
    overrides = [*([] if named else ["data=folder"]), *args.overrides]
    refuse_old_overrides(overrides)
    try:
        config = hydra_front.compose(*overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise AlearnError(hydra_front.explain(error)) from error

    from alearn.cli import block_run
    from alearn.config import Folder
    from alearn.data import feature_parts, sources
    from alearn.learn import device, extract
    from alearn.models.pretrained import Pretrained
    from alearn.trial import block_tasks
    from alearn.trial.block_tasks import FeatureTask
    from alearn.trial.settle import settle

    sources.check(config.data)
    chosen = config.device if args.ray is None else "auto"  # the machine that starts the work may have no GPU
    runtime = device.choose(chosen, config.precision, config.threads)
    settled = settle(config.data, config.model, config.train, config.policy, runtime)  # as a trial does
    for note in settled.notes:
        print(note, flush=True)
    if not isinstance(settled.model, Pretrained):
        raise AlearnError(f"model={settled.model.name}: has no pretrained features; give model=pretrained")
    data = settled.data
    parted = [f"--shard={args.part.number}/{args.part.parts}"] if args.part else ["--merge"] if args.merge else []
    if args.out is not None:
        if not isinstance(data, Folder):
            raise AlearnError(f"--out={args.out}: is for data=folder; leave it out for data={data.name}")
        at = {"root": block_tasks.absolute(data.root), "cache": block_tasks.absolute(data.cache)}
        precision = "bf16" if runtime.bf16 else "fp32"  # the same on all machines
        task = FeatureTask(
            data.model_copy(update=at),
            settled.model,
            config.device,
            precision,
            config.threads,
            block_tasks.absolute(args.out),
        )
        try:
            return block_run.run(task, args, f"now: alearn data=features data.root={args.out} data.images={data.root}")
        except KeyboardInterrupt as stop:
            words = ["alearn", "features", f"--out={args.out}", *parted, *args.overrides, *cluster_words(args)]
            raise type(stop)(shlex.join(words)) from None
    extraction = extract.extraction(settled.model, data, runtime)
    start = monotonic()
    try:
        if args.part or args.merge:
            if not isinstance(data, Folder):
                raise AlearnError(f"data={data.name}: only data=folder is computed in parts")
            if args.merge:
                total, skipped, folder = feature_parts.merge(data, extraction)
            else:
                total, skipped, folder = feature_parts.compute(data, extraction, args.part)
        else:
            pool, test = sources.load(data, config.seed, extraction)
            folder = sources.features_folder(data, extraction, pool)
            total, skipped = len(pool) + len(test), len(pool.skipped) + len(test.skipped)
    except KeyboardInterrupt as stop:
        raise type(stop)(shlex.join(["alearn", "features", *parted, *args.overrides])) from None
    seconds = monotonic() - start
    rate = f", {extraction.done / seconds:,.0f} images a second" if extraction.done else ""
    files = "1 file" if skipped == 1 else f"{skipped:,} files"
    if args.part:
        print(f"part {args.part.number} of {args.part.parts}")
    print(f"{total:,} images: {extraction.done:,} computed, the others were there already; {files} skipped")
    print(f"{seconds:,.1f} s on {runtime.describe()}{rate}")
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{folder}: {extraction.width:,} features an image, {megabytes:,.1f} MB")
    return DONE
