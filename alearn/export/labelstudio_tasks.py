"""Tasks that Label Studio imports: hand labels as annotations, the model's as predictions.

A skipped annotation is "cannot tell"; a task with neither has no label yet. Label Studio takes no names of people that
it does not know, so who labeled, when and why is in the task's data.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from alearn.export.image_files import located
from alearn.export.records import Labeled, Record
from alearn.oracle.labelstudio.task_format import Json, annotation, data_uri, prediction, task
from alearn.registry import register_exporter

SIDE = 512
"""Pixels of an embedded image's longer side."""


@register_exporter(
    "labelstudio",
    "tasks to import into Label Studio",
    file="export.labelstudio.json",
    options=("prefix", "embed"),
)
def text(labeled: Labeled, prefix: str = "", embed: bool = False) -> str:
    """Return the whole file.

    prefix: put before each path, e.g. /data/local-files/?d=. embed: the images themselves, as data: URIs that need no
    storage. Raises AlearnError for one that is missing or no image.
    """
    ids = [one.id for one in labeled.records]
    pictures = _embedded(located(labeled, ids)) if embed else [prefix + name for name in ids]
    tasks = [_task(labeled, one, picture) for one, picture in zip(labeled.records, pictures, strict=True)]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _embedded(paths: Sequence[Path]) -> list[str]:
    from alearn.data.decode import shown  # torch comes with it

    return [data_uri(*shown(path, SIDE)) for path in paths]


def _task(labeled: Labeled, one: Record, picture: str) -> Json:
    proof = labeled.certificate.sha256 if labeled.certificate and one.source else None
    about = {
        "source": one.source,
        "purpose": one.purpose,
        "round": None if one.round is None else str(one.round),
        "annotator": one.annotator,
        "time": one.time,
        "certificate": proof,
    }
    hand = [annotation(one.label)] if one.source == "hand" else []
    auto = [prediction(str(one.label), one.confidence, str(one.annotator))] if one.source == "auto" else []
    known = {key: value for key, value in about.items() if value is not None}
    return task(one.id, picture, hand, auto, known)
