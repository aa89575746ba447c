"""What a certificate would cost, as text: some plans, cheapest marked, each with a bar."""

import numpy as np

from alearn.audit import plan
from alearn.audit.plan import Plan
from alearn.audit.rules import Terms
from alearn.values import Array

TAIL = 0.03
"""The wrong labels are taken to lie at the end of the order, ever fewer towards its start: by a factor of e for this
share of the items. plan.ANYWHERE of them are taken to be anywhere."""
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
    result: Array = (1 - plan.ANYWHERE) * np.minimum(0.5, high * density) + plan.ANYWHERE * errors / items
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
    floor = plan.reachable(promise, sizes, budget)
    plans = plan.plans(promise, profile(sizes[0], errors / classes), terms.kind)
    best = plans[0]
    each, together = "", ""
    if classes > 1:
        each, together = f" in each of {classes} classes", " for all classes at once"
    heading = f"  checked (may be wrong){', a class' if classes > 1 else ''}"
    shown = sorted(plans[:PLANS], key=lambda one: (one.stages[0][1], len(one.stages)))
    longest = max(one.high for one in shown)
    lines = [
        f"{items:,} labels, {errors:,.0f} of them expected to be wrong; at most {promise.allowed(sizes[0]):,} "
        f"({terms.target_error:.4g}){each} shall be, risk {terms.risk:g}{together}.",
        f"floor: {floor:,} labels must be checked, however good the others are.",
        "",
        f"{heading:54}  mean cost    median   90 % at most",
        *(_line(one, longest, mark="*" if one is best else " ") for one in shown),
        "",
        "cost: labels checked, and labels beyond the cut, by hand. # up to the median, = up to the 90th percentile.",
        "A line with several numbers is one audit that may stop at each of them.",
        f"* expected to be cheapest: {classes * best.mean:,.0f} labels by hand, {classes * best.mean / items:.1%} of "
        "all.",
    ]
    return "\n".join(lines)


def _line(one: Plan, longest: float, mark: str) -> str:
    stages = " ".join(f"{size:,}({tolerated})" for size, tolerated in one.stages[:STAGES])
    if len(one.stages) > STAGES:
        stages += " ..."
    bar = "#" * round(BAR * one.median / longest)
    bar = bar.ljust(round(BAR * one.high / longest), "=")
    return f"{mark} {stages:52} {one.mean:11,.0f} {one.median:9,.0f} {one.high:14,.0f}  {bar}"
