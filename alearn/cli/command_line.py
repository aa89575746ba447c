"""The parser and the options that all subcommands share."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, get_args

from alearn.audit.plan import Kind
from alearn.audit.rules import Scope
from alearn.cli.exit_codes import UsageError
from alearn.data.part import Part


class Parser(argparse.ArgumentParser):
    """The parser of a subcommand. It raises a `UsageError` for arguments that it cannot read."""

    def __init__(self, name: str, description: str, epilog: str | None = None) -> None:
        super().__init__(prog=f"alearn {name}", description=description, epilog=epilog, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise an error instead of printing the usage, because the user only needs the message."""
        raise UsageError(f"{message.removeprefix('argument ')}; {self.prog} --help lists the options")


def share(text: str) -> float:
    """Return a number between 0 and 1, both excluded."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a number between 0 and 1")
    return value


def filled(text: str) -> str:
    """Return a text that is not blank. A blank one is most likely a variable of the shell that is not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"is {text!r}; must not be blank")
    return text


def path(text: str) -> Path:
    """Return a path. A blank text would be the current folder."""
    return Path(filled(text))


def fraction(text: str) -> float:
    """Return a number of at least 0 and below 1."""
    return 0.0 if text in ("0", "0.0") else share(text)


def whole(least: int) -> Callable[[str], int]:
    """Return the type of an option whose value is a whole number, at least `least`."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text}: must be a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{text}: must be {least} or more")
        return value

    return number


def part_of_all(text: str) -> Part:
    """Return a part of the images: see `Part.parse`."""
    try:
        return Part.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_target(parser: Parser) -> None:
    """Add the options that define what a certificate states."""
    parser.add_argument(
        "--target-error", type=share, required=True, metavar="SHARE", help="the share of labels that may be wrong"
    )
    parser.add_argument(
        "--risk",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="the probability that a larger share is wrong (default: %(default)s)",
    )
    parser.add_argument(
        "--scope",
        choices=get_args(Scope),
        default="total",
        help="the labels to which the share refers: all labels (total), the final labels of the model (auto), or the "
        "labels of each class (class) (default: %(default)s)",
    )
    parser.add_argument(
        "--kind",
        choices=get_args(Kind),
        default="auto",
        help="when the audit may stop: at one size (single), at a few sizes (staged), at any size (sequential), or "
        "whichever of the latter two is expected to be cheaper (auto) (default: %(default)s)",
    )
