"""alearn-example: a folder of images to try alearn on."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from alearn.data import example_files, standard
from alearn.errors import AlearnError


def run(args: argparse.Namespace) -> str:
    """Write the folder, and return what to tell the user."""
    root = args.root or Path(os.environ.get("ALEARN_DATA", "~/.cache/alearn"))
    folder = args.folder.absolute()
    classes = example_files.write(folder, args.data, root.expanduser(), args.images, args.layout, args.seed)
    lines = [f"{args.folder}: {args.images:,} images of {args.data}, in {len(classes)} classes: {', '.join(classes)}"]
    if args.layout == "unlabeled":
        lines.append(f"true labels, to compare with: {example_files.truth_file(folder)}")
    oracle = " oracle=web" if args.layout == "unlabeled" else ""
    lines.append(f"next: alearn data=folder data.root={shlex.quote(str(args.folder))}{oracle}")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="alearn-example",
        description="Write some images of a known data set as PNG files, to try alearn on a folder of images.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or an empty one")
    parser.add_argument(
        "--data",
        choices=list(standard.SIZES),
        default="mnist",
        help="the data set (default: mnist); fetched if need be",
    )
    parser.add_argument("--images", type=int, default=600, help="how many (default: 600)")
    parser.add_argument(
        "--layout",
        choices=get_args(example_files.Layout),
        default="unlabeled",
        help="unlabeled (default): all files in DIR, the true labels in DIR.truth.csv; classes: a folder of each class",
    )
    parser.add_argument("--seed", type=int, default=0, help="another one draws other images (default: 0)")
    parser.add_argument(
        "--root", type=Path, help="where data sets lie (default: ALEARN_DATA if it is set, else ~/.cache/alearn)"
    )
    return parser


def main(args: Sequence[str] | None = None) -> None:
    """Run the command."""
    try:
        print(run(parser().parse_args(args)))
    except (AlearnError, OSError) as error:
        sys.exit(f"error: {error}")
