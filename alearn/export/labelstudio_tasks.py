"""Export tasks for Label Studio: hand labels become annotations, and auto labels become predictions.

A skipped annotation means "cannot tell". A task with neither has no label yet. Label Studio does not accept the names
of people that it does not know, so the data of the task says who labeled the image, when and why.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from alearn.export.image_files import located
from alearn.export.records import Labeled, Record
from alearn.oracle.labelstudio.task_format import Json, annotation, data_uri, prediction, task
from alearn.registry import register_exporter

SIDE = 512
"""The longer side of an embedded image in pixels."""


@register_exporter(
    "labelstudio",
    "tasks to import into Label Studio",
    file="export.labelstudio.json",
    options=("prefix", "embed"),
)
def text(labeled: Labeled, prefix: str = "", embed: bool = False) -> str:
    """Return the whole file.

    Args:
        labeled: the labels.
        prefix: text before each path, e.g. /data/local-files/?d=.
        embed: whether to put the images themselves into the file, as data: URIs that need no storage.

    Raises:
        AlearnError: a file is missing, or is not an image.
    """
    ids = [record.id for record in labeled.records]
    pictures = _embedded(located(labeled, ids)) if embed else [prefix + name for name in ids]
    tasks = [_task(labeled, record, picture) for record, picture in zip(labeled.records, pictures, strict=True)]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _embedded(paths: Sequence[Path]) -> list[str]:
    from alearn.data.decode import shown  # here, because it imports torch

    return [data_uri(*shown(path, SIDE)) for path in paths]


def _task(labeled: Labeled, record: Record, picture: str) -> Json:
    proof = labeled.certificate.sha256 if labeled.certificate and record.source else None
    about = {
        "source": record.source,
        "purpose": record.purpose,
        "round": None if record.round is None else str(record.round),
        "annotator": record.annotator,
        "time": record.time,
        "certificate": proof,
    }
    hand = [annotation(record.label)] if record.source == "hand" else []
    auto = [prediction(str(record.label), record.confidence, str(record.annotator))] if record.source == "auto" else []
    known = {key: value for key, value in about.items() if value is not None}
    return task(record.id, picture, hand, auto, known)
