"""alearn-plan: what a certificate would cost, before anything is spent."""

import argparse
import sys

import numpy as np

from alearn.audit import bounds, plan
from alearn.audit.rules import Terms
from alearn.cli import audit_options
from alearn.errors import AlearnError
from alearn.values import Array

TAIL = 0.03
"""The wrong labels are taken to lie at the end of the order, ever fewer towards its start: by a factor of e for this
share of the items. plan.ANYWHERE of them are taken to be anywhere."""
BAR, STAGES = 40, 5
"""Characters of the longest bar, and stages that a line shows."""


def profile(items: int, errors: float) -> Array:
    """float64 [items]: the probability that each label is wrong, so that some `errors` are in all."""
    away = np.arange(items)[::-1] / (TAIL * items)
    density = np.exp(-away)
    low, high = 0.0, 1e20  # what the density is to be multiplied by: no probability is above one half
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(0.5, middle * density).sum() < errors else (low, middle)
    result: Array = (1 - plan.ANYWHERE) * np.minimum(0.5, high * density) + plan.ANYWHERE * errors / items
    return result


def report(items: int, terms: Terms, errors: float, budget: int | None = None, classes: int = 1) -> str:
    """Sizes, costs and the floor, as text. classes: equal ones, of which each has a bound. Raises AlearnError if it
    cannot be had.
    """
    sizes = [len(part) for part in np.array_split(np.arange(items), classes)]
    promise = terms.promise(items, classes)
    floor = audit_options.reachable(promise, sizes, budget)
    found = plan.plans(promise, profile(sizes[0], errors / classes), terms.kind)
    best, allowed = found[0], promise.allowed(sizes[0])
    each = f" in each of {classes} classes" if classes > 1 else ""
    lines = [
        f"{items:,} labels, {errors:,.0f} of them expected to be wrong; at most {allowed:,} ({terms.target_error:.4g})"
        f"{each} shall be, risk {terms.risk:g}{' for all classes at once' if each else ''}.",
        f"floor: {floor:,} labels must be checked, however good the others are.",
        "",
        f"  checked (may be wrong){', a class' if each else '':30}  mean cost    median   90 % at most",
    ]
    shown = sorted(found[:8], key=lambda one: (one.stages[0][1], len(one.stages)))
    longest = max(one.high for one in shown)
    for one in shown:
        stages = " ".join(f"{size:,}({tolerated})" for size, tolerated in one.stages[:STAGES])
        stages += " ..." if len(one.stages) > STAGES else ""
        bar = "#" * round(BAR * one.median / longest)
        bar += "=" * (round(BAR * one.high / longest) - len(bar))
        mark = "*" if one is best else " "
        lines.append(f"{mark} {stages:52} {one.mean:11,.0f} {one.median:9,.0f} {one.high:14,.0f}  {bar}")
    lines += [
        "",
        "cost: labels checked, and labels beyond the cut, by hand. # up to the median, = up to the 90th percentile.",
        "A line with several numbers is one audit that may stop at each of them.",
        f"* expected to be cheapest: {classes * best.mean:,.0f} labels by hand, {classes * best.mean / items:.1%} of "
        "all.",
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="alearn-plan", description="What a certificate costs, before anything is spent."
    )
    parser.add_argument("--items", type=int, required=True, help="labels that no human gave")
    audit_options.add_target(parser)
    parser.add_argument(
        "--expected-errors", type=float, help="wrong ones among them (default: half of what is allowed)"
    )
    parser.add_argument("--classes", type=int, default=1, help="of equal size, for --scope class")
    parser.add_argument("--budget", type=int, help="labels that the audit may check at most")
    words = parser.parse_args()
    try:
        if words.items < 1:
            raise AlearnError(f"--items {words.items}: must be at least 1")
        if not 1 <= words.classes <= words.items or (words.classes > 1) != (words.scope == "class"):
            raise AlearnError(
                f"--classes {words.classes}: must be from 2 to the {words.items:,} items with --scope class, and is "
                "for that scope only"
            )
        allowed = bounds.allowed(words.items, words.target_error)
        errors = allowed / 2 if words.expected_errors is None else words.expected_errors
        if not 0 <= errors <= words.items / 2:
            raise AlearnError(f"--expected-errors {errors:g}: must be from 0 to half of the {words.items:,} items")
        terms = Terms(words.target_error, words.risk, words.scope, words.kind)
        print(report(words.items, terms, errors, words.budget, words.classes))
    except AlearnError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
