"""Turn a batch of questions into tasks, and annotations into answers."""

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
"""The longer side of a picture in pixels."""


def asked(batch: Batch) -> str:
    """Return the question of a batch. Each task contains it, which tells apart answers to different questions."""
    return f"{batch.purpose.name.lower()}, round {batch.round}{', again' if batch.again else ''}"


def version(batch: Batch) -> str:
    """Return the version of the model for Label Studio."""
    return f"alearn round {batch.round}"


def guessed(batch: Batch, insight: Insight) -> list[int]:
    """Return the images of a batch whose guesses people may see."""
    ledger = insight.ledger
    return [] if batch.blind else [i for i in batch.index.tolist() if ledger.guess[i] >= 0 and not ledger.checked[i]]


def tasks(
    batch: Batch,
    index: Iterable[int],
    pool: ImageSet,
    store: Store,
    insight: Insight,
    layout: Layout = OURS,
    data: Mapping[str, str] | None = None,
) -> Iterator[Json]:
    """Yield the tasks for the images `index`, with the model's guesses unless the batch is blind.

    data: further data for each task.
    """
    shown = frozenset(guessed(batch, insight))
    for i in index:
        guess = []
        if i in shown:
            label = store.classes[int(insight.ledger.guess[i])]
            doubt = float(insight.ledger.doubt[i])
            score = round(float(-np.expm1(doubt)), 6) if np.isfinite(doubt) else None
            guess = [prediction(label, score, version(batch), layout)]
        image = data_uri(*encoded(pool, i, SIDE))
        yield task(pool.ids[i], image, (), guess, {ASKED: asked(batch), **(data or {})}, layout)


def label(annotation: Annotation, store: Store) -> int | None:
    """Return the class that an annotation names, or CANNOT_TELL. Return None if it names neither."""
    choices = annotation.choices
    if annotation.skipped or choices == (cannot_tell(store.classes),):
        return CANNOT_TELL
    known = list(store.classes)
    return known.index(choices[0]) if len(choices) == 1 and choices[0] in known else None
