"""The certificate in words, and the names of the files that it rests on."""

from decimal import Decimal
from typing import Any

from alearn.ledger import Source

NAME, FROZEN, ANSWERS, LABELS = "certificate.json", "frozen.csv", "audit.csv", "labels.csv"
ANSWERED = ("item", "label", "answer", "again")
"""Columns of audit.csv."""
PURPOSES = {"first": Source.FIRST, "query": Source.QUERY, "audit": Source.AUDIT, "rest": Source.REST}
"""The purposes of hand labels that were asked for, and their sources."""
NAMED = 3
"""The most classes that a sentence names."""


def in_words(certificate: dict[str, Any]) -> str:
    """Return what a certificate promises and what it cost, in a sentence or two."""
    hand = certificate["hand"]
    groups = certificate["groups"]
    total = certificate["total"]
    wrong = sum(group["wrong_at_most"] for group in groups)
    percent = (100 - 100 * Decimal(repr(certificate["risk"]))).normalize()  # exact, never rounded up
    confidence = f"with {percent:f} % confidence"
    if not groups:
        promise = f"All {total:,} labels are a human's"
    elif certificate["scope"] == "total":
        promise = f"At most {wrong:,} of {total:,} labels are wrong, {confidence}"
    elif certificate["scope"] == "auto":
        auto = certificate["auto"]
        promise = f"At most {wrong:,} of the {auto:,} labels that are the model's are wrong, {confidence}"
        if not auto:
            promise = f"The model's labels were too often wrong: all {total:,} labels are a human's now"
    else:
        each = [f"{group['wrong_at_most']:,} of {group['items']:,} for {group['name']}" for group in groups]
        shown = "; ".join(each[:NAMED]) + (f"; ... ({len(each)} classes)" if len(each) > NAMED else "")
        promise = (
            f"Of the images that the model put into a class, at most a share of {certificate['target_error']:.4g} has "
            f"a wrong label, for all {len(groups)} classes at once {confidence}: {shown}"
        )
    train = sum(count for name, count in hand.items() if name not in ("audit", "rest"))
    cost = f"{train:,} to train, {hand['audit']:,} to audit, {hand['rest']:,} beyond the cut"
    if certificate["asked_twice"]:
        cost += f"; {certificate['asked_twice']:,} of them asked twice"
    if certificate["given"]:
        cost += f"; {certificate['given']:,} labels were there before"
    if certificate["aside"]:
        cost += f"; {certificate['aside']:,} images have no label, for the human could not tell"
    return f"{promise}; {sum(hand.values()):,} labels by hand: {cost}."
