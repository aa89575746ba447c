"""`alearn export`: write the labels of a trial or an audit for other programs."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from alearn.cli.command_line import Parser
from alearn.cli.exit_codes import DONE, UsageError
from alearn.errors import AlearnError

if TYPE_CHECKING:
    from alearn.export.records import Labeled

FORMATS = {
    "csv": "export.csv",
    "jsonl-manifest": "export.jsonl",
    "folders": "export",
    "labelstudio": "export.labelstudio.json",
    "parquet": "export.parquet",
}
"""Each with the name of what it writes into the folder, unless --out says otherwise."""
ONLY = {
    "link": ("folders",),
    "symlink": ("folders",),
    "copy": ("folders",),
    "embed": ("labelstudio",),
    "prefix": ("jsonl-manifest", "labelstudio"),
}
"""The formats that an option is for."""
STANDARD_OUTPUT = Path("-")


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "export",
        "Write the labels of a trial, finished or not, or of an audit, for other programs: the whole data set in its "
        "order, with who gave each label, when, how surely, and the certificate.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the trial or of the audit")
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        required=True,
        help="csv; jsonl-manifest, as SageMaker Ground Truth has it; folders, one for each class, as torchvision's "
        "ImageFolder reads them; labelstudio, tasks to import; parquet, which needs pip install 'alearn[parquet]'",
    )
    names = ", ".join(FORMATS.values())
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help=f"where to write; - is standard output (default: in DIR, {names})"
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="where the images are now (default: where the trial had them)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--link", action="store_true", help="folders: hard links, or copies where there can be none (the default)"
    )
    how.add_argument("--symlink", action="store_true", help="folders: symbolic links to the originals")
    how.add_argument("--copy", action="store_true", help="folders: copies of the images")
    parser.add_argument(
        "--prefix", metavar="TEXT", help="jsonl-manifest, labelstudio: text before each path, such as s3://BUCKET/"
    )
    parser.add_argument(
        "--embed", action="store_true", help="labelstudio: the images themselves, as data: URIs; for small data sets"
    )
    return parser


def run(args: Namespace) -> int:
    """Write the labels, and print what they are and where they went."""
    _check_options(args)
    from alearn.export import folders, records  # torch comes with these
    from alearn.files import atomic

    labeled = records.read(args.folder, args.root)
    if args.out == STANDARD_OUTPUT:
        sys.stdout.buffer.write(_content(labeled, args))
        sys.stdout.flush()
        print(labeled.summary(), file=sys.stderr)
        return DONE
    out = Path(os.path.abspath(args.out or args.folder / FORMATS[args.format]))  # "." has no name, and links stay
    if out.parent.resolve() == args.folder.resolve() and not out.name.startswith("export"):
        raise AlearnError(f"--out {out}: in a trial's own folder names of exports begin with export; give another")
    notes: list[str] = []
    if args.format == "folders":
        how: folders.How = "symbolic" if args.symlink else "copy" if args.copy else "hard"
        notes = folders.write(labeled, out, how)
    else:
        content = _content(labeled, args)
        if out.is_dir():
            raise AlearnError(f"--out {out}: is a folder; --format {args.format} writes a file")
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(out, content)
    print("\n".join([labeled.summary(), *notes, f"{args.format}: {out}"]))
    return DONE


def _check_options(args: Namespace) -> None:
    """Raise UsageError for options that are not for this format, or that exclude each other."""
    for option, formats in ONLY.items():
        if getattr(args, option) and args.format not in formats:
            raise UsageError(f"--{option}: is for --format {' and '.join(formats)}, not for {args.format}")
    if args.embed and args.prefix:
        raise UsageError("--embed: puts the images into the file, which leaves no paths for --prefix; give one of them")
    if args.out == STANDARD_OUTPUT and args.format == "folders":
        raise UsageError("--out -: --format folders writes a folder, which standard output is not; give its path")


def _content(labeled: "Labeled", args: Namespace) -> bytes:
    """Return the file of a format that has one."""
    from alearn.export import csv_rows, labelstudio_tasks, manifest, parquet

    prefix = args.prefix or ""
    match args.format:
        case "csv":
            return csv_rows.text(labeled).encode()
        case "jsonl-manifest":
            return manifest.text(labeled, prefix).encode()
        case "labelstudio":
            return labelstudio_tasks.text(labeled, prefix, args.embed).encode()
        case "parquet":
            return parquet.content(labeled)
        case _:
            raise AssertionError(args.format)
