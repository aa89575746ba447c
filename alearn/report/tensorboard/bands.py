"""Mean curves over the seeds of a setting, with a band of one standard deviation: runs of their own below a sweep.

Written without torch, from the trials' files, so that a sweep's own process can do it after every job.
"""

import io
import os
import re
import statistics
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from alearn.report.tensorboard import layout, tags
from alearn.sweep import sweep_table
from alearn.trial import metrics_jsonl, row

FOLDER = "mean"
"""Below a sweep's folder: a folder, and so a run, for every setting with two seeds or more."""
EVENTS = "events.out.tfevents.*.mean"
LONGEST = 150
"""Characters of a run's name."""

Points = Sequence[tuple[int, float | None]]


class Curve(NamedTuple):
    """Mean and standard deviation (the sample's) of two trials or more, at ascending steps."""

    steps: list[int]
    mean: list[float]
    sd: list[float]


def write(folder: Path) -> list[Path]:
    """Write the mean curves of all finished trials below a sweep's folder; returns the folders of the runs.

    A second call replaces what the first one wrote. A run's name ends in the number of its seeds: one more seed is
    another run in the place of the old one, for a reader that has points of a run keeps those before the first new one.
    """
    settings: dict[str, dict[int, tuple[dict[str, Any], Path]]] = {}
    for path in sorted(folder.rglob(row.NAME)):
        found = row.load(path.parent)
        if found is not None:
            settings.setdefault(found["setting"], {})[found["seed"]] = found, path
    named = names({setting: next(iter(seeds.values()))[0]["config"] for setting, seeds in settings.items()})
    runs = []
    for setting, seeds in settings.items():
        trials = [(rounds, last) for last, path in seeds.values() if (rounds := metrics_jsonl.load(path.parent))]
        if len(trials) > 1:
            runs.append(folder / FOLDER / f"{named[setting]}, {len(trials)} seeds")
            _replace(runs[-1], events(curves(trials), max(path.stat().st_mtime for _, path in seeds.values())))
    for other in (folder / FOLDER).glob("*/"):
        if other not in runs:
            _remove(other)
    return runs


def curves(trials: Sequence[tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]]) -> dict[str, Curve]:
    """The mean curves, by tag, of trials given by the metrics of their rounds and their rows."""
    found = {}
    for tag, key in tags.SCALARS.items():
        by_round = [[(at["round"], at.get(key)) for at in rounds] for rounds, _ in trials]
        if tag in tags.FINAL:
            for points, (_, last) in zip(by_round, trials, strict=True):
                points.append((points[-1][0] + 1, last.get(key)))
        found[tag] = average(by_round)
    for tag, key in tags.OVER_HAND.items():
        found[tag] = average([[(at["hand"], at.get(key)) for at in rounds] for rounds, _ in trials])
    return found


def average(trials: Sequence[Points]) -> Curve:
    """Mean and standard deviation of step functions: each holds its value until its next point, and its last one on.

    The steps are those of all of them, from the first at which all have a value. A step at which fewer than two values
    are known (not None) is left out.
    """
    start = max(points[0][0] for points in trials)
    places = [[step for step, _ in points] for points in trials]
    curve = Curve([], [], [])
    for step in sorted({step for steps in places for step in steps if step >= start}):
        at = [points[bisect_right(steps, step) - 1][1] for points, steps in zip(trials, places, strict=True)]
        values = [value for value in at if value is not None]
        if len(values) > 1:
            curve.steps.append(step)
            curve.mean.append(statistics.fmean(values))
            curve.sd.append(statistics.stdev(values))
    return curve


def names(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The settings' names, given their flat configs, as names of folders."""
    found: dict[str, str] = {}
    for setting, name in sweep_table.names(configs).items():
        plain = re.sub(r"[^\w ,.+-]", "_", name.replace("=", " "))
        clash = len(plain) > LONGEST or plain in found.values()
        found[setting] = f"{plain[:LONGEST]} {setting[:8]}" if clash else plain
    return found


def events(curves: Mapping[str, Curve], wall_time: float) -> bytes:
    """The content of an event file: the curves, and the layout of their charts.

    It opens with the mark of a restart at step 0, upon which a reader that has seen an older file of the run drops it.
    """
    content = io.BytesIO()
    records = RecordWriter(content)

    def write(**fields: Any) -> None:
        records.write(Event(wall_time=wall_time, **fields).SerializeToString())

    write(file_version="brain.Event:2")
    write(step=0, session_log=SessionLog(status=SessionLog.START))
    write(step=0, summary=layout.of_bands())
    banded = {tag for charts in layout.BANDS.values() for tag in charts.values()}
    for tag, (steps, mean, sd) in curves.items():
        low, high = [m - d for m, d in zip(mean, sd, strict=True)], [m + d for m, d in zip(mean, sd, strict=True)]
        shown = {tag: mean} | (dict(zip(tags.band(tag), (mean, low, high), strict=True)) if tag in banded else {})
        for name, values in shown.items():
            for step, value in zip(steps, values, strict=True):
                write(step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))
    return content.getvalue()


def _replace(run: Path, content: bytes) -> None:
    """Make `content` all that the event files of a run hold.

    TensorBoard's readers go on from a file to the one that sorts after it, and hang if the one that they are at is
    gone: so the new one gets a new name, and the old ones stay, empty.
    """
    run.mkdir(parents=True, exist_ok=True)
    old = sorted(run.glob(EVENTS))
    if old and old[-1].read_bytes() == content:
        return
    for path in old:
        os.truncate(path, 0)
    (run / f"events.out.tfevents.{time.time_ns()}.mean").write_bytes(content)


def _remove(run: Path) -> None:
    """Remove a run that we wrote, and nothing else."""
    for path in run.glob(EVENTS):
        path.unlink()
    if not any(run.iterdir()):
        run.rmdir()
