"""A CSV file with a line an image. `data.labels=FILE` reads the humans' labels back, as given ones."""

from collections.abc import Iterator

from alearn.export.records import Labeled
from alearn.files import csv_tables
from alearn.registry import register_exporter

HEADER = (
    "path",
    "label",
    "source",
    "purpose",
    "round",
    "confidence",
    "annotator",
    "time",
    "cannot_tell",
    "certificate",
)
"""cannot_tell: yes, or empty. certificate: the SHA-256 of certificate.json, for every image that has a source."""


@register_exporter("csv", "a line an image", file="export.csv")
def text(labeled: Labeled) -> str:
    """Return the whole file."""
    return csv_tables.to_text(HEADER, _rows(labeled))


def _rows(labeled: Labeled) -> Iterator[tuple[object, ...]]:
    """Yield the fields of each image."""
    proof = labeled.certificate.sha256 if labeled.certificate else ""
    for one in labeled.records:
        sure = "" if one.confidence is None else f"{one.confidence:.15g}"
        given = (one.id, one.label, one.source, one.purpose, one.round, sure, one.annotator, one.time)
        yield (*given, "yes" if one.cannot_tell else "", proof if one.source else "")
