"""What a report says of the classes: tables by label, by truth, and what was taken for what."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alearn.ledger import Ledger, Source
from alearn.trial import measure
from alearn.values import Array

CLASSES = 20
"""Classes in a table, at most: of more, the worst are shown."""
HAND = {
    "first": Source.FIRST,
    "query": Source.QUERY,
    "audit": Source.AUDIT,
    "rest": Source.REST,
    "given": Source.GIVEN,
}


def classes(ledger: Ledger, names: Sequence[str], truth: Array | None) -> list[dict[str, Any]]:
    """A line a class, by the label that was given: hand labels by purpose, auto labels, the wrong ones among them (None
    where the truth is not known). Of more than 20 classes those with the most wrong or hand labels.
    """
    if not ledger.source.any():
        return []

    def by_class(chosen: Array) -> list[int]:
        return np.bincount(ledger.label[chosen & ~ledger.aside], minlength=len(names)).tolist()  # type: ignore[no-any-return]

    hand = {name: by_class(ledger.source == source) for name, source in HAND.items()}
    auto = by_class(ledger.auto)
    wrong = None
    if truth is not None:
        wrong = by_class(np.isin(np.arange(len(ledger)), measure.wrong(ledger, truth)))
    found: list[dict[str, Any]] = [
        {
            "name": name,
            **{purpose: counts[k] for purpose, counts in hand.items()},
            "hand": sum(counts[k] for counts in hand.values()),
            "auto": auto[k],
            "wrong": None if wrong is None else wrong[k],
            "share": wrong[k] / auto[k] if wrong is not None and auto[k] else None,
        }
        for k, name in enumerate(names)
    ]
    if len(found) > CLASSES:
        found.sort(key=lambda line: (line["wrong"] or 0, line["hand"]), reverse=True)
    return found[:CLASSES]


def class_errors(per_class: Mapping[str, Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """A line a class, by the truth: its images, those that a human labeled, those with a wrong auto label, their share,
    and that relative to the largest. Of more than 20 classes the worst; none where the truth is not known.
    """
    found = [{"name": name, **one} for name, one in (per_class or {}).items() if one["images"]]
    worst = max((one["error"] for one in found), default=0.0) or 1.0
    if len(found) > CLASSES:
        found = sorted(found, key=lambda one: -one["error"])[:CLASSES]
    return [{**one, "relative": one["error"] / worst} for one in found]


def confusion(matrix: Array) -> list[list[tuple[int, float]]]:
    """For each cell its count and how much to shade it, 0 to 1: wrong ones only, by the root of their number."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    shade = np.sqrt(wrong / max(1, wrong.max()))
    return [
        list(zip(counts.tolist(), shades.round(2).tolist(), strict=True))
        for counts, shades in zip(matrix, shade, strict=True)
    ]


def pairs(matrix: Array, names: Sequence[str]) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: truth, label, how often."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:CLASSES]
    found = [(int(at) // len(names), int(at) % len(names)) for at in worst]
    return [(names[true], names[label], int(wrong[true, label])) for true, label in found if wrong[true, label]]
