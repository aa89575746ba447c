"""`alearn predict`: label new images with the model of a finished trial."""

import shlex
import sys
from argparse import Namespace
from pathlib import Path

from alearn.cli.command_line import Parser, add_cluster, check_cluster, cluster_words, filled, part_of_all
from alearn.cli.exit_codes import DONE, ERROR, UsageError
from alearn.errors import AlearnError


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser("predict", "Label new images with the model of a finished trial, DIR/model.pt.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the trial")
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="an image file, a folder of images or of shards (*.tar, *.parquet), or the URL of a folder, s3://BUCKET/DIR",
    )
    parser.add_argument(
        "--out",
        type=filled,
        metavar="OUT",
        help="write the labels to this CSV or *.parquet file, or to Parquet files in this folder (ending in /) or URL "
        "(default: print)",
    )
    parser.add_argument(
        "--shard",
        dest="part",
        type=part_of_all,
        metavar="I/N",
        help="label part I of N of the images, from 1/N to N/N, beside other processes; auto: as a job array says",
    )
    parser.add_argument("--merge", action="store_true", help="check that all parts are in the folder of --out")
    add_cluster(parser)
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (default: %(default)s)"
    )
    parser.add_argument(
        "--onnx", type=Path, metavar="FILE", help="write the model as an ONNX file; needs pip install 'alearn[onnx]'"
    )
    return parser


def run(args: Namespace) -> int:
    """Write the labels. If an image cannot be read, the exit code is 1, but the others still get their labels."""
    if not args.images and args.onnx is None:
        raise UsageError("nothing to do: give images, or --onnx FILE")
    in_blocks = args.out is not None and (args.out.endswith("/") or "://" in args.out or Path(args.out).is_dir())
    check_cluster(args, in_blocks, "give --out DIR/ or a URL, too")
    if args.merge and not in_blocks:
        raise UsageError("--merge: is for blocks; give --out DIR/ or a URL, too")
    from alearn.files import parquet_tables
    from alearn.learn import device  # here, because these import torch
    from alearn.trial import model_file, predict

    saved = model_file.load(args.folder)
    if args.images and saved.shape[1:] == (1, 1):
        raise AlearnError(f"{args.folder}: its model labels features (data=features), and no images")
    if args.onnx is not None:
        predict.to_onnx(saved, args.onnx)
    if not args.images:
        return DONE
    if in_blocks:
        if len(args.images) != 1:
            raise UsageError(
                f"--out={args.out}: takes the images of one folder or URL, and {len(args.images)} were given"
            )
        return _in_blocks(args)
    runtime = device.choose(args.device, "fp32")
    problems: list[str] = []
    images = list(predict.found(args.images, problems))
    if args.part is not None:
        images = [*args.part.of(images)]
    labels = predict.predict(saved, runtime, images, problems)
    if args.out is None:
        predict.write_csv(labels, sys.stdout)
    elif args.out.lower().endswith(parquet_tables.SUFFIX):
        predict.write_parquet(labels, Path(args.out))
    else:
        with Path(args.out).open("w", newline="") as out:
            predict.write_csv(labels, out)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return ERROR if problems else DONE


def _in_blocks(args: Namespace) -> int:
    """Write the labels block by block."""
    from alearn.cli import block_run
    from alearn.trial import block_tasks
    from alearn.trial.block_tasks import LabelTask

    try:
        root, out = block_tasks.absolute(args.images[0]), block_tasks.absolute(args.out)
        return block_run.run(LabelTask(args.folder.absolute(), root, args.device, out), args)
    except KeyboardInterrupt as stop:
        part = [f"--shard={args.part.number}/{args.part.parts}"] if args.part else ["--merge"] if args.merge else []
        words = ["predict", str(args.folder), *args.images, f"--out={args.out}", *part, *cluster_words(args)]
        words += [f"--device={args.device}"] if args.device != "auto" else []
        raise type(stop)(shlex.join(["alearn", *words])) from None
