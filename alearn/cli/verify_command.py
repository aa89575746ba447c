"""`alearn verify`: check a certificate against the files beside it."""

import sys
from argparse import Namespace

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
    verify.add_arguments(parser)
    return parser


def run(args: Namespace) -> int:
    """Print the verdict, on standard output if the certificate is valid, and on standard error otherwise."""
    valid, text = verify.verdict(args.folder, args.commitment, args.seed, args.after)
    print(text, file=sys.stdout if valid else sys.stderr)
    return DONE if valid else ERROR
