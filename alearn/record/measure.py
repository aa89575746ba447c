"""The measuring code: how good the labels and the model are. The only reader of the true labels besides the oracle."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from alearn.data.imageset import ImageSet
from alearn.events import Array, Event, RoundDone, TrialDone
from alearn.learn.device import Runtime
from alearn.learn.score import accuracy, score
from alearn.ledger import Ledger, Source


def measured(events: Iterable[Event], truth: Array | None, test: ImageSet, runtime: Runtime) -> Iterator[Event]:
    """The same events, with the `metrics` of rounds and of the trial filled in. truth: int64 [N] or None; test is on
    the device.
    """
    for event in events:
        if isinstance(event, RoundDone):
            start = perf_counter()
            metrics = (
                labels(event.ledger, truth, event.round)
                | {"test_accuracy": _test(event, test, runtime)}
                | _training(event)
            )
            seconds = event.seconds | {"measure": perf_counter() - start}
            yield replace(event, metrics=metrics | {f"seconds_{phase}": value for phase, value in seconds.items()})
        elif isinstance(event, TrialDone):
            yield replace(event, metrics=labels(event.ledger, truth, None))
        else:
            yield event


def labels(ledger: Ledger, truth: Array | None, round: int | None) -> dict[str, Any]:  # noqa: A002
    """Counts by source and how many auto labels are wrong, in all and in one round.

    mislabeled_auto: share of the auto labels that is wrong (the published table's column). mislabeled_total: share of
    the whole data set. None where the truth is not known, or of no labels at all.
    """
    total, auto = len(ledger), ledger.auto
    counts = {"hand": int(ledger.hand.sum()), "auto": int(auto.sum()), "unlabeled": len(ledger.unlabeled)}
    result: dict[str, Any] = counts | {f"{name}_share": count / total for name, count in counts.items()}
    result |= {
        "first": ledger.count(Source.FIRST),
        "query": ledger.count(Source.QUERY),
        "rest": ledger.count(Source.REST),
    }
    wrong = None if truth is None else auto & (ledger.label != truth)
    result |= _wrong("auto", wrong, auto) | {"mislabeled_total": None if wrong is None else float(wrong.sum() / total)}
    if round is not None:
        new = ledger.round == round
        result |= {"round": round, "new_hand": int((ledger.hand & new).sum()), "new_auto": int((auto & new).sum())}
        result |= _wrong("new_auto", None if wrong is None else wrong & new, auto & new)
    return result


def wrong(ledger: Ledger, truth: Array) -> Array:
    """Indices of the auto labels that are wrong, int64 [n], the surest first. truth: int64 [N]."""
    found = np.flatnonzero(ledger.auto & (ledger.label != truth))
    return found[np.argsort(ledger.doubt[found], kind="stable")]


def confusion(ledger: Ledger, truth: Array, classes: int) -> Array:
    """How often an image of a class (row) was auto labeled as another (column): int64 [classes, classes]."""
    auto = ledger.auto
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth[auto], ledger.label[auto]), 1)
    return counts


def _wrong(name: str, wrong: Array | None, among: Array) -> dict[str, Any]:
    if wrong is None:
        return {f"wrong_{name}": None, f"mislabeled_{name}": None}
    return {
        f"wrong_{name}": int(wrong.sum()),
        f"mislabeled_{name}": float(wrong.sum() / among.sum()) if among.any() else None,
    }


def _training(event: RoundDone) -> dict[str, Any]:
    fitted, seconds = event.fitted, event.seconds
    return {
        "epochs": fitted.epochs,
        "steps": fitted.steps,
        "train_loss": fitted.loss,
        "val_accuracy": fitted.val_accuracy,
        "train_images_per_second": fitted.samples / seconds["fit"],
        "score_images_per_second": len(event.scores) / seconds["score"],
    }


def _test(event: RoundDone, test: ImageSet, runtime: Runtime) -> float | None:
    if test.truth is None or not len(test):
        return None
    scoring = score(runtime, event.fitted.model, test.images, np.arange(len(test)))
    while True:
        try:
            next(scoring)
        except StopIteration as done:
            return accuracy(done.value, test.truth)
