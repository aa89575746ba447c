"""The tables of a report about classes: by label, by truth, and which classes were confused."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alearn.ledger import Ledger, Source
from alearn.trial import measure
from alearn.values import Array

CLASSES = 20
"""The most classes in a table. If there are more, it shows the worst."""
HAND = {
    "first": Source.FIRST,
    "query": Source.QUERY,
    "audit": Source.AUDIT,
    "rest": Source.REST,
    "given": Source.GIVEN,
}


def classes(ledger: Ledger, names: Sequence[str], truth: Array | None) -> list[dict[str, Any]]:
    """Return a line for each class, by the label that was given. If there are more than 20 classes, return the worst.

    The worst classes have the most wrong labels or, if the truth is unknown, the most hand labels.

    Args:
        ledger: The labels.
        names: The names of the classes.
        truth: The true classes, int64 [N]; None if nobody knows them.

    Returns:
        For each class: its name; its hand labels, by purpose and in total (hand); its auto labels (auto); how many of
        them are wrong (wrong), and that share. The last two are None if the truth is unknown.
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
    lines: list[dict[str, Any]] = [
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
    if len(lines) > CLASSES:
        lines.sort(key=lambda line: (line["wrong"] or 0, line["hand"]), reverse=True)
    return lines[:CLASSES]


def class_errors(per_class: Mapping[str, Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return a line for each true class that has images. If there are more than 20 such classes, return the worst.

    Args:
        per_class: The metric per_class, None if the truth is unknown.

    Returns:
        For each class: its name; images, hand, wrong and error of the metric; and relative, which is its error divided
        by the largest error. [] if the truth is unknown.
    """
    lines = [{"name": name, **counts} for name, counts in (per_class or {}).items() if counts["images"]]
    worst = max((line["error"] for line in lines), default=0.0) or 1.0
    if len(lines) > CLASSES:
        lines = sorted(lines, key=lambda line: -line["error"])[:CLASSES]
    return [{**line, "relative": line["error"] / worst} for line in lines]


def confusion(matrix: Array) -> list[list[tuple[int, float]]]:
    """Return the count of each cell and its shade, 0 to 1. Only mistakes are shaded, by the root of their count."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    shade = np.sqrt(wrong / max(1, wrong.max()))
    return [
        list(zip(counts.tolist(), shades.round(2).tolist(), strict=True))
        for counts, shades in zip(matrix, shade, strict=True)
    ]


def pairs(matrix: Array, names: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return the most frequent mistakes: truth, label, and how often."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:CLASSES]
    cells = [(int(cell) // len(names), int(cell) % len(names)) for cell in worst]
    return [(names[true], names[label], int(wrong[true, label])) for true, label in cells if wrong[true, label]]
