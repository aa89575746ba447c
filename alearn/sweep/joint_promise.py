"""What the certificates of several trials promise together, and what it takes to choose among them."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

DECIMALS = Decimal("0.0001")
DIGITS = Context(prec=3, rounding=ROUND_DOWN)


def in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what holds for all certified trials at once, "" if fewer than two of these trials are certified.

    Whoever chooses a trial by its result may choose the one whose certificate fails. By Bonferroni's inequality, the
    probability that any certificate fails is at most the sum of the risks.
    """
    risks = [Decimal(repr(row["config"]["policy.audit.risk"])) for row in rows if row.get("certificate")]
    if len(risks) < 2:
        return ""
    number = f"{len(risks):,}"
    total = sum(risks, Decimal(0))
    if total < 1:
        together = f"All of them hold at once with at least {_confidence(total)} % confidence"
        chosen = "so that is the confidence in one that you choose by its result"
    else:
        together = f"Nothing can be said of all of them at once, because their risks add up to {total.normalize():f}"
        chosen = "and nothing of one that you choose by its result"
    risk = max(risks)
    share = DIGITS.divide(risk, len(risks))
    return (
        f"{number} trials have a certificate. Each certificate alone holds with its own confidence. {together}, "
        f"{chosen}. With policy.audit.risk={share} you could choose freely among {number} trials, "
        f"with {_confidence(risk)} % confidence."
    )


def _confidence(risk: Decimal) -> str:
    """Return a confidence in percent, never rounded up."""
    return f"{(100 - 100 * risk).quantize(DECIMALS, ROUND_DOWN).normalize():f}"
