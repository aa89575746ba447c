"""`alearn export`: write the labels of a trial or an audit for other programs."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from alearn.cli.command_line import Parser
from alearn.cli.exit_codes import DONE, UsageError
from alearn.errors import AlearnError
from alearn.registry import EXPORTERS

STANDARD_OUTPUT = Path("-")
LINKS = {"hard": "--link", "symbolic": "--symlink", "copy": "--copy"}
"""The option for each way to put images into a folder."""


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "export",
        "Write the labels of a trial, finished or not, or of an audit, for other programs. The export has the whole "
        "data set in its order. It says who gave each label, when, and with which confidence, and has the certificate.",
    )
    own = EXPORTERS.own()
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the trial or of the audit")
    parser.add_argument(
        "--format",
        choices=EXPORTERS.names(),
        required=True,
        help="; ".join(f"{name}: {exporter.help}" for name, exporter in own.items()),
    )
    files = ", ".join(exporter.file for exporter in own.values())
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help=f"where to write; - is standard output (default: in DIR, {files})"
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="where the images are now (default: where the trial had them)"
    )
    how = parser.add_mutually_exclusive_group()
    for value, text in (
        ("hard", "hard links, or copies if these are not possible (the default)"),
        ("symbolic", "symbolic links to the originals"),
        ("copy", "copies of the images"),
    ):
        text = f"{_takers('how')}: {text}"
        how.add_argument(LINKS[value], dest="how", action="store_const", const=value, help=text)
    parser.add_argument(
        "--prefix", metavar="TEXT", help=f"{_takers('prefix')}: text before each path, such as s3://BUCKET/"
    )
    parser.add_argument(
        "--embed",
        action="store_const",
        const=True,
        help=f"{_takers('embed')}: put the images themselves into the file, as data: URIs; for small data sets",
    )
    return parser


def _takers(option: str) -> str:
    """Return the formats that accept an option, as text."""
    return ", ".join(name for name, exporter in EXPORTERS.own().items() if option in exporter.options)


def run(args: Namespace) -> int:
    """Write the labels. Print a summary and the path."""
    exporter = EXPORTERS.get(args.format)
    options = _options(args)
    if args.out == STANDARD_OUTPUT and exporter.folder:
        raise UsageError(f"--out -: --format {args.format} writes a folder, not standard output; give a path")
    from alearn.export import records
    from alearn.files import atomic

    labeled = records.read(args.folder, args.root)
    if args.out == STANDARD_OUTPUT:
        sys.stdout.buffer.write(_bytes(exporter.write(labeled, **options)))
        sys.stdout.flush()
        print(labeled.summary(), file=sys.stderr)
        return DONE
    out = Path(os.path.abspath(args.out or args.folder / exporter.file))  # "." has no name; abspath keeps links
    if out.parent.resolve() == args.folder.resolve() and not out.name.startswith("export"):
        raise AlearnError(f"--out {out}: in the trial's folder, the name must begin with export; give another name")
    notes: list[str] = []
    if exporter.folder:
        notes = exporter.write(labeled, out, **options)
    else:
        content = _bytes(exporter.write(labeled, **options))
        if out.is_dir():
            raise AlearnError(f"--out {out}: is a folder; --format {args.format} writes a file")
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(out, content)
    print("\n".join([labeled.summary(), *notes, f"{args.format}: {out}"]))
    return DONE


def _options(args: Namespace) -> dict[str, Any]:
    """Return the options of the exporter. Raise UsageError if the format does not accept them, or they conflict."""
    options = {name: value for name in ("how", "prefix", "embed") if (value := getattr(args, name)) is not None}
    for name, value in options.items():
        if name not in EXPORTERS.get(args.format).options:
            flag = LINKS[value] if name == "how" else f"--{name}"
            raise UsageError(f"{flag}: is for --format {_takers(name)}, not for {args.format}")
    if {"embed", "prefix"} <= options.keys():
        raise UsageError("--embed: puts the images into the file, so there are no paths for --prefix; give one of them")
    return options


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
