"""`alearn report`: write report.html for trials and sweeps, finished or not."""

from argparse import Namespace
from pathlib import Path

from alearn.cli.command_line import Parser
from alearn.cli.exit_codes import DONE
from alearn.errors import AlearnError


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser("report", "Write report.html for trials and sweeps: a page that needs no server.")
    parser.add_argument(
        "folder", nargs="+", type=Path, metavar="DIR", help="the folder of a trial or a sweep; report.html goes there"
    )
    return parser


def run(args: Namespace) -> int:
    """Write the report into each folder, and print its path."""
    from alearn.report import trial_report  # here, because these import torch
    from alearn.report.html import page
    from alearn.sweep import sweep_page

    for folder in args.folder:
        if not folder.is_dir():
            raise AlearnError(f"{folder}: there is no such folder")
        try:
            if (folder / "config.yaml").exists():
                trial_report.rebuild(folder)
            else:
                sweep_page.write(folder)
        except OSError as error:
            raise AlearnError(f"{folder}: cannot be written ({error.strerror})") from error
        print(folder / page.NAME)
    return DONE
