"""Tasks in the form that Label Studio imports, with annotations and predictions. All functions are pure.

A labeled data set that Label Studio can import is one list of such tasks:

    task(id, image, annotations=[annotation("cat")])                              # a human's label
    task(id, image, predictions=[prediction("cat", score, "alearn round 7")])     # a model's label

image: a URL, or `data_uri(*encoded(...))`. The project needs the labeling config `labeling_config(classes)`.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from alearn.oracle.labelstudio.labeling_config import OURS, Layout

Json = dict[str, Any]

ITEM = "item"
"""The key of the image's id in a task's data. It cannot be "id", which is the task's number in flat exports."""
ASKED = "asked"
"""The key of the question in a task's data. An exported data set does not have it."""


def data_uri(content: bytes, mime: str) -> str:
    """Return a URL that contains the picture, so that the server needs no storage for it."""
    return f"data:{mime};base64,{b64encode(content).decode()}"


def task(
    item: str,
    image: str,
    annotations: Iterable[Json] = (),
    predictions: Iterable[Json] = (),
    data: Mapping[str, str] | None = None,
    layout: Layout = OURS,
) -> Json:
    """Return a task to import.

    Args:
        item: the image's id.
        image: a URL of any kind.
        annotations: the labels of people.
        predictions: the labels of models.
        data: further data of the task.
        layout: the names in the labeling config of the project.
    """
    return {
        "data": {layout.key: image, ITEM: item, **(data or {})},
        "annotations": list(annotations),
        "predictions": list(predictions),
    }


def annotation(label: str | None, layout: Layout = OURS) -> Json:
    """Return an annotation: a human's label, or None for "cannot tell", which is a skipped task.

    The annotation has no author, because Label Studio refuses people that it does not know. Its author will be the
    person who imports it.
    """
    return {"result": [] if label is None else _result(label, layout), "was_cancelled": label is None}


def prediction(label: str, score: float | None, version: str, layout: Layout = OURS) -> Json:
    """Return a prediction: a model's label. score: its probability, None if unknown. version: identifies the model."""
    return {"result": _result(label, layout), "model_version": version} | ({} if score is None else {"score": score})


def _result(label: str, layout: Layout) -> list[Json]:
    value = {"choices": [label]}
    return [{"from_name": layout.label, "to_name": layout.picture, "type": "choices", "value": value}]
