"""The content of a trial's report: sentences, tables, curves and pictures from its row, its rounds and its ledger."""

import json
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from alearn.audit.verify import NAME
from alearn.data.imageset import ImageSet
from alearn.ledger import CANNOT_TELL, Ledger
from alearn.policy import trust
from alearn.report.html import page
from alearn.report.html.class_tables import CLASSES, HAND, class_errors, classes, confusion, pairs
from alearn.report.html.curves import Chart, Series, lines, stacked
from alearn.report.html.feature_map import feature_map
from alearn.report.html.page import certainty, count, percent
from alearn.report.html.thumbnails import Picture, strip
from alearn.trial import measure
from alearn.trial.checkpoint import State
from alearn.trial.metric import Metric, Unit
from alearn.trial.metrics import BY_KEY, METRICS, outcome
from alearn.trial.row import PHASES, command
from alearn.trial.status import Status
from alearn.values import Array

PICTURES = 48
"""The most images in a strip."""


def content(
    folder: Path, yaml: str, row: dict[str, Any], state: State, pool: ImageSet | None, standing: tuple[Status, str]
) -> dict[str, Any]:
    """Return everything that templates/trial.html.j2 needs.

    Args:
        folder: The folder of the trial.
        yaml: The text of its config.
        row: Its row, see `alearn.trial.row.build`. For an unfinished trial, it has the numbers so far.
        state: Its state.
        pool: Its images, None if they are not available.
        standing: Its status and why it failed, see `alearn.trial.status.of`.
    """
    ledger = state.ledger
    truth = None if pool is None else pool.truth
    numbered = tuple(map(str, range(int(ledger.label.max(initial=-1)) + 1)))
    names = pool.classes if pool is not None else state.classes or numbered
    wrong = np.arange(0) if truth is None else measure.wrong(ledger, truth)
    matrix = None if truth is None or not ledger.auto.any() else measure.confusion(ledger, truth, len(names))
    return {
        "title": f"{row['trial']}, seed {row['seed']}",
        "row": row,
        "status": standing[0],
        "reason": standing[1],
        "sentence": sentence(row, *standing),
        "resume": f"alearn resume={quote(str(folder.absolute()))}",
        "tiles": tiles(row),
        "checks": checks(row, state.history),
        "curves": curves(row, state.history, standing[0] is Status.FINISHED),
        "asking": asking(ledger),
        "forecast": forecast(ledger),
        "map": None if pool is None else feature_map(ledger, pool, wrong),
        "groups": groups(folder),
        "strips": [] if pool is None or not pool.visible else strips(ledger, pool, names),
        "classes": classes(ledger, names, truth),
        "class_count": len(names),
        "class_errors": class_errors(row["per_class"]),
        "warning": "" if pool is None else measure.warning(ledger, names),
        "confusion": None if matrix is None or len(names) > CLASSES else confusion(matrix),
        "pairs": [] if matrix is None else pairs(matrix, names),
        "names": names,
        "phases": [(phase, row["seconds"][phase], _share(row, phase)) for phase in PHASES],
        "time": time(state.history),
        "yaml": yaml,
        "command": command(row),
    }


def sentence(row: dict[str, Any], status: Status, reason: str) -> str:
    """Return the outcome of a trial as a sentence."""
    hand = row["hand"]
    auto = row["auto"]
    left = row["unlabeled"]
    if status is Status.FINISHED:
        share = percent(hand / row["images"]) if row["images"] else "-"
        text = f"{count(row['images'])} images labeled with {count(hand)} hand labels ({share}); "
        return text + _wrong(row) if auto else text + "none was labeled automatically."
    so_far = f"{count(hand)} hand labels and {count(auto)} auto labels so far, {count(left)} images without a label"
    if auto and row["wrong_auto"] is not None:
        so_far += "; " + _wrong(row).rstrip(".")
    if status is Status.RUNNING:
        return f"Round {row['rounds'] + 1} is under way: {so_far}."
    when = f"after round {row['rounds']}" if row["rounds"] else "before its first round was over"
    return f"{status.value.capitalize()} {when}: {so_far}."


def _wrong(row: dict[str, Any]) -> str:
    auto = row["auto"]
    wrong = row["wrong_auto"]
    if wrong is None:
        other = "" if row.get("given") else "the other "
        return f"{other}{count(auto)} were labeled automatically."
    if not wrong:
        return f"none of the {count(auto)} auto labels is wrong."
    verb = "is" if wrong == 1 else "are"
    return f"{count(wrong)} of the {count(auto)} auto labels {verb} wrong ({percent(row['mislabeled_auto'])})."


def tiles(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the numbers of a trial: name, value, and the published value ("" if there is none)."""
    published = row["published"] or {}
    return [
        (
            page.title(metric),
            page.text(metric, metric.of(row)),
            page.text(metric, published[metric.table]) if metric.published and published else "",
        )
        for metric in outcome(row)
    ]


def checks(row: dict[str, Any], history: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each round in which answers changed the trust in the model's confidence."""
    trusted = [row["threshold"], *(metrics.get("trusted_threshold", row["threshold"]) for metrics in history)]
    sentences = []
    for before, now, metrics in zip(trusted, trusted[1:], history, strict=False):
        if text := trust.news(before, now, row["threshold"], metrics["checked"], metrics["wrong_checked"]):
            sentences.append(f"Round {metrics['round']}: {text}.")
    return sentences


def curves(row: dict[str, Any], history: Sequence[dict[str, Any]], finished: bool) -> list[Chart]:
    """Draw labels by source, mislabeled shares and accuracies over rounds, and progress over hand labels."""
    if not history:
        return []

    def over(metric: Metric) -> list[float | None]:
        return [metric.of(metrics) for metrics in history]

    def drawn(unit: Unit) -> list[Series]:
        return [
            Series(metric.title, metric.line, over(metric), dashed=bool(metric.stands_in_for))
            for metric in METRICS
            if metric.line and metric.unit is unit
        ]

    ends = [*history, row] if finished else history
    sources = [("hand", "query"), ("auto", "auto"), ("unlabeled", "none")]
    sources += [("given", "given")] if row.get("given") else []
    labels = [Series(key, colour, [metrics[key] for metrics in ends]) for key, colour in sources]
    wrong = drawn(Unit.SHARE)
    if row["published"] and any(line.known for line in wrong):
        rate = row["published"]["mislabeled"]
        edges = (0.5, len(history) + 0.5)
        wrong.append(Series("published (of auto)", "soft", [rate, rate], edges, dashed=True))
    progress = [
        Series(BY_KEY[key].title, colour, over(BY_KEY[key]), over(BY_KEY["hand"]))
        for key, colour in {"auto_share": "auto", "test_accuracy": "query"}.items()
    ]
    charts = [
        stacked("Labels by source", labels, last="end" if finished else ""),
        lines("Mislabeled share", wrong, log=True),
        lines("Accuracy", drawn(Unit.ACCURACY)),
        lines("Progress over hand labels", progress, "hand labels"),
    ]
    return [chart for chart in charts if chart is not None]


def asking(ledger: Ledger) -> Chart | None:
    """Draw the hand labels by round and purpose; return None if there are none."""
    if not ledger.hand.any():
        return None
    bars = ledger.rounds + 1
    layers = [
        Series(name, name, np.bincount(ledger.round[ledger.source == source], minlength=bars).tolist())
        for name, source in HAND.items()
    ]
    return stacked("Hand labels by round", [layer for layer in layers if any(layer.y)], first=0)


def forecast(ledger: Ledger) -> Chart | None:
    """Draw how many hand labels were expected if the audit had begun after each round; return None without an audit."""
    if not len(ledger.forecast):
        return None
    hand, _, expected = ledger.forecast.T
    layers = [
        Series("given so far", "query", hand.tolist()),
        Series("expected for the audit and beyond the cut", "audit", (expected - hand).tolist()),
    ]
    return stacked("Hand labels in all if the audit had begun then", layers)


def groups(folder: Path) -> list[dict[str, Any]]:
    """Return what was certified for each group of labels, see `alearn.audit.certificate_file.build`; [] before that."""
    try:
        certificate = json.loads((folder / NAME).read_text())
        return list(certificate["groups"])
    except (OSError, ValueError, KeyError):
        return []


def strips(ledger: Ledger, pool: ImageSet, names: Sequence[str]) -> list[tuple[str, str, list[Picture]]]:
    """Return rows of pictures, each with a heading and an explanation."""
    rows: list[tuple[str, str, Array, list[tuple[str, ...]]]] = []
    captions: list[tuple[str, ...]]
    if pool.truth is not None:
        wrong = measure.wrong(ledger, pool.truth)
        shown = wrong[:PICTURES]
        captions = [(names[ledger.label[i]], f"is {names[pool.truth[i]]}", certainty(ledger.doubt[i])) for i in shown]
        note = f"{_of(len(shown), len(wrong))} wrong auto labels, the most confident first. "
        note += "Each has its label, the truth and the model's confidence."
        rows.append(("Wrong auto labels", note, shown, captions))
    auto = np.flatnonzero(ledger.auto)
    shown = auto[np.argsort(-ledger.doubt[auto], kind="stable")][:PICTURES]
    captions = [(names[ledger.label[i]], certainty(ledger.doubt[i])) for i in shown]
    note = f"{_of(len(shown), len(auto))} auto labels, the least confident first. "
    note += "Each has its label and the model's confidence."
    rows.append(("Most doubtful auto labels", note, shown, captions))
    hand = np.flatnonzero(ledger.hand)
    shown = hand[np.argsort(-ledger.order[hand], kind="stable")][:PICTURES]
    captions = [(_answer(ledger, i, names), *_guess(ledger, i, names)) for i in shown]
    note = f"{_of(len(shown), len(hand))} hand labels, the latest first. "
    note += "Each has its label and what the model guessed before."
    rows.append(("Latest hand labels", note, shown, captions))
    return [(title, note, strip(pool, index, captions)) for title, note, index, captions in rows if len(index)]


def _of(shown: int, total: int) -> str:
    return f"All {count(total)}" if shown == total else f"{count(shown)} of {count(total)}"


def _answer(ledger: Ledger, i: int, names: Sequence[str]) -> str:
    return names[ledger.label[i]] if ledger.label[i] != CANNOT_TELL else "cannot tell"


def _guess(ledger: Ledger, i: int, names: Sequence[str]) -> tuple[str, ...]:
    return () if ledger.guess[i] < 0 else (f"{names[ledger.guess[i]]}?", certainty(ledger.doubt[i]))


def time(history: Sequence[dict[str, Any]]) -> Chart | None:
    """Draw the seconds by phase over rounds; return None before the first round."""
    if not history:
        return None
    colours = ("query", "auto", "s2", "s3", "none")
    layers = [
        Series(phase, colour, [metrics.get(f"seconds_{phase}", 0.0) for metrics in history])
        for phase, colour in zip(PHASES, colours, strict=True)
    ]
    return stacked("Seconds by round", layers, unit=" s")


def _share(row: dict[str, Any], phase: str) -> float | None:
    total = row["seconds"]["total"]
    return row["seconds"][phase] / total if total else None
