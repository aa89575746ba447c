"""Export an augmented manifest: JSON Lines in the form of Amazon SageMaker Ground Truth for image classification.

The metadata begins with the keys of Ground Truth, and ours follow. An image that nobody has labeled has only a
`source-ref`, so a labeling job will label it. If a human cannot tell the class, the image has no label, and its
metadata has a `failure-reason`.
"""

import json
from typing import Any

from alearn.export.records import Labeled, Record
from alearn.registry import register_exporter

ATTRIBUTE = "label"
METADATA = f"{ATTRIBUTE}-metadata"
TYPE = "groundtruth/image-classification"
FAILURE = "a human cannot tell"


@register_exporter("jsonl-manifest", "as SageMaker Ground Truth writes it", file="export.jsonl", options=("prefix",))
def text(labeled: Labeled, prefix: str = "") -> str:
    """Return the whole file. prefix: text before each path, e.g. s3://BUCKET/."""
    number = {name: k for k, name in enumerate(labeled.classes)}
    lines = [json.dumps(_line(labeled, record, number, prefix), ensure_ascii=False) for record in labeled.records]
    return "".join(f"{line}\n" for line in lines)


def _line(labeled: Labeled, record: Record, number: dict[str, int], prefix: str) -> dict[str, Any]:
    line: dict[str, Any] = {"source-ref": prefix + record.id}
    if record.source is None:
        return line
    metadata = {
        "class-name": record.label,
        "confidence": record.confidence,
        "type": TYPE,
        "human-annotated": "yes" if record.source == "hand" else "no",
        "creation-date": record.time,
        "job-name": f"alearn/{labeled.name}",
        "failure-reason": FAILURE if record.cannot_tell else None,
        "source": record.source,
        "purpose": record.purpose,
        "round": record.round,
        "annotator": record.annotator,
        "certificate-sha256": labeled.certificate.sha256 if labeled.certificate else None,
    }
    if record.label is not None:
        line[ATTRIBUTE] = number[record.label]
    return line | {METADATA: {key: value for key, value in metadata.items() if value is not None}}
