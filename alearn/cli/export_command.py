"""alearn-export: the command."""

import argparse
import os
import sys
from pathlib import Path

from alearn.errors import AlearnError
from alearn.export import csv_rows, folders, labelstudio_tasks, manifest, parquet
from alearn.export.records import Labeled, read
from alearn.files import atomic

FORMATS = {
    "csv": "export.csv",
    "jsonl-manifest": "export.jsonl",
    "folders": "export",
    "labelstudio": "export.labelstudio.json",
    "parquet": "export.parquet",
}
"""Each with the name of what it writes into the folder, unless told otherwise."""
ONLY = {"link": ("folders",), "embed": ("labelstudio",), "prefix": ("jsonl-manifest", "labelstudio")}
"""Formats that an option is for."""
STANDARD_OUTPUT = Path("-")


def run(words: argparse.Namespace) -> None:
    """One call of the command."""
    kind, out = words.format, words.out or words.folder / FORMATS[words.format]
    for option, kinds in ONLY.items():
        if getattr(words, option) and kind not in kinds:
            name = {"hard": "--link", "symbolic": "--symlink", "copy": "--copy"}.get(words.link, "--link")
            name = name if option == "link" else f"--{option}"
            raise AlearnError(f"{name}: is for --format {' and '.join(kinds)}, not for {kind}")
    if words.embed and words.prefix:
        raise AlearnError(
            "--embed: puts the images into the file, which leaves no paths for --prefix; give one of them"
        )
    if out == STANDARD_OUTPUT and kind == "folders":
        raise AlearnError("--out -: --format folders writes a folder, which standard output is not; give its path")
    labeled = read(words.folder, words.root)
    if out == STANDARD_OUTPUT:
        content = _content(labeled, words)
        sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode())
        sys.stdout.flush()
        print(labeled.summary(), file=sys.stderr)
        return
    out, notes = Path(os.path.abspath(out)), list[str]()  # "." has no name of its own, and links stay as given
    if out.parent.resolve() == words.folder.resolve() and not out.name.startswith("export"):
        raise AlearnError(f"--out {out}: in a trial's own folder names of exports begin with export; give another")
    if kind == "folders":
        notes = folders.write(labeled, out, words.link or "hard")
    else:
        content = _content(labeled, words)
        if out.is_dir():
            raise AlearnError(f"--out {out}: is a folder; --format {kind} writes a file")
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(out, content)
    print("\n".join([labeled.summary(), *notes, f"{kind}: {out}"]))


def _content(labeled: Labeled, words: argparse.Namespace) -> bytes | str:
    """Of a format that is one file."""
    prefix = words.prefix or ""
    match words.format:
        case "csv":
            return csv_rows.text(labeled)
        case "jsonl-manifest":
            return manifest.text(labeled, prefix)
        case "labelstudio":
            return labelstudio_tasks.text(labeled, prefix, words.embed)
        case _:
            return parquet.content(labeled)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alearn-export",
        description="Write the labels of a trial (finished or not) or of an alearn-audit for other programs: the whole "
        "data set in its order, with who gave each label, when, how surely, and the certificate.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the trial's or the audit's folder")
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        required=True,
        help="csv; jsonl-manifest: as of SageMaker Ground Truth; folders: one a class, for torchvision's ImageFolder; "
        "labelstudio: tasks to import; parquet: pip install 'alearn[parquet]'",
    )
    names = ", ".join(FORMATS.values())
    parser.add_argument("--out", type=Path, metavar="PATH", help=f"default: in DIR, {names}; - is standard output")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="where the images are now (default: where the trial had them)"
    )
    how = parser.add_mutually_exclusive_group()
    for name, value, text in (
        ("--link", "hard", "hard links, or copies where there can be none (the default)"),
        ("--symlink", "symbolic", "symbolic links to the originals"),
        ("--copy", "copy", "copies"),
    ):
        how.add_argument(name, dest="link", action="store_const", const=value, help=f"folders: {text}")
    parser.add_argument(
        "--prefix", metavar="TEXT", help="jsonl-manifest, labelstudio: put before each path, e.g. s3://BUCKET/"
    )
    parser.add_argument(
        "--embed", action="store_true", help="labelstudio: the images themselves as data: URIs; for small data sets"
    )
    return parser


def main() -> None:
    """The command."""
    words = _parser().parse_args()
    try:
        run(words)
    except (AlearnError, OSError) as error:
        sys.exit(f"error: {error}")
