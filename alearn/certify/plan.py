"""alearn-plan: what a certificate would cost, before anything is spent."""

import argparse
import sys

import numpy as np

from alearn.certify import options
from alearn.decide import audit, certificate
from alearn.errors import AlearnError
from alearn.events import Array

TAIL = 0.03
"""The wrong labels are taken to lie at the end of the order, ever fewer towards its start: by a factor of e for this
share of the items. audit.CONFIDENT of them are taken to be anywhere."""
BAR = 40
"""Characters of the longest bar."""


def profile(items: int, errors: float) -> Array:
    """float64 [items]: the probability that each label is wrong, so that some `errors` are in all."""
    away = np.arange(items)[::-1] / (TAIL * items)
    density = np.exp(-away)
    low, high = 0.0, 1e20  # what the density is to be multiplied by: no probability is above one half
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(0.5, middle * density).sum() < errors else (low, middle)
    result: Array = (1 - audit.CONFIDENT) * np.minimum(0.5, high * density) + audit.CONFIDENT * errors / items
    return result


def report(items: int, target_error: float, risk: float, errors: float, budget: int | None) -> str:
    """Sizes, costs and the floor, as text. Raises AlearnError if it cannot be had."""
    allowed = certificate.allowed(items, target_error)
    floor = options.reachable(items, allowed, risk, budget)
    found = audit.plans(allowed, risk, profile(items, errors))
    best = found[0]
    lines = [
        f"{items:,} labels, {errors:,.0f} of them expected to be wrong; at most {allowed:,} ({target_error:.4g}) shall "
        f"be, risk {risk:g}.",
        f"floor: {floor:,} labels must be checked, however good the others are.",
        "",
        "  checked (may be wrong)                                 mean cost    median   90 % at most",
    ]
    shown = sorted(found[:8], key=lambda plan: (plan.stages[0][1], len(plan.stages)))
    longest = max(plan.high for plan in shown)
    for plan in shown:
        stages = " ".join(f"{size:,}({tolerated})" for size, tolerated in plan.stages)
        bar = "#" * round(BAR * plan.median / longest)
        bar += "=" * (round(BAR * plan.high / longest) - len(bar))
        mark = "*" if plan is best else " "
        lines.append(f"{mark} {stages:52} {plan.mean:11,.0f} {plan.median:9,.0f} {plan.high:14,.0f}  {bar}")
    lines += [
        "",
        "cost: labels checked, and labels beyond the cut, by hand. # up to the median, = up to the 90th percentile.",
        "A line with several numbers is one audit that may stop at each of them.",
        f"* expected to be cheapest: {best.mean:,.0f} labels by hand, {best.mean / items:.1%} of all.",
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="alearn-plan", description="What a certificate costs, before anything is spent."
    )
    parser.add_argument("--items", type=int, required=True, help="labels that no human gave")
    options.add_target(parser)
    parser.add_argument(
        "--expected-errors", type=float, help="wrong ones among them (default: half of what is allowed)"
    )
    parser.add_argument("--budget", type=int, help="labels that the audit may check at most")
    words = parser.parse_args()
    try:
        if words.items < 1:
            raise AlearnError(f"--items {words.items}: must be at least 1")
        allowed = certificate.allowed(words.items, words.target_error)
        errors = allowed / 2 if words.expected_errors is None else words.expected_errors
        if not 0 <= errors <= words.items / 2:
            raise AlearnError(f"--expected-errors {errors:g}: must be from 0 to half of the {words.items:,} items")
        print(report(words.items, words.target_error, words.risk, errors, words.budget))
    except AlearnError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
