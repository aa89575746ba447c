"""What the user sees: a live display on a terminal, plain lines elsewhere. The lines also go to alearn.log."""

import logging
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from rich import console as rich_console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from alearn import journal
from alearn.journal import (
    Asked,
    AuditFrozen,
    AuditStage,
    Entry,
    EpochDone,
    Finished,
    Round,
    RoundStarted,
    ScoreProgress,
)
from alearn.ledger import Ledger
from alearn.trial import measure

log = logging.getLogger("alearn")

QUIET_SECONDS = 30.0
"""Without a terminal: how long a round may go on before a line says what it is doing."""

COLUMNS = {  # heading: (metric, format)
    "round": ("round", "{:5d}"),
    "epochs": ("epochs", "{:6d}"),
    "hand": ("hand", "{:8,d}"),
    "auto": ("auto", "{:8,d}"),
    "unlabeled": ("unlabeled", "{:9,d}"),
    "wrong auto": ("wrong_auto", "{:10,d}"),
    "mislabeled": ("mislabeled_auto", "{:10.3%}"),
    "val acc": ("val_accuracy", "{:8.3%}"),
    "test acc": ("test_accuracy", "{:8.3%}"),
    "fit s": ("seconds_fit", "{:7.1f}"),
    "score s": ("seconds_score", "{:7.1f}"),
}


class Console:
    """A reporter for people at a terminal, who get a progress bar below the lines."""

    def __init__(
        self,
        ledger: Ledger,
        classes: Sequence[str],
        heading: Sequence[str],
        out: rich_console.Console | None = None,
    ) -> None:
        """ledger: the trial's own. classes: their names. heading: sentences to show before the first round."""
        self._ledger, self._classes = ledger, classes
        self._out = out or rich_console.Console(highlight=False, soft_wrap=True)
        self._last, self._doing = monotonic(), ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=self._out,
            transient=True,
            disable=not self._out.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        for sentence in heading:
            self._say(sentence)
        self._headed = False
        self._bar.start()

    def progress(self, step: journal.Progress) -> None:
        """Move the bar."""
        match step:
            case RoundStarted():
                if text := measure.warning(self._ledger, self._classes):
                    self._say(f"warning: {text}")
                self._doing = f"round {step.round}: training on {step.labeled:,} labels"
                self._bar.reset(self._task)  # its clock shows the round's time
                self._progress(self._doing, None)
            case EpochDone():
                text = f"{self._doing}, epoch {step.epoch}, loss {step.loss:.4f}"
                if step.val_accuracy is not None:
                    text += f", validation {step.val_accuracy:.2%}"
                log.info("%s", text)
                self._progress(text, step.share)
            case ScoreProgress():
                text = f"{self._doing.split(':')[0]}: scored {step.done:,} of {step.total:,}"
                self._progress(text, step.done / step.total)
            case Asked():
                text = f"waiting for answers: {step.done:,} of {step.total:,}, at {step.where}"
                if not step.done:
                    log.info("%s", text)
                self._progress(text, step.done / step.total)

    def committed(self, entry: Entry) -> None:
        """Print a line a round, and one at each step of an audit."""
        match entry:
            case Round():
                self._round(entry.metrics)
            case AuditFrozen():
                frozen = entry.ledger.audit
                self._say(
                    f"audit: {len(frozen.item) if frozen else 0:,} labels and the plan are frozen "
                    f"(SHA-256 {entry.commitment}); some {entry.expected:,.0f} hand labels in all are expected"
                )
                self._doing = "audit"
            case AuditStage():
                then = "the next stage follows" if entry.more else f"{entry.left:,} more to label beyond the cut"
                self._say(f"audit: {entry.audited:,} labels checked, {entry.errors:,} of them wrong; {then}")
            case Finished():
                self._bar.stop()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def _round(self, metrics: dict[str, Any]) -> None:
        if not self._headed:
            self._say("  ".join(name.rjust(_width(form)) for name, (_, form) in COLUMNS.items()))
            self._headed = True
        cells = [
            form.format(metrics[key]) if metrics[key] is not None else "-".rjust(_width(form))
            for key, form in COLUMNS.values()
        ]
        if metrics["wrong_auto"] is None and (estimate := metrics["estimated_mislabeled_auto"]) is not None:
            at = list(COLUMNS).index("mislabeled")
            cells[at] = f"~{estimate:.2%}".rjust(_width(COLUMNS["mislabeled"][1]))
        self._say("  ".join(cells))

    def _progress(self, text: str, share: float | None) -> None:
        self._bar.update(self._task, description=text, total=None if share is None else 1.0, completed=share or 0.0)
        if not self._out.is_terminal and monotonic() - self._last > QUIET_SECONDS:
            self._say(f"  ... {text}")

    def _say(self, text: str) -> None:
        log.info("%s", text)
        self._out.print(text, markup=False)
        self._last = monotonic()


def _width(form: str) -> int:
    return len(form.format(0))


def summary(row: dict[str, Any], folder: Path, out: rich_console.Console | None = None) -> None:
    """A finished trial's row, with the published one where it applies, and where the outputs lie."""
    out = out or rich_console.Console(highlight=False, soft_wrap=True)
    published = row["published"] or {}
    lines = {  # name: (key, the published row's key, format)
        "rounds": ("rounds", "rounds", "{:d}"),
        "hand labeled": ("hand", "hand", "{:,d}"),
        "auto labeled": ("auto", "auto", "{:,d}"),
        "given labels": ("given", "", "{:,d}"),
        "set aside: cannot tell": ("aside", "", "{:,d}"),
        "wrong auto labels": ("wrong_auto", "", "{:,d}"),
        "mislabeled, of the auto labels": ("mislabeled_auto", "mislabeled", "{:.2%}"),
        "... estimated from the answers": ("estimated_mislabeled_auto", "", "{:.2%}"),
        "mislabeled, of all": ("mislabeled_total", "", "{:.2%}"),
        "mislabeled, of the worst class": ("worst_class_error", "", "{:.2%}"),
        "test accuracy": ("test_accuracy", "", "{:.2%}"),
    }
    text = [f"{row['trial']}, seed {row['seed']}: {row['settings']}"]
    text += [f"{'':32}{'this trial':>12}{'published':>12}" if published else f"{'':32}{'this trial':>12}"]
    without = [key for key in ("given", "aside") if not row.get(key)]
    without += ["estimated_mislabeled_auto"] if row["wrong_auto"] is not None else []
    for name, (ours, theirs, form) in lines.items():
        if ours in without:
            continue
        text.append(
            f"{name:32}{_optional(form, row.get(ours)):>12}{_optional(form, published.get(theirs)):>12}".rstrip("- ")
        )
    text += [f"{'seconds':32}{row['seconds']['total']:>12.0f}"]
    if row.get("certificate"):
        text += [row["certificate"], f"proof: {folder / 'certificate.json'}; check it: alearn verify {folder}"]
    text += [
        f"labels: {folder / 'labels.csv'}",
        f"report: {folder / 'report.html'}",
        f"curves: tensorboard --logdir {folder}",
    ]
    out.print("\n".join(["", *text]), markup=False)


def _optional(form: str, value: Any) -> str:
    return "-" if value is None else form.format(value)
