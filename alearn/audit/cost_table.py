"""Show what a certificate would cost, as text: several plans, each with a bar, and the cheapest marked."""

import numpy as np

from alearn.audit.plan import Plan, plans, reachable
from alearn.audit.profiles import Profiles, error_profiles
from alearn.audit.rules import Terms

TAIL = 0.03
"""Towards the start of the order, the doubt is assumed to fall by a factor of e over this share of the items."""
BAR, STAGES, PLANS = 40, 5, 8
"""Characters of the longest bar, stages shown in a line, and plans shown in the table."""


def profiles(items: int, errors: float) -> Profiles:
    """Return what an audit of labels with typical confidences assumes if it expects `errors` of them to be wrong."""
    away = np.arange(items)[::-1] / (TAIL * items)
    return error_profiles(np.log(0.5) - away, expected=errors)


def cost_table(
    items: int, terms: Terms, errors: float, budget: int | None = None, classes: int = 1, total: int | None = None
) -> str:
    """Return the sizes and costs of plans, and the fewest labels that must be checked, as text.

    Args:
        items: The number of labels that are audited.
        terms: What the certificate is to promise.
        errors: The expected number of wrong labels among the items.
        budget: The most labels that the audit may check; None has no limit.
        classes: The number of classes that have a bound of their own. They are assumed to have equal size.
        total: The number of labels of the whole data set; None if all of them are audited.

    Raises:
        AlearnError: No audit within the budget can prove what the terms ask for.
    """
    sizes = [len(part) for part in np.array_split(np.arange(items), classes)]
    claims = [terms.claim(items if total is None else total, size) for size in sizes]
    risk = terms.group_risk(classes)
    floor = reachable(claims, risk, budget)
    candidates = plans(claims[0], risk, profiles(sizes[0], errors / classes), terms.kind)
    best = candidates[0]
    each = ""
    together = ""
    if classes > 1:
        each = f" in each of {classes} classes"
        together = " for all classes at once"
    heading = f"  checked (may be wrong){', a class' if classes > 1 else ''}"
    shown = sorted(candidates[:PLANS], key=lambda plan: (plan.stages[0].tolerated, len(plan.stages)))
    longest = max(plan.high for plan in shown)
    lines = [
        f"{items:,} labels, {errors:,.0f} of them expected to be wrong; at most {claims[0].allowed(0):,} "
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
    stages = " ".join(f"{size:,}({tolerated})" for size, tolerated, _ in plan.stages[:STAGES])
    if len(plan.stages) > STAGES:
        stages += " ..."
    bar = "#" * round(BAR * plan.median / longest)
    bar = bar.ljust(round(BAR * plan.high / longest), "=")
    return f"{mark} {stages:52} {plan.mean:11,.0f} {plan.median:9,.0f} {plan.high:14,.0f}  {bar}"
