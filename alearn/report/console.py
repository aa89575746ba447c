"""What the user sees: a live display on a terminal, and plain lines elsewhere. The lines also go to alearn.log."""

import logging
import shlex
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
from alearn.policy import trust
from alearn.trial import measure
from alearn.trial.metric import Metric, Unit
from alearn.trial.metrics import ESTIMATES, METRICS, outcome

log = logging.getLogger("alearn")

QUIET_SECONDS = 30.0
"""Without a terminal: the time without output after which a line says what the trial is doing."""

COLUMNS = [metric for metric in METRICS if metric.column]
NARROWEST = 8
"""The least width of a column, in characters."""
FORMS = {
    Unit.COUNT: "{:,d}",
    Unit.FEW: "{:d}",
    Unit.SHARE: "{:.2%}",
    Unit.ACCURACY: "{:.2%}",
    Unit.SECONDS: "{:.0f}",
}
"""The formats of the outcome of a trial."""
IN_COLUMNS = FORMS | {Unit.SHARE: "{:.3%}", Unit.ACCURACY: "{:.3%}", Unit.SECONDS: "{:.1f}"}
"""The formats of a round. They have more digits, because rounds differ by less."""


class Console:
    """A reporter that prints lines and, on a terminal, a progress bar below them."""

    def __init__(
        self,
        ledger: Ledger,
        classes: Sequence[str],
        heading: Sequence[str],
        threshold: float,
        trusted: float,
        out: rich_console.Console | None = None,
    ) -> None:
        """Print the heading.

        Args:
            ledger: The ledger of the trial, which changes while it runs.
            classes: The names of the classes.
            heading: Sentences to show before the first round.
            threshold: The probability above which the policy accepts predictions.
            trusted: The same in the last round, see `alearn.policy.trust`.
            out: Where to print.
        """
        self._ledger = ledger
        self._classes = classes
        self._threshold = threshold
        self._trusted = trusted
        self._out = out or rich_console.Console(highlight=False, soft_wrap=True)
        self._last = monotonic()
        self._doing = ""
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
                self._bar.reset(self._task)  # its clock shows the time of the round
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
        """Print one line for each round, and one for each step of an audit."""
        match entry:
            case Round():
                self._round(entry.metrics)
            case AuditFrozen():
                frozen = entry.ledger.audit
                self._say(
                    f"audit: {len(frozen.item) if frozen else 0:,} labels and the plan are frozen "
                    f"(SHA-256 {entry.commitment}); expect about {entry.expected:,.0f} hand labels in all"
                )
                self._doing = "audit"
            case AuditStage():
                upcoming = "the next stage follows" if entry.more else f"{entry.left:,} left to label beyond the cut"
                self._say(f"audit: {entry.audited:,} labels checked, {entry.errors:,} of them wrong; {upcoming}")
            case Finished():
                self._bar.stop()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def _round(self, metrics: dict[str, Any]) -> None:
        if not self._headed:
            self._say(_line({metric: metric.column for metric in COLUMNS}))
            self._headed = True
        self._say(_line({metric: _cell(metric, metrics) for metric in COLUMNS}))
        before = self._trusted
        self._trusted = metrics["trusted_threshold"]
        if text := trust.news(before, self._trusted, self._threshold, metrics["checked"], metrics["wrong_checked"]):
            self._say(text)

    def _progress(self, text: str, share: float | None) -> None:
        self._bar.update(self._task, description=text, total=None if share is None else 1.0, completed=share or 0.0)
        if not self._out.is_terminal and monotonic() - self._last > QUIET_SECONDS:
            self._say(f"  ... {text}")

    def _say(self, text: str) -> None:
        log.info("%s", text)
        self._out.print(text, markup=False)
        self._last = monotonic()


def _line(cells: dict[Metric, str]) -> str:
    return "  ".join(cell.rjust(max(NARROWEST, len(metric.column))) for metric, cell in cells.items())


def _cell(metric: Metric, metrics: dict[str, Any]) -> str:
    """Return the value of a metric; if it is unknown, its estimate after a "~"; if there is none, "-"."""
    value = metric.of(metrics)
    estimate = ESTIMATES.get(metric.key)
    if value is not None:
        return IN_COLUMNS[metric.unit].format(value)
    if estimate is not None and (value := estimate.of(metrics)) is not None:
        return f"~{FORMS[estimate.unit].format(value)}"
    return "-"


def summary(row: dict[str, Any], folder: Path, out: rich_console.Console | None = None) -> None:
    """Print the outcome of a finished trial, with the published one if they compare, and where its files are."""
    out = out or rich_console.Console(highlight=False, soft_wrap=True)
    published = row["published"] or {}
    text = [f"{row['trial']}, seed {row['seed']}: {row['settings']}"]
    text += [f"{'':32}{'this trial':>12}{'published' if published else '':>12}".rstrip()]
    for metric in outcome(row):
        form = FORMS[metric.unit]
        other = form.format(published[metric.table]) if metric.published and published else ""
        text.append(f"{metric.title:32}{form.format(metric.of(row)):>12}{other:>12}".rstrip())
    if row.get("certificate"):
        check = f"alearn verify {shlex.quote(str(folder))}"
        text += [row["certificate"], f"proof: {folder / 'certificate.json'}; check it: {check}"]
    text += [
        f"labels: {folder / 'labels.csv'}",
        f"report: {folder / 'report.html'}",
        f"curves: tensorboard --logdir {folder}",
    ]
    out.print("\n".join(["", *text]), markup=False)
