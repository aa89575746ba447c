"""Tasks as Label Studio imports them, with annotations and predictions. All pure.

To write a labeled data set that Label Studio can import, one list of tasks:

    task(id, image, annotations=[annotation("cat")])                              # a human's label
    task(id, image, predictions=[prediction("cat", score, "alearn round 7")])     # a model's label

image: a URL, or `data_uri(*encoded(...))`. The project that it goes into needs `labeling_config(classes)`.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from alearn.oracle.labelstudio.labeling_config import OURS, Layout

Json = dict[str, Any]

ITEM, ASKED = "item", "asked"
"""Keys of a task's data, beside the picture's: the image's id, and what it was asked for (none in exports of a data
set). Neither may be "id": in Label Studio's flat exports that is the task's number.
"""


def data_uri(content: bytes, mime: str) -> str:
    """A picture inside a task, so that the server needs no storage for it."""
    return f"data:{mime};base64,{b64encode(content).decode()}"


def task(
    item: str,
    image: str,
    annotations: Iterable[Json] = (),
    predictions: Iterable[Json] = (),
    data: Mapping[str, str] | None = None,
    layout: Layout = OURS,
) -> Json:
    """A task to import. item: the image's id. image: a URL of any kind. data: what it shall show besides."""
    return {
        "data": {layout.key: image, ITEM: item, **(data or {})},
        "annotations": list(annotations),
        "predictions": list(predictions),
    }


def annotation(label: str | None, layout: Layout = OURS) -> Json:
    """A human's label. None is "cannot tell": a task that was skipped. It names nobody, since Label Studio refuses
    people that it does not know; those who import become its author.
    """
    return {"result": [] if label is None else _result(label, layout), "was_cancelled": label is None}


def prediction(label: str, score: float | None, version: str, layout: Layout = OURS) -> Json:
    """A model's label. score: how probable it is, None where nobody knows. version: which model said so."""
    return {"result": _result(label, layout), "model_version": version} | ({} if score is None else {"score": score})


def _result(label: str, layout: Layout) -> list[Json]:
    value = {"choices": [label]}
    return [{"from_name": layout.label, "to_name": layout.picture, "type": "choices", "value": value}]
