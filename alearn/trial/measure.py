"""Measure how good the labels and the model are.

The true labels are for the oracle, for this module and for the reports that show them. No decision depends on them.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from torch import nn

from alearn.audit.forecast import error_profiles
from alearn.data.imageset import ImageSet
from alearn.journal import Round
from alearn.learn.device import Runtime
from alearn.learn.score import accuracy, score
from alearn.ledger import Ledger, Source
from alearn.policy import trust
from alearn.values import Array

CLASS_ERRORS = ("worst_class_error", "mean_class_error", "per_class")
NAMED = 10
"""The most classes that a warning names."""


def of_round(entry: Round, truth: Array | None, test: ImageSet, runtime: Runtime) -> dict[str, Any]:
    """Return the metrics of a round: of its labels, its classes, its model and its seconds.

    Args:
        entry: The round.
        truth: The true classes, int64 [N]; None if nobody knows them.
        test: The test set, on runtime.device.
        runtime: Where and how to compute.
    """
    start = perf_counter()
    metrics = labels(entry.ledger, truth, entry.number) | by_class(entry.ledger, truth, test.classes)
    metrics["trusted_threshold"] = entry.decision.threshold
    metrics |= {"test_accuracy": _test(entry.fitted.model, test, runtime)} | _training(entry)
    seconds = entry.seconds | {"measure": perf_counter() - start}
    return metrics | {f"seconds_{phase}": value for phase, value in seconds.items()}


def of_labels(ledger: Ledger, truth: Array | None, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of the labels at the end of a trial. classes: The names of the classes."""
    return labels(ledger, truth, None) | by_class(ledger, truth, classes)


def labels(ledger: Ledger, truth: Array | None, round: int | None) -> dict[str, Any]:  # noqa: A002
    """Return the numbers of labels by source, and how many of them are wrong, in total and for one round.

    `alearn.trial.metrics` says what each value means. A value that nobody knows is None.

    Args:
        ledger: The labels.
        truth: The true classes, int64 [N]; None if nobody knows them.
        round: The round to count separately; None for no round.
    """
    total = len(ledger)
    auto = ledger.auto
    counts = {"hand": ledger.paid, "auto": int(auto.sum()), "unlabeled": len(ledger.unlabeled)}
    result: dict[str, Any] = counts | {f"{name}_share": count / total for name, count in counts.items()}
    result |= {
        "first": ledger.count(Source.FIRST),
        "query": ledger.count(Source.QUERY),
        "rest": ledger.count(Source.REST),
        "audit": ledger.count(Source.AUDIT),
        "given": ledger.count(Source.GIVEN),
        "aside": int(ledger.aside.sum()),
    }
    wrong = None if truth is None else auto & (ledger.label != truth)
    slips = None if truth is None else int((ledger.hand & ~ledger.aside & (ledger.label != truth)).sum())
    total_wrong = None if wrong is None or slips is None else float((wrong.sum() + slips) / total)
    result |= _wrong("auto", wrong, auto) | {"wrong_hand": slips, "mislabeled_total": total_wrong}
    rest = ledger.unlabeled
    guessed = None
    if truth is not None and wrong is not None and slips is not None:
        guessed = slips + int(wrong.sum() + (ledger.guess[rest] != truth[rest]).sum())
    result |= {"wrong_if_finished": guessed, "mislabeled_if_finished": None if guessed is None else guessed / total}
    result["estimated_mislabeled_auto"] = estimated(ledger)
    _, right = trust.evidence(ledger)
    result |= {"checked": len(right), "wrong_checked": int((~right).sum())}
    forecast = ledger.forecast[-1].tolist() if len(ledger.forecast) else [None, None, None]
    result |= dict(zip(("forecast_hand", "expected_wrong", "expected_hand"), forecast, strict=True))
    if round is not None:
        new = ledger.round == round
        result |= {"round": round, "new_hand": int((ledger.hand & new).sum()), "new_auto": int((auto & new).sum())}
        result |= _wrong("new_auto", None if wrong is None else wrong & new, auto & new)
    return result


def estimated(ledger: Ledger) -> float | None:
    """Estimate the share of wrong auto labels by `audit.forecast.error_profiles`; None if there are no auto labels."""
    auto = np.flatnonzero(ledger.auto & ~np.isnan(ledger.doubt))
    return float(error_profiles(ledger, auto, aside=False)[0].mean()) if len(auto) else None


def by_class(ledger: Ledger, truth: Array | None, names: Sequence[str]) -> dict[str, Any]:
    """Return how well the images of each class are labeled, and how many classes have no hand label yet.

    Args:
        ledger: The labels.
        truth: The true classes, int64 [N]; None if nobody knows them.
        names: The names of the classes.

    Returns:
        per_class: For each true class, by its name: images, how many it has; hand, how many of them a human labeled;
            wrong, how many have a wrong auto label; error, which is wrong / images, or None if there are no images.
        worst_class_error, mean_class_error: The largest error of a class, and the mean error of the classes.
        missing_classes: How many classes have no hand label yet. The other values are None if the truth is unknown.
    """
    names = tuple(names)  # people may add a class at any time
    missing = {"missing_classes": len(without_hand_label(ledger, len(names)))}
    if truth is None:
        return dict.fromkeys(CLASS_ERRORS) | missing
    chosen = {"images": np.ones(len(truth), bool), "hand": ledger.hand, "wrong": ledger.auto & (ledger.label != truth)}
    counts = {key: np.bincount(truth[where], minlength=len(names)).tolist() for key, where in chosen.items()}
    per_class: dict[str, dict[str, Any]] = {}
    for name, images, hand, wrong in zip(names, *counts.values(), strict=True):
        error = wrong / images if images else None
        per_class[name] = {"images": images, "hand": hand, "wrong": wrong, "error": error}
    errors = [counted["error"] for counted in per_class.values() if counted["error"] is not None]
    figures = max(errors, default=None), float(np.mean(errors)) if errors else None, per_class
    return dict(zip(CLASS_ERRORS, figures, strict=True)) | missing


def without_hand_label(ledger: Ledger, classes: int) -> Array:
    """Return the classes that no human has given to an image yet, int64 [n], ascending."""
    return np.flatnonzero(np.bincount(ledger.label[ledger.hand & ~ledger.aside], minlength=classes) == 0)


def warning(ledger: Ledger, names: Sequence[str]) -> str:
    """Return a warning about classes without a hand label, with what to do about them; "" if there are none."""
    missing = [names[k] for k in without_hand_label(ledger, len(names))]
    if not missing:
        return ""
    several = len(missing) > 1
    shown = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
    return (
        f"no hand label yet of {'classes' if several else 'class'} {shown}: the model cannot know "
        f"{'them' if several else 'it'}, and gives {'their' if several else 'its'} images other labels. Label more "
        "images first (policy.init_fraction or policy.init_count), or draw them at random (policy.init=random)"
    )


def wrong(ledger: Ledger, truth: Array) -> Array:
    """Return the indices of the wrong auto labels, int64 [n], the most confident first. truth: int64 [N]."""
    index = np.flatnonzero(ledger.auto & (ledger.label != truth))
    return index[np.argsort(ledger.doubt[index], kind="stable")]


def confusion(ledger: Ledger, truth: Array, classes: int) -> Array:
    """Count how often an image of one class (row) has the auto label of another (column), int64 [classes, classes]."""
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


def _training(entry: Round) -> dict[str, Any]:
    fitted = entry.fitted
    seconds = entry.seconds
    return {
        "epochs": fitted.epochs,
        "steps": fitted.steps,
        "train_loss": fitted.loss,
        "val_accuracy": fitted.val_accuracy,
        "train_images_per_second": fitted.samples / seconds["fit"],
        "score_images_per_second": len(entry.scores) / seconds["score"],
    }


def _test(model: nn.Module, test: ImageSet, runtime: Runtime) -> float | None:
    if test.truth is None or not len(test):
        return None
    return accuracy(score(runtime, model, test.inputs, np.arange(len(test))), test.truth)
