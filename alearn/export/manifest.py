"""An augmented manifest: JSON Lines in the shape that Amazon SageMaker Ground Truth writes for image classification.

Its own keys in the metadata come first, then ours. An image without a label has its `source-ref` alone, which a
labeling job takes for one to label; where a human cannot tell, the metadata has a `failure-reason`, and there is no
label.
"""

import json
from typing import Any

from alearn.export.records import Labeled, Record
from alearn.registry import register_exporter

ATTRIBUTE = "label"
METADATA = f"{ATTRIBUTE}-metadata"
TYPE = "groundtruth/image-classification"
FAILURE = "a human cannot tell"


@register_exporter("jsonl-manifest", "as SageMaker Ground Truth has it", file="export.jsonl", options=("prefix",))
def text(labeled: Labeled, prefix: str = "") -> str:
    """Return the whole file. prefix: put before each path, e.g. s3://BUCKET/."""
    number = {name: k for k, name in enumerate(labeled.classes)}
    lines = [json.dumps(_line(labeled, one, number, prefix), ensure_ascii=False) for one in labeled.records]
    return "".join(f"{line}\n" for line in lines)


def _line(labeled: Labeled, one: Record, number: dict[str, int], prefix: str) -> dict[str, Any]:
    line: dict[str, Any] = {"source-ref": prefix + one.id}
    if one.source is None:
        return line
    metadata = {
        "class-name": one.label,
        "confidence": one.confidence,
        "type": TYPE,
        "human-annotated": "yes" if one.source == "hand" else "no",
        "creation-date": one.time,
        "job-name": f"alearn/{labeled.name}",
        "failure-reason": FAILURE if one.cannot_tell else None,
        "source": one.source,
        "purpose": one.purpose,
        "round": one.round,
        "annotator": one.annotator,
        "certificate-sha256": labeled.certificate.sha256 if labeled.certificate else None,
    }
    if one.label is not None:
        line[ATTRIBUTE] = number[one.label]
    return line | {METADATA: {key: value for key, value in metadata.items() if value is not None}}
