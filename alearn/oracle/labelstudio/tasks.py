"""A batch of questions as tasks, and what annotations say as answers to it."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from alearn.data.decode import encoded
from alearn.data.imageset import ImageSet
from alearn.ledger import CANNOT_TELL
from alearn.oracle.labelstudio.annotations import Annotation
from alearn.oracle.labelstudio.labeling_config import OURS, Layout, cannot_tell
from alearn.oracle.labelstudio.task_format import ASKED, Json, data_uri, prediction, task
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store

SIDE = 512
"""Pixels of a picture's longer side."""


def asked(batch: Batch) -> str:
    """What a batch is asked for, in words: it is in each task, and tells answers to different questions apart."""
    return f"{batch.purpose.name.lower()}, round {batch.round}{', again' if batch.again else ''}"


def version(batch: Batch) -> str:
    """The model, as Label Studio calls it."""
    return f"alearn round {batch.round}"


def guessed(batch: Batch, insight: Insight) -> list[int]:
    """The images of a batch of which people may see what the model makes of them."""
    return [] if batch.blind else [i for i in batch.index.tolist() if insight.ledger.guess[i] >= 0]


def tasks(
    batch: Batch,
    index: Iterable[int],
    pool: ImageSet,
    store: Store,
    insight: Insight,
    layout: Layout = OURS,
    data: Mapping[str, str] | None = None,
) -> Iterator[Json]:
    """Those of the images `index`, with the model's guess unless the batch is blind. data: more for each task."""
    shown = frozenset(guessed(batch, insight))
    for i in index:
        guess = []
        if i in shown:
            label, doubt = store.classes[int(insight.ledger.guess[i])], float(insight.ledger.doubt[i])
            score = round(float(-np.expm1(doubt)), 6) if np.isfinite(doubt) else None
            guess = [prediction(label, score, version(batch), layout)]
        image = data_uri(*encoded(pool, i, SIDE))
        yield task(pool.ids[i], image, (), guess, {ASKED: asked(batch), **(data or {})}, layout)


def label(one: Annotation, store: Store) -> int | None:
    """The class that an annotation says, or CANNOT_TELL; None if it says neither."""
    if one.skipped or one.choices == (cannot_tell(store.classes),):
        return CANNOT_TELL
    known = list(store.classes)
    return known.index(one.choices[0]) if len(one.choices) == 1 and one.choices[0] in known else None
