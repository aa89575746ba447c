"""What the report of a sweep shows: its table, what it trades, its rounds by setting, and how each job stands."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import Any
from urllib.parse import quote as quote_url

import numpy as np
from omegaconf import OmegaConf

from alearn.config import flatten, load
from alearn.errors import AlearnError
from alearn.report.html import page
from alearn.report.html.curves import Chart, Series, lines
from alearn.report.html.page import accuracy, count, duration, percent
from alearn.sweep import sweep_table, tradeoff
from alearn.trial import metrics_jsonl, row, status
from alearn.trial.status import Status
from alearn.values import Array

CURVES = 8
"""Settings in a picture, at most: so many colours can be told apart."""
OVER_ROUNDS = {
    "Hand labels, of all images": "hand_share",
    "Unlabeled, of all images": "unlabeled_share",
    "Mislabeled, of the auto labels": "mislabeled_auto",
    "Mislabeled, of all images, if it finished now": "mislabeled_if_finished",
    "Test accuracy": "test_accuracy",
}
FORMATS: dict[str, Callable[[float | None], str]] = {
    "rounds": lambda value: count(value, 1).removesuffix(".0"),
    "hand": count,
    "auto": count,
    "mislabeled": percent,
    "mislabeled_total": percent,
    "worst_class_error": percent,
    "test_accuracy": accuracy,
    "seconds": duration,
}
"""How a measured column is written, and its standard deviation (but for the time's: machines differ more)."""


@dataclass(frozen=True)
class Job:
    """A trial of the sweep. name: its folder, relative to the sweep's. link: to its own report, "" where there is none.

    numbers: the table's, so far if it has not finished, empty before the first round. config: flat, empty where it
    cannot be read. setting: equal for jobs that differ in their seed alone.
    """

    name: str
    folder: Path
    link: str
    row: dict[str, Any] | None
    numbers: dict[str, Any]
    config: dict[str, Any]
    setting: str
    status: Status
    reason: str

    @property
    def resume(self) -> str:
        """The command that goes on with it."""
        return f"alearn resume={quote(str(self.folder.absolute()))}"


def write(folder: Path) -> None:
    """Write the report.html of all trials below a folder into it. Raises AlearnError if there are none."""
    page.write(folder, "sweep.html.j2", **content(folder))


def content(folder: Path) -> dict[str, Any]:
    """Everything that templates/sweep.html.j2 asks for. Raises AlearnError if no trial lies below the folder."""
    jobs = [_job(path, folder) for path in status.trials(folder)]
    if not jobs:
        raise AlearnError(f"{folder} holds no trial, and neither does a folder below it")
    configs = {job.setting: job.config for job in reversed(jobs) if job.config}
    names = sweep_table.names(
        {setting: configs[setting] for setting in dict.fromkeys(job.setting for job in jobs) if setting in configs}
    )
    rows = [job.row for job in jobs if job.row is not None]
    settings, lines_ = list(dict.fromkeys(one["setting"] for one in rows)), sweep_table.aggregate(rows)
    by_setting = dict(zip(settings, lines_, strict=True))
    shown = sorted(names, key=lambda setting: _rank(by_setting.get(setting)))[:CURVES]
    return {
        "title": f"Sweep {folder.resolve().name}",
        "sentence": sentence(jobs, len({job.setting for job in jobs})),
        "best": best(by_setting, names),
        "columns": columns(lines_),
        "lines": [cells(line) for line in lines_],
        "tradeoff": tradeoff.svg(rows) if rows else "",
        "curves": curves(jobs, {setting: names[setting] for setting in names if setting in shown}),
        "left_out": len(names) - len(shown),
        "jobs": jobs,
        "names": names,
        "unfinished": [job for job in jobs if job.status in (Status.FAILED, Status.INTERRUPTED)],
        "command": (again := command(folder)),
        "go_on": again and f"{again} {quote(f'hydra.sweep.dir={folder.absolute()}')}",
        "commits": sorted({one["git_commit"] or "an installed package" for one in rows}),
        "hardware": sorted({one["hardware"] for one in rows}),
        "versions": sorted(
            {", ".join(f"{name} {version}" for name, version in one["versions"].items()) for one in rows}
        ),
    }


def _job(folder: Path, sweep: Path) -> Job:
    found, (state, reason), name = row.load(folder), status.of(folder), str(folder.relative_to(sweep))
    config, setting = ({}, name) if found is None else (found["config"], found["setting"])
    if found is None:
        with suppress(AlearnError):  # it may have failed before it had a config: its reason says more
            parsed = load(folder / "config.yaml")
            config, setting = flatten(parsed.model_dump()), parsed.setting()
    link = quote_url(os.fsencode(f"{name}/{page.NAME}")) if (folder / page.NAME).exists() else ""
    return Job(name, folder, link, found, _numbers(folder, found), config, setting, state, reason)


def _numbers(folder: Path, found: Mapping[str, Any] | None) -> dict[str, Any]:
    keys = ("hand", "auto", "wrong_auto", "mislabeled_auto")
    if found is not None:
        return {key: found[key] for key in ("rounds", *keys)} | {"seconds": found["seconds"]["total"]}
    history = metrics_jsonl.load(folder)
    if not history:
        return {}
    seconds = sum(line.get(f"seconds_{phase}", 0.0) for line in history for phase in row.PHASES)
    return {"rounds": len(history), "seconds": seconds} | {key: history[-1].get(key) for key in keys}


def sentence(jobs: Sequence[Job], settings: int) -> str:
    """How many, and how they stand."""
    stand = [job.status for job in jobs]
    parts = [f"{stand.count(state)} {state.value}" for state in Status if stand.count(state)]
    return f"{_plural(settings, 'setting')}, {_plural(len(jobs), 'trial')}: {', '.join(parts)}."


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def best(by_setting: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The settings with the fewest wrong and with the fewest hand labels: in which respect, which one, its numbers."""
    ends = {"Fewest wrong labels": "mislabeled_total_mean", "Fewest hand labels": "hand_mean"}
    found = []
    for what, key in ends.items():
        known = {setting: line for setting, line in by_setting.items() if line[key] is not None}
        if known:
            setting = min(known, key=lambda setting: known[setting][key])
            shown = cells(known[setting])
            text = f"{shown['hand'][0]} hand labels"
            if known[setting]["mislabeled_mean"] is not None:
                text += f", {shown['mislabeled'][0]} of the auto labels wrong"
            found.append((what, names.get(setting, setting), f"{text} ({_plural(known[setting]['seeds'], 'seed')})"))
    return found


def _rank(line: Mapping[str, Any] | None) -> tuple[float, float]:
    """Fewest wrong labels first, then fewest hand labels; settings without a finished trial last."""
    if line is None:
        return float("inf"), float("inf")
    wrong = line["mislabeled_total_mean"]
    return float("inf") if wrong is None else wrong, line["hand_mean"]


def columns(lines_: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Key and heading of the table's columns: what differs between settings, then what was measured."""
    headings = sweep_table.HEADINGS | {"seconds": "time"}
    keys = [key.removesuffix("_mean") for line in lines_[:1] for key in line if not key.endswith(("_sd", "_published"))]
    return [(key, headings.get(key, key)) for key in keys]


def cells(line: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """A line of the table by column: mean and standard deviation, and the published value ("" where there is none)."""
    found = {}
    for key, value in line.items():
        name = key.removesuffix("_mean")
        if key.endswith(("_sd", "_published")):
            continue
        if key == name:
            found[key] = str(value), ""
            continue
        form = FORMATS.get(name, _number)
        sd, published = None if name == "seconds" else line[f"{name}_sd"], line.get(f"{name}_published")
        text = form(value) if sd is None else f"{form(value).removesuffix(' %')} ± {form(sd)}"
        found[name] = text, "" if published is None else form(published)
    return found


def _number(value: float | None) -> str:
    return count(value, 4)


def curves(jobs: Sequence[Job], names: Mapping[str, str]) -> list[Chart]:
    """Mean over the seeds of a setting, round by round, with a band of one standard deviation.

    A finished trial keeps its last value; one that has not finished counts as far as it came.
    """
    histories: dict[str, list[tuple[bool, list[dict[str, Any]]]]] = {}
    for job in jobs:
        if job.setting in names:
            histories.setdefault(job.setting, []).append(
                (job.status is Status.FINISHED, metrics_jsonl.load(job.folder))
            )
    found = []
    for title, key in OVER_ROUNDS.items():
        series = []
        for number, (setting, name) in enumerate(names.items()):
            runs = [(done, [line.get(key) for line in history]) for done, history in histories[setting] if history]
            if runs:
                mean, sd = over_rounds(runs)
                series.append(Series(name, f"s{number}", mean, sd=sd))
        found.append(lines(title, series, log=key.startswith("mislabeled")))
    return [chart for chart in found if chart is not None]


def over_rounds(runs: Sequence[tuple[bool, Sequence[float | None]]]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation (the sample's, 0 of one) in each round. runs: whether it is finished, its values."""
    values: Array = np.full((len(runs), max(len(run) for _, run in runs)), np.nan)
    for line, (done, run) in zip(values, runs, strict=True):
        line[: len(run)] = run
        if done:
            line[len(run) :] = line[len(run) - 1]
    known = np.isfinite(values)
    number = known.sum(0)
    mean = np.where(known, values, 0).sum(0) / np.where(number, number, np.nan)
    spread = np.where(known, values - mean, 0)
    return mean.tolist(), np.sqrt((spread**2).sum(0) / np.maximum(number - 1, 1)).tolist()


def command(folder: Path) -> str:
    """The command that the sweep was started with; "" where Hydra left no word of it."""
    try:
        words = OmegaConf.load(folder / "multirun.yaml").hydra.overrides.task
    except Exception:  # it may be damaged, or not Hydra's
        return ""
    return join(["alearn", "-m", *map(str, words)])
