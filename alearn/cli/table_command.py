"""`alearn table`: print the table of the trials below some folders, and write it into the first folder."""

from argparse import Namespace
from pathlib import Path

from alearn.cli.command_line import Parser
from alearn.cli.exit_codes import DONE
from alearn.errors import AlearnError


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "table",
        "Print the table of all trials below some folders, and write table.md, table.csv, table.json and tradeoff.png "
        "into the first folder.",
        epilog="KEY is a config key such as policy.threshold, or a key of row.json such as hand or mislabeled_total.",
    )
    parser.add_argument("folder", nargs="+", type=Path, metavar="DIR", help="the folder of a sweep")
    parser.add_argument("--sort", metavar="KEY", help="order the trials by this key")
    parser.add_argument("--descending", action="store_true", help="put the largest first")
    parser.add_argument(
        "--where",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="take only trials that meet this condition; != < <= > >= also work; repeat the option for more conditions",
    )
    parser.add_argument(
        "--commands", action="store_true", help="instead of the table, print the commands that run the trials again"
    )
    return parser


def run(args: Namespace) -> int:
    """Write and print the table."""
    from alearn.sweep import results, tradeoff  # here, because these import torch
    from alearn.trial import row, status

    for folder in args.folder:
        if not folder.is_dir():
            raise AlearnError(f"{folder}: there is no such folder")
    rows = status.rows(*args.folder)
    if not rows and not status.missing(*args.folder):
        raise AlearnError(f"there is no trial below {', '.join(map(str, args.folder))}")
    for condition in args.where:
        rows = results.where(rows, condition)
    if args.sort:
        rows = results.sort(rows, args.sort, args.descending)
    if args.commands:
        print("\n".join(map(row.command, rows)))
        return DONE
    try:
        text = results.table(*args.folder, rows=rows)
        tradeoff.save(args.folder[0], rows)
    except OSError as error:
        raise AlearnError(f"{args.folder[0]}: cannot be written ({error.strerror})") from error
    print(text, end="")
    return DONE
