"""`alearn predict`: label new images with the model of a finished trial."""

import sys
from argparse import Namespace
from pathlib import Path

from alearn.cli.command_line import Parser, part_of_all
from alearn.cli.exit_codes import DONE, ERROR, UsageError


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
        "--out", type=Path, metavar="FILE", help="write the labels to this CSV or *.parquet file (default: print)"
    )
    parser.add_argument(
        "--shard",
        type=part_of_all,
        metavar="I/N",
        help="label part I of N of the images, from 1/N to N/N, beside other processes; auto: as a job array says",
    )
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
    from alearn.files import parquet_tables
    from alearn.learn import device  # here, because these import torch
    from alearn.trial import model_file, predict

    saved = model_file.load(args.folder)
    if args.onnx is not None:
        predict.to_onnx(saved, args.onnx)
    if not args.images:
        return DONE
    runtime = device.choose(args.device, "fp32")
    problems: list[str] = []
    images = list(predict.found(args.images, problems))
    if args.shard is not None:
        images = [*args.shard.of(images)]
    labels = predict.predict(saved, runtime, images, problems)
    if args.out is None:
        predict.write_csv(labels, sys.stdout)
    elif args.out.suffix.lower() == parquet_tables.SUFFIX:
        predict.write_parquet(labels, args.out)
    else:
        with args.out.open("w", newline="") as out:
            predict.write_csv(labels, out)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return ERROR if problems else DONE
