"""`alearn example`: write a folder of images, to try alearn with it."""

import os
import shlex
from argparse import Namespace
from pathlib import Path
from typing import get_args

from alearn.cli.command_line import Parser, whole
from alearn.cli.exit_codes import DONE
from alearn.config import Standard

DATA = get_args(Standard.model_fields["name"].annotation)
LAYOUTS = ("unlabeled", "classes")


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "example", "Write some images of a known data set as PNG files, to try alearn with a folder of images."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or an empty one")
    parser.add_argument(
        "--data",
        choices=DATA,
        default="mnist",
        help="the data set; it is downloaded if it is missing (default: %(default)s)",
    )
    parser.add_argument(
        "--images", type=whole(1), default=600, metavar="N", help="how many images (default: %(default)s)"
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default=LAYOUTS[0],
        help="unlabeled: all files in DIR, and the true labels in DIR.truth.csv; classes: one folder per class "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, metavar="N", help="another seed draws other images (default: %(default)s)"
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the folder of the data sets (default: the value of the variable ALEARN_DATA, or ~/.cache/alearn)",
    )
    return parser


def run(args: Namespace) -> int:
    """Write the folder. Print what is in it and what to do next."""
    from alearn.data import example_files  # here, because it imports torch

    root = args.root or Path(os.environ.get("ALEARN_DATA", "~/.cache/alearn"))
    folder = args.folder.absolute()
    classes = example_files.write(folder, args.data, root.expanduser(), args.images, args.layout, args.seed)
    print(f"{args.folder}: {args.images:,} images of {args.data}, in {len(classes)} classes: {', '.join(classes)}")
    oracle = ""
    if args.layout == "unlabeled":
        print(f"true labels, to compare with: {example_files.truth_file(folder)}")
        oracle = " oracle=web"
    print(f"next: alearn data=folder data.root={shlex.quote(str(args.folder))}{oracle}")
    return DONE
