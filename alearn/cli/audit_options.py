"""What the commands have in common: what is asked for on the command line, and whether it can be had."""

import argparse
import math
from collections.abc import Sequence
from typing import get_args

from alearn.audit import bounds
from alearn.audit.rules import Kind, Promise, Scope
from alearn.errors import AlearnError


def add_target(parser: argparse.ArgumentParser) -> None:
    """--target-error, --risk, --scope and --kind."""
    parser.add_argument("--target-error", type=share, required=True, help="at most so large a share is wrong")
    parser.add_argument("--risk", type=share, default=0.05, help="... but with this probability (default: 0.05)")
    parser.add_argument(
        "--scope",
        choices=get_args(Scope),
        default="total",
        help="a share of all labels (total, the default), of those that stay the model's (auto), of each class (class)",
    )
    parser.add_argument(
        "--kind",
        choices=get_args(Kind),
        default="staged",
        help="when the audit may stop: at one size (single), at a few (staged, the default), at any (sequential)",
    )


def share(text: str) -> float:
    """A number between 0 and 1, neither included."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a number between 0 and 1")
    return value


def reachable(promise: Promise, items: Sequence[int], budget: int | None) -> int:
    """The smallest audit that proves anything of groups of so many items each. Raises AlearnError if it is over the
    budget, or half of all.
    """
    floor = sum(bounds.floor(n, promise.allowed(n), promise.risk) for n in items)
    allowed, total = sum(promise.allowed(n) for n in items), sum(items)
    what = f"to prove that at most {allowed:,} of {total:,} labels are wrong takes at least {floor:,} checked ones"
    at = f"at a risk of {promise.risk:.4g}{' a class' if len(items) > 1 else ''}, whatever the model"
    if budget is not None and floor > budget:
        raise AlearnError(f"{what} {at}: more than the budget of {budget:,}")
    if floor > total / 2:
        raise AlearnError(f"{what} {at}: label them all, or allow more errors")
    return floor
