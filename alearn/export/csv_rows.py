"""Export a CSV file with one line per image. `data.labels=FILE` reads the hand labels back as given labels."""

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
"""cannot_tell: yes, or empty. certificate: the SHA-256 of certificate.json, for every image with a source."""


@register_exporter("csv", "one line per image", file="export.csv")
def text(labeled: Labeled) -> str:
    """Return the whole file."""
    return csv_tables.to_text(HEADER, _rows(labeled))


def _rows(labeled: Labeled) -> Iterator[tuple[object, ...]]:
    """Yield the fields of each image."""
    proof = labeled.certificate.sha256 if labeled.certificate else ""
    for record in labeled.records:
        confidence = "" if record.confidence is None else f"{record.confidence:.15g}"
        yield (
            record.id,
            record.label,
            record.source,
            record.purpose,
            record.round,
            confidence,
            record.annotator,
            record.time,
            "yes" if record.cannot_tell else "",
            proof if record.source else "",
        )
