"""A CSV file with a line an image. `data.labels=FILE` reads the humans' labels back, as given ones."""

import csv
import io

from alearn.export.records import Labeled

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


def text(labeled: Labeled) -> str:
    """The whole file."""
    file = io.StringIO()
    write = csv.writer(file, lineterminator="\n").writerow
    write(HEADER)
    proof = labeled.certificate.sha256 if labeled.certificate else ""
    for one in labeled.records:
        sure = "" if one.confidence is None else f"{one.confidence:.15g}"
        given = (one.id, one.label, one.source, one.purpose, one.round, sure, one.annotator, one.time)
        write((*given, "yes" if one.cannot_tell else "", proof if one.source else ""))
    return file.getvalue()
