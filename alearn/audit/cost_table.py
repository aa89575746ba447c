"""What a certificate would cost, as text: some plans, cheapest marked, each with a bar."""

import numpy as np

from alearn.audit.plan import ANYWHERE, Plan, plans, reachable
from alearn.audit.rules import Terms
from alearn.values import Array

TAIL = 0.03
"""Wrong labels are assumed to gather at the end of the order: towards its start, their density falls by a factor of e
over this share of the items. A share ANYWHERE of them is assumed to be anywhere."""
BAR, STAGES, PLANS = 40, 5, 8
"""Characters of the longest bar, stages that a line shows, and plans that the table shows."""


def profile(items: int, errors: float) -> Array:
    """Return the probability that each label is wrong, float64 [items]; about `errors` labels are wrong in all."""
    away = np.arange(items)[::-1] / (TAIL * items)
    density = np.exp(-away)
    low, high = 0.0, 1e20  # what the density is multiplied by: no probability is above one half
    for _ in range(100):
        middle = (low + high) / 2
        if np.minimum(0.5, middle * density).sum() < errors:
            low = middle
        else:
            high = middle
    result: Array = (1 - ANYWHERE) * np.minimum(0.5, high * density) + ANYWHERE * errors / items
    return result


def cost_table(items: int, terms: Terms, errors: float, budget: int | None = None, classes: int = 1) -> str:
    """Return sizes, costs and the floor, as text.

    Args:
        items: Labels that no human gave.
        terms: What the certificate is to promise.
        errors: Wrong labels that are expected among them.
        budget: Labels that the audit may check.
        classes: Classes of equal size that have a bound each.

    Raises:
        AlearnError: No audit within the budget proves it.
    """
    sizes = [len(part) for part in np.array_split(np.arange(items), classes)]
    promise = terms.promise(items, classes)
    floor = reachable(promise, sizes, budget)
    candidates = plans(promise, profile(sizes[0], errors / classes), terms.kind)
    best = candidates[0]
    each, together = "", ""
    if classes > 1:
        each, together = f" in each of {classes} classes", " for all classes at once"
    heading = f"  checked (may be wrong){', a class' if classes > 1 else ''}"
    shown = sorted(candidates[:PLANS], key=lambda plan: (plan.stages[0][1], len(plan.stages)))
    longest = max(plan.high for plan in shown)
    lines = [
        f"{items:,} labels, {errors:,.0f} of them expected to be wrong; at most {promise.allowed(sizes[0]):,} "
        f"({terms.target_error:.4g}){each} shall be, risk {terms.risk:g}{together}.",
        f"floor: {floor:,} labels must be checked, however good the others are.",
        "",
        f"{heading:54}  mean cost    median   90 % at most",
        *(_line(plan, longest, mark="*" if plan is best else " ") for plan in shown),
        "",
        "cost: labels checked, and labels beyond the cut, by hand. # up to the median, = up to the 90th percentile.",
        "A line with several numbers is one audit that may stop at each of them.",
        f"* expected to be cheapest: {classes * best.mean:,.0f} labels by hand, {classes * best.mean / items:.1%} of "
        "all.",
    ]
    return "\n".join(lines)


def _line(plan: Plan, longest: float, mark: str) -> str:
    stages = " ".join(f"{size:,}({tolerated})" for size, tolerated in plan.stages[:STAGES])
    if len(plan.stages) > STAGES:
        stages += " ..."
    bar = "#" * round(BAR * plan.median / longest)
    bar = bar.ljust(round(BAR * plan.high / longest), "=")
    return f"{mark} {stages:52} {plan.mean:11,.0f} {plan.median:9,.0f} {plan.high:14,.0f}  {bar}"
