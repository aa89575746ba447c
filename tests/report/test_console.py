import io
import logging

import numpy as np
import pytest
from rich.console import Console as RichConsole

from alearn.journal import EpochDone, Finished, Progress, Round, RoundStarted, ScoreProgress
from alearn.ledger import Ledger, Source
from alearn.report import console

METRICS = {
    "round": 1, "epochs": 12, "hand": 1200, "auto": 36_071, "unlabeled": 22_729, "wrong_auto": 524,
    "mislabeled_auto": 0.01453, "val_accuracy": None, "test_accuracy": 0.8955,
    "seconds_fit": 30.04, "seconds_score": 14.1, "trusted_threshold": 0.95, "checked": 10, "wrong_checked": 1,
}  # fmt: skip
DONE = Round(1, None, None, None, None, {}, METRICS)


def labeled(*classes: int) -> Ledger:
    """Return a ledger of 60,000 images in which each of these classes has one hand label."""
    book = Ledger.empty(60_000)
    book.write(np.arange(len(classes)), np.array(classes, np.int64), Source.FIRST, 0)
    return book


def show(events, terminal: bool, ledger: Ledger | None = None, trusted: float = 0.95) -> str:
    text = io.StringIO()
    out = RichConsole(file=text, force_terminal=terminal, width=160, highlight=False, soft_wrap=True)
    reporter = console.Console(ledger or labeled(0, 1, 2), ("cat", "dog", "cow"), ("one", "two"), 0.95, trusted, out)
    for event in events:
        (reporter.progress if isinstance(event, Progress) else reporter.committed)(event)
    reporter.close()
    return text.getvalue()


def test_plain_lines_without_a_terminal(caplog):
    caplog.set_level(logging.INFO, "alearn")
    events = [
        RoundStarted(1, 600, 59_400),
        EpochDone(3, 0.5, 0.25, 0.1),
        ScoreProgress(10, 59_400),
        DONE,
        DONE,
        Finished(None, {}),
    ]
    lines = show(events, terminal=False).splitlines()
    assert lines[:2] == ["one", "two"]
    cells = dict(
        zip(
            ("round", "epochs", "hand", "auto", "unlabeled", "wrong", "rate", "val", "test", "fit", "score"),
            lines[3].split(),
            strict=True,
        )
    )
    assert cells == {
        "round": "1", "epochs": "12", "hand": "1,200", "auto": "36,071", "unlabeled": "22,729", "wrong": "524",
        "rate": "1.453%", "val": "-", "test": "89.550%", "fit": "30.0", "score": "14.1",
    }  # fmt: skip
    assert len(lines) == 5, "two sentences, one heading, and one line for each round"
    assert len(lines[2]) == len(lines[3])
    assert "training on 600 labels, epoch 3, loss 0.5000, validation 25.00%" in caplog.text, (
        "only the log has the epochs"
    )
    assert lines[3] in caplog.text


def test_classes_that_nobody_has_shown_the_model_are_a_warning_every_round_until_there_are_none():
    ledger, seen = labeled(1), []
    started = [RoundStarted(number, 1, 59_999) for number in (1, 2, 3)]

    def rounds():
        for number, event in enumerate(started):
            yield event
            if number < 2:
                ledger.write(np.array([100 + number]), np.array([2 * number]), Source.QUERY, number + 1)

    text = show(rounds(), terminal=False, ledger=ledger)
    seen = [line.partition(":")[2].partition(":")[0] for line in text.splitlines() if line.startswith("warning: ")]
    assert seen == [" no hand label yet of classes cat, cow", " no hand label yet of class cow"]


def checked(threshold: float, answers: int, wrong: int) -> Round:
    metrics = METRICS | {"trusted_threshold": threshold, "checked": answers, "wrong_checked": wrong}
    return Round(1, None, None, None, None, {}, metrics)


def test_a_change_of_trust_is_said_once():
    rounds = [checked(0.95, 5, 1), checked(1.0, 9, 5), checked(1.0, 14, 5), checked(0.95, 20, 2), checked(0.95, 20, 1)]
    assert [line for line in show(rounds, terminal=False).splitlines() if "checked" in line] == [
        "5 of the last 9 checked auto labels were wrong: no auto labels until later checks are better",
        "2 of the last 20 checked auto labels were wrong: auto labels are given again",
    ]
    resumed = show(rounds[2:], terminal=False, trusted=1.0)
    assert [line for line in resumed.splitlines() if "checked" in line] == [
        "2 of the last 20 checked auto labels were wrong: auto labels are given again"
    ]


def test_a_long_round_says_that_it_lives(monkeypatch):
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(console, "monotonic", lambda: next(clock))
    text = show(
        [RoundStarted(1, 600, 9), *[EpochDone(i, 0.5, None, None) for i in range(1, 7)]],
        terminal=False,
    )
    assert 1 <= text.count("... round 1: training on 600 labels, epoch") <= 4


def test_a_terminal_gets_a_bar_and_is_left_clean():
    text = show([RoundStarted(1, 600, 59_400), ScoreProgress(29_700, 59_400), DONE], terminal=True)
    assert "\x1b[" in text
    assert "36,071" in text
    assert text.endswith("\x1b[?25h") or "\x1b[?25h" in text[-80:], "the cursor is visible again"


ROW = {
    "trial": "t1", "seed": 0, "init_fraction": 0.01, "threshold": 0.9999, "hand_fraction": 0.01, "rounds": 6,
    "hand": 4200, "auto": 55_800, "wrong_auto": 558, "mislabeled_auto": 0.01, "mislabeled_total": 0.0093,
    "test_accuracy": None, "worst_class_error": 0.034, "settings": "in words",
    "seconds": {"total": 99.6}, "published": {"rounds": 5, "hand": 4200, "auto": 55_800, "mislabeled": 0.0193},
}  # fmt: skip


@pytest.mark.parametrize("published", [True, False])
def test_the_summary_has_the_published_row_beside_ours(tmp_path, published):
    text = io.StringIO()
    console.summary(
        ROW | {"published": ROW["published"] if published else None},
        tmp_path,
        out=RichConsole(file=text, width=60, soft_wrap=True),
    )
    lines = {line[:32].strip(): line[32:].split() for line in text.getvalue().splitlines() if len(line) > 32}
    assert lines["mislabeled (of auto)"] == (["1.00%", "1.93%"] if published else ["1.00%"])
    assert lines["rounds"][0] == "6"
    assert lines["mislabeled (worst class)"] == ["3.40%"]
    assert lines["seconds"] == ["100"]
    assert str(tmp_path / "labels.csv") in text.getvalue()
