"""What the commands have in common: target and risk on the command line, and whether they can be had."""

import argparse
import math
from pathlib import Path

from alearn.decide import certificate
from alearn.errors import AlearnError


def add_target(parser: argparse.ArgumentParser) -> None:
    """--target-error and --risk."""
    parser.add_argument(
        "--target-error", type=share, required=True, help="at most so large a share of all labels is wrong"
    )
    parser.add_argument("--risk", type=share, default=0.05, help="... but with this probability (default: 0.05)")


def share(text: str) -> float:
    """A number between 0 and 1, neither included."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a number between 0 and 1")
    return value


def reachable(items: int, allowed: int, risk: float, budget: int | None) -> int:
    """The smallest audit that proves anything. Raises AlearnError if it is over the budget, or half of all."""
    floor = certificate.floor(items, allowed, risk)
    what = f"to prove that at most {allowed:,} of {items:,} labels are wrong takes at least {floor:,} checked ones"
    if budget is not None and floor > budget:
        raise AlearnError(f"{what} at a risk of {risk}, whatever the model: more than the budget of {budget:,}")
    if floor > items / 2:
        raise AlearnError(f"{what} at a risk of {risk}, whatever the model: label them all, or allow more errors")
    return floor


def number(path: Path, line: int, column: str, fields: dict[str, str]) -> float:
    """A confidence. Raises AlearnError for anything else than a number from 0 to 1."""
    try:
        value = float(fields[column])
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise AlearnError(f"{path}: line {line}: {column}={fields[column]}: must be a number from 0 to 1")
    return value
