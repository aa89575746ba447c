"""The parser and the options that all subcommands share."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, get_args

from alearn.audit.plan import Kind
from alearn.audit.rules import Scope
from alearn.cli.exit_codes import UsageError
from alearn.data.part import BLOCK, Part


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


def add_cluster(parser: Parser) -> None:
    """Add the options that say how to compute blocks, and on which machines."""
    parser.add_argument(
        "--block",
        type=whole(1),
        default=BLOCK,
        metavar="N",
        help="images of a block (default: %(default)s)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        type=cluster_address,
        metavar="ADDRESS",
        help="compute the blocks on this Ray cluster; without an address, on that of RAY_ADDRESS, or on this machine",
    )
    parser.add_argument(
        "--workers", type=whole(1), metavar="N", help="processes on the cluster (default: as many as fit)"
    )
    parser.add_argument(
        "--gpus-per-worker", type=amount, default=0.0, metavar="G", help="GPUs of each of them, for example 1 or 0.5"
    )


def cluster_address(text: str) -> str:
    """Return the address of a Ray cluster. It is no KEY=VALUE, which would follow an option without a value."""
    if "=" in text:
        raise argparse.ArgumentTypeError(f"{text}: is no address of a cluster; put --ray at the end, or --ray=ADDRESS")
    return text


def cluster_words(args: argparse.Namespace) -> list[str]:
    """Return the words of a command line that give the options of `add_cluster` the values that they have."""
    words = [f"--block={args.block}"] if args.block != BLOCK else []
    if args.ray is not None:
        words.append(f"--ray={args.ray}" if args.ray else "--ray")
    words += [f"--workers={args.workers}"] if args.workers else []
    return words + ([f"--gpus-per-worker={args.gpus_per_worker:g}"] if args.gpus_per_worker else [])


def check_cluster(args: argparse.Namespace, blocks: bool, how: str) -> None:
    """Raise a UsageError for options of `add_cluster` that would do nothing. how: how to ask for blocks."""
    words = cluster_words(args)
    if words and not blocks:
        raise UsageError(f"{words[0]}: is for blocks; {how}")
    if args.ray is None and any(not word.startswith("--block") for word in words):
        raise UsageError(f"{words[-1]}: is for a Ray cluster; give --ray, too")
    if args.ray is not None and args.part is not None:
        raise UsageError("--shard: a Ray cluster takes all blocks; give either --shard or --ray")
    if args.ray is not None and args.merge:
        raise UsageError("--merge: computes nothing; leave out --ray")
    if args.gpus_per_worker > 1 and args.gpus_per_worker % 1:
        raise UsageError(f"--gpus-per-worker={args.gpus_per_worker:g}: must be at most 1, or a whole number")


def amount(text: str) -> float:
    """Return a number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: must be a number, 0 or more")
    return value


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
