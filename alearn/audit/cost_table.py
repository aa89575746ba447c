"""Show what a certificate would cost, as text: several plans, each with a bar, and the cheapest marked."""

import numpy as np

from alearn.audit.plan import ANYWHERE, Plan, plans, reachable
from alearn.audit.rules import Terms
from alearn.values import Array

TAIL = 0.03
"""Wrong labels are assumed to gather at the end of the order: towards its start, their density falls by a factor of e
over this share of the items. A share ANYWHERE of them is assumed to be anywhere."""
BAR, STAGES, PLANS = 40, 5, 8
"""Characters of the longest bar, stages shown in a line, and plans shown in the table."""


def profile(items: int, errors: float) -> Array:
    """Return the assumed probability that each label is wrong, float64 [items]. The sum is about `errors`."""
    away = np.arange(items)[::-1] / (TAIL * items)
    density = np.exp(-away)
    low, high = 0.0, 1e20  # bounds of the factor of the density; no probability is above one half
    for _ in range(100):
        middle = (low + high) / 2
        if np.minimum(0.5, middle * density).sum() < errors:
            low = middle
        else:
            high = middle
    result: Array = (1 - ANYWHERE) * np.minimum(0.5, high * density) + ANYWHERE * errors / items
    return result


def cost_table(items: int, terms: Terms, errors: float, budget: int | None = None, classes: int = 1) -> str:
    """Return the sizes and costs of plans, and the fewest labels that must be checked, as text.

    Args:
        items: The number of labels that no human gave.
        terms: What the certificate is to promise.
        errors: The expected number of wrong labels among the items.
        budget: The most labels that the audit may check; None has no limit.
        classes: The number of classes that have a bound of their own. They are assumed to have equal size.

    Raises:
        AlearnError: No audit within the budget can prove what the terms ask for.
    """
    sizes = [len(part) for part in np.array_split(np.arange(items), classes)]
    promise = terms.promise(items, classes)
    floor = reachable(promise, sizes, budget)
    candidates = plans(promise, profile(sizes[0], errors / classes), terms.kind)
    best = candidates[0]
    each = ""
    together = ""
    if classes > 1:
        each = f" in each of {classes} classes"
        together = " for all classes at once"
    heading = f"  checked (may be wrong){', a class' if classes > 1 else ''}"
    shown = sorted(candidates[:PLANS], key=lambda plan: (plan.stages[0][1], len(plan.stages)))
    longest = max(plan.high for plan in shown)
    lines = [
        f"{items:,} labels, {errors:,.0f} of them expected to be wrong; at most {promise.allowed(sizes[0]):,} "
        f"({terms.target_error:.4g}){each} may be wrong, at a risk of {terms.risk:g}{together}.",
        f"floor: {floor:,} labels must be checked, whatever the model.",
        "",
        f"{heading:54}  mean cost    median   90 % at most",
        *(_line(plan, longest, mark="*" if plan is best else " ") for plan in shown),
        "",
        "cost: hand labels, those that are checked and those beyond the cut. # up to the median, = up to the 90th "
        "percentile.",
        "A line with several numbers is one audit that may stop at each of them.",
        f"* expected to be cheapest: {classes * best.mean:,.0f} hand labels, {classes * best.mean / items:.1%} of all "
        "labels.",
    ]
    return "\n".join(lines)


def _line(plan: Plan, longest: float, mark: str) -> str:
    stages = " ".join(f"{size:,}({tolerated})" for size, tolerated in plan.stages[:STAGES])
    if len(plan.stages) > STAGES:
        stages += " ..."
    bar = "#" * round(BAR * plan.median / longest)
    bar = bar.ljust(round(BAR * plan.high / longest), "=")
    return f"{mark} {stages:52} {plan.mean:11,.0f} {plan.median:9,.0f} {plan.high:14,.0f}  {bar}"
