"""`alearn predict`: label new images with the model of a finished trial."""

import sys
from argparse import Namespace
from pathlib import Path

from alearn.cli.command_line import Parser
from alearn.cli.exit_codes import DONE, ERROR, UsageError


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser("predict", "Label new images with the model of a finished trial, DIR/model.pt.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the trial")
    parser.add_argument("images", type=Path, nargs="*", metavar="IMAGE", help="an image file, or a folder of images")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the labels to this CSV file (default: print)")
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
    from alearn.learn import device  # here, because these import torch
    from alearn.trial import model_file, predict

    saved = model_file.load(args.folder)
    if args.onnx is not None:
        predict.to_onnx(saved, args.onnx)
    if not args.images:
        return DONE
    runtime = device.choose(args.device, "fp32")
    paths = list(predict.found(args.images))
    if args.out is None:
        problems = predict.predict(saved, runtime, paths, sys.stdout)
    else:
        with args.out.open("w", newline="") as out:
            problems = predict.predict(saved, runtime, paths, out)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return ERROR if problems else DONE
