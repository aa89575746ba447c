"""`alearn verify`: check a certificate against the files beside it."""

import sys
from argparse import Namespace
from pathlib import Path

from alearn.audit import verify
from alearn.cli.command_line import Parser
from alearn.cli.exit_codes import DONE, ERROR


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "verify",
        "Check that a certificate follows from the files beside it: the frozen labels, the draw, the answers and the "
        "delivered labels. It needs no model and no images. The exit code is 1 if the certificate is not valid.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of a trial or of an audit")
    return parser


def run(args: Namespace) -> int:
    """Print the verdict, on standard output if the certificate is valid, and on standard error otherwise."""
    valid, text = verify.verdict(args.folder)
    print(text, file=sys.stdout if valid else sys.stderr)
    return DONE if valid else ERROR
