"""The content of a sweep's report: its table, its trade-off, its curves by setting, and the status of each job."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import Any
from urllib.parse import quote as quote_url

from omegaconf import OmegaConf

from alearn.config import flatten, load
from alearn.errors import AlearnError
from alearn.report.html import page
from alearn.report.html.curves import Chart, Series, lines
from alearn.sweep import averages, sweep_table, tradeoff
from alearn.sweep.averages import Run
from alearn.trial import metrics_jsonl, row, status
from alearn.trial.metric import Metric, Topic, Unit
from alearn.trial.metrics import BY_KEY, METRICS
from alearn.trial.status import Status

CURVES = 8
"""The most settings in a picture. More colours would be hard to tell apart."""
OF_A_TRIAL = [BY_KEY[key] for key in ("rounds", "hand", "auto", "wrong_auto", "mislabeled_auto", "seconds.total")]
"""The metrics in the table of trials."""


@dataclass(frozen=True)
class Job:
    """A trial of the sweep.

    Attributes:
        name: Its folder, relative to the folder of the sweep.
        folder: Its folder.
        link: The address of its own report, "" if there is none.
        row: Its row, None if it has not finished.
        numbers: The values of OF_A_TRIAL as text, so far if it has not finished; "" before the first round.
        config: Its config, flat; {} if it cannot be read.
        setting: A name that is the same for jobs that differ only in their seed.
        status: Its status.
        reason: Why it failed, "" if it did not.
    """

    name: str
    folder: Path
    link: str
    row: dict[str, Any] | None
    numbers: list[str]
    config: dict[str, Any]
    setting: str
    status: Status
    reason: str

    @property
    def resume(self) -> str:
        """The command that resumes it."""
        return f"alearn resume={quote(str(self.folder.absolute()))}"


def write(folder: Path) -> None:
    """Write a report.html about all trials below a folder into that folder.

    Raises:
        AlearnError: There is no trial.
    """
    page.write(folder, "sweep.html.j2", **content(folder))


def content(folder: Path) -> dict[str, Any]:
    """Return everything that templates/sweep.html.j2 needs.

    Raises:
        AlearnError: There is no trial in the folder or below it.
    """
    jobs = [_job(path, folder) for path in status.trials(folder)]
    if not jobs:
        raise AlearnError(f"{folder} holds no trial, and neither does a folder below it")
    configs = {job.setting: job.config for job in reversed(jobs) if job.config}
    names = sweep_table.names(
        {setting: configs[setting] for setting in dict.fromkeys(job.setting for job in jobs) if setting in configs}
    )
    rows = [job.row for job in jobs if job.row is not None]
    by_setting = sweep_table.aggregate(rows)
    shown = sorted(names, key=lambda setting: _rank(by_setting.get(setting)))[:CURVES]
    return {
        "title": f"Sweep {folder.resolve().name}",
        "sentence": sentence(jobs, len({job.setting for job in jobs})),
        "best": best(by_setting, names),
        "columns": columns(by_setting),
        "lines": list(map(cells, by_setting.values())),
        "tradeoff": tradeoff.svg(rows) if rows else "",
        "curves": curves(jobs, {setting: names[setting] for setting in names if setting in shown}),
        "left_out": len(names) - len(shown),
        "jobs": jobs,
        "of_a_trial": [page.title(metric) for metric in OF_A_TRIAL],
        "names": names,
        "unfinished": [job for job in jobs if job.status in (Status.FAILED, Status.INTERRUPTED)],
        "command": (again := command(folder)),
        "go_on": again and f"{again} {quote(f'hydra.sweep.dir={folder.absolute()}')}",
        "commits": sorted({done["git_commit"] or "an installed package" for done in rows}),
        "hardware": sorted({done["hardware"] for done in rows}),
        "versions": sorted(
            {", ".join(f"{name} {version}" for name, version in done["versions"].items()) for done in rows}
        ),
    }


def _job(folder: Path, sweep: Path) -> Job:
    """Return the trial in a folder, with its status."""
    done = row.load(folder)
    state, reason = status.of(folder)
    name = str(folder.relative_to(sweep))
    config, setting = ({}, name) if done is None else (done["config"], done["setting"])
    if done is None:
        with suppress(AlearnError):  # a trial without a config may have failed early, and has a reason
            parsed = load(folder / "config.yaml")
            config = flatten(parsed.model_dump())
            setting = parsed.setting()
    link = quote_url(os.fsencode(f"{name}/{page.NAME}")) if (folder / page.NAME).exists() else ""
    numbers = _numbers(_so_far(folder) if done is None else done)
    return Job(name, folder, link, done, numbers, config, setting, state, reason)


def _so_far(folder: Path) -> dict[str, Any]:
    """Return the metrics of a trial that has not finished, with the keys of a row; {} before its first round."""
    history = metrics_jsonl.load(folder)
    if not history:
        return {}
    seconds = sum(line.get(f"seconds_{phase}", 0.0) for line in history for phase in row.PHASES)
    return history[-1] | {"rounds": len(history), "seconds": {"total": seconds}}


def _numbers(values: Mapping[str, Any]) -> list[str]:
    """Return the values of OF_A_TRIAL as a page shows them, "" before the first round."""
    return [page.text(metric, metric.of(values)) if values else "" for metric in OF_A_TRIAL]


def sentence(jobs: Sequence[Job], settings: int) -> str:
    """Return a sentence that says how many settings and trials there are, and the status of the trials."""
    states = [job.status for job in jobs]
    parts = [f"{states.count(state)} {state.value}" for state in Status if states.count(state)]
    return f"{_plural(settings, 'setting')}, {_plural(len(jobs), 'trial')}: {', '.join(parts)}."


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else f'{what}s'}"


def best(by_setting: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the settings with the fewest wrong labels and the fewest hand labels: title, name, numbers as text."""
    ends = {"Fewest wrong labels": "mislabeled_total_mean", "Fewest hand labels": "hand_mean"}
    tiles = []
    for title, key in ends.items():
        known = {setting: line for setting, line in by_setting.items() if line[key] is not None}
        if known:
            setting, line = min(known.items(), key=lambda item: item[1][key])
            text = f"{_mean(BY_KEY['hand'], line)} hand labels"
            if line["mislabeled_mean"] is not None:
                text += f", {_mean(BY_KEY['mislabeled_auto'], line)} of the auto labels wrong"
            tiles.append((title, names.get(setting, setting), f"{text} ({_plural(line['seeds'], 'seed')})"))
    return tiles


def _rank(line: Mapping[str, Any] | None) -> tuple[float, float]:
    """Return a sort key: fewest wrong labels first, then fewest hand labels; settings without a row last."""
    if line is None:
        return float("inf"), float("inf")
    wrong = line["mislabeled_total_mean"]
    return float("inf") if wrong is None else wrong, line["hand_mean"]


def columns(by_setting: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the headings of the table's columns: first what differs between settings, then the metrics."""
    line = next(iter(by_setting.values()), {})
    heads = [sweep_table.HEADINGS.get(key, key) for key in sweep_table.heads(line)]
    return heads + [page.title(metric) for metric in sweep_table.measured(line)]


def cells(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the cells of a line of the table: each has a text, and the published value ("" if there is none)."""
    heads = [(str(line[key]), "") for key in sweep_table.heads(line)]
    return heads + [(_mean(metric, line), _published(metric, line)) for metric in sweep_table.measured(line)]


def _mean(metric: Metric, line: Mapping[str, Any]) -> str:
    mean, sd = (line[f"{metric.table}_{kind}"] for kind in ("mean", "sd"))
    text = page.text(metric, mean)
    if sd is None or metric.unit is Unit.SECONDS:  # times differ between machines more than between seeds
        return text
    return f"{text.removesuffix(' %')} ± {page.text(metric, sd)}"


def _published(metric: Metric, line: Mapping[str, Any]) -> str:
    value = line.get(f"{metric.table}_published")
    return "" if value is None else page.text(metric, value)


def curves(jobs: Sequence[Job], names: Mapping[str, str]) -> list[Chart]:
    """Draw the mean over the seeds of each setting, round by round, with a band of one standard deviation.

    A finished trial keeps its last value. An unfinished trial counts only for the rounds that it has completed.
    """
    histories: dict[str, list[tuple[bool, list[dict[str, Any]]]]] = {setting: [] for setting in names}
    for job in jobs:
        if job.setting in names:
            histories[job.setting].append((job.status is Status.FINISHED, metrics_jsonl.load(job.folder)))
    charts = []
    for metric in METRICS:
        if metric.compared:
            series = [_series(metric, i, name, histories[setting]) for i, (setting, name) in enumerate(names.items())]
            title = f"{metric.title[0].upper()}{metric.title[1:]}"
            charts.append(lines(title, series, log=metric.curve.topic is Topic.MISLABELS))
    return [chart for chart in charts if chart is not None]


def _series(
    metric: Metric, number: int, name: str, histories: Sequence[tuple[bool, Sequence[Mapping[str, Any]]]]
) -> Series:
    """Return the line of a setting. histories: Whether each trial has finished, and its rounds' metrics."""
    runs = [Run(list(enumerate(map(metric.of, history), 1)), finished) for finished, history in histories]
    spreads = averages.average(runs).values()
    return Series(name, f"s{number}", [mean for mean, _ in spreads], sd=[sd or 0.0 for _, sd in spreads])


def command(folder: Path) -> str:
    """Return the command that started the sweep, "" if Hydra left no record of it."""
    try:
        overrides = OmegaConf.load(folder / "multirun.yaml").hydra.overrides.task
    except Exception:  # the file may be missing, damaged, or not written by Hydra
        return ""
    return join(["alearn", "-m", *map(str, overrides)])
