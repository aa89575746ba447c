"""What a certificate says, in words, and the files that it rests on. Whoever checks one needs no more than this."""

from decimal import Decimal
from typing import Any

from alearn.ledger import Source

NAME, FROZEN, ANSWERS, LABELS = "certificate.json", "frozen.csv", "audit.csv", "labels.csv"
ANSWERED = ("item", "label", "answer", "again")
"""Columns of audit.csv."""
PURPOSES = {"first": Source.FIRST, "query": Source.QUERY, "audit": Source.AUDIT, "rest": Source.REST}
"""Of hand labels that were asked for."""
NAMED = 3
"""Classes that a sentence names."""


def words(made: dict[str, Any]) -> str:
    """Return the certificate in a sentence or two, with what it cost."""
    hand, groups = made["hand"], made["groups"]
    confidence = f"with {(100 - 100 * Decimal(repr(made['risk']))).normalize():f} % confidence"  # never rounded up
    wrong, total = sum(g["wrong_at_most"] for g in groups), made["total"]
    if not groups:
        promise = f"All {total:,} labels are a human's"
    elif made["scope"] == "total":
        promise = f"At most {wrong:,} of {total:,} labels are wrong, {confidence}"
    elif made["scope"] == "auto":
        promise = f"At most {wrong:,} of the {made['auto']:,} labels that are the model's are wrong, {confidence}"
        if not made["auto"]:
            promise = f"The model's labels were too often wrong: all {total:,} labels are a human's now"
    else:
        each = [f"{g['wrong_at_most']:,} of {g['items']:,} for {g['name']}" for g in groups]
        shown = "; ".join(each[:NAMED]) + (f"; ... ({len(each)} classes)" if len(each) > NAMED else "")
        promise = (
            f"Of the images that the model put into a class, at most a share of {made['target_error']:.4g} has a wrong "
            f"label, for all {len(groups)} classes at once {confidence}: {shown}"
        )
    train = sum(count for name, count in hand.items() if name not in ("audit", "rest"))
    cost = f"{train:,} to train, {hand['audit']:,} to audit, {hand['rest']:,} beyond the cut"
    if made["asked_twice"]:
        cost += f"; {made['asked_twice']:,} of them asked twice"
    if made["given"]:
        cost += f"; {made['given']:,} labels were there before"
    if made["aside"]:
        cost += f"; {made['aside']:,} images have no label, for the human could not tell"
    return f"{promise}; {sum(hand.values()):,} labels by hand: {cost}."
