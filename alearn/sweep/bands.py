"""Mean curves over the seeds of a setting, with a band of one standard deviation, as TensorBoard runs below a sweep.

They come from the trials' files and need no torch, so that a sweep's own process can write them after every job.
"""

import io
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from alearn.report.tensorboard import layout, tags
from alearn.sweep import averages, sweep_table
from alearn.sweep.averages import Run
from alearn.trial import metrics_jsonl, row

FOLDER = "mean"
"""The folder below a sweep's folder. It has a folder, and so a run, for each setting with two seeds or more."""
EVENTS = "events.out.tfevents.*.mean"
LONGEST = 150
"""The most characters in the name of a run."""

Trial = tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]
"""The metrics of a trial's rounds, and its row."""
Curve = Mapping[int, tuple[float, float]]
"""Mean and standard deviation by step."""


def write(folder: Path) -> list[Path]:
    """Write the mean curves of all finished trials below a sweep's folder; return the folders of the runs.

    A second call replaces what the first call wrote. A run's name ends with the number of its seeds, so another seed
    makes a new run instead of changing the old one. A reader would keep the points of the old run that come before the
    first new point.
    """
    settings: dict[str, dict[int, tuple[dict[str, Any], Path]]] = {}
    for path in sorted(folder.rglob(row.NAME)):
        done = row.load(path.parent)
        if done is not None:
            settings.setdefault(done["setting"], {})[done["seed"]] = done, path
    named = names({setting: next(iter(by_seed.values()))[0]["config"] for setting, by_seed in settings.items()})
    runs = []
    for setting, by_seed in settings.items():
        trials = [(rounds, done) for done, path in by_seed.values() if (rounds := metrics_jsonl.load(path.parent))]
        if len(trials) > 1:
            runs.append(folder / FOLDER / f"{named[setting]}, {len(trials)} seeds")
            _replace(runs[-1], events(curves(trials), max(path.stat().st_mtime for _, path in by_seed.values())))
    for other in (folder / FOLDER).glob("*/"):
        if other not in runs:
            _remove(other)
    return runs


def curves(trials: Sequence[Trial]) -> dict[str, Curve]:
    """Return the mean curves by tag. A curve has the steps at which two trials or more know the value."""
    spreads = {}
    for tag, metric in tags.SCALARS.items():
        runs = [[(at["round"], metric.of(at)) for at in rounds] for rounds, _ in trials]
        if metric.curve.final:
            for run, (_, done) in zip(runs, trials, strict=True):
                run.append((run[-1][0] + 1, metric.of(done)))
        spreads[tag] = averages.average(map(Run, runs))
    for tag, metric in tags.OVER_HAND.items():
        hand = metric.curve.hand
        runs = [[(int(at[hand]), metric.of(at)) for at in rounds if at.get(hand) is not None] for rounds, _ in trials]
        spreads[tag] = averages.average(map(Run, runs))
    return {
        tag: {step: (mean, sd) for step, (mean, sd) in by_step.items() if mean is not None and sd is not None}
        for tag, by_step in spreads.items()
    }


def names(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the name of a folder for each setting, given its flat config."""
    folders: dict[str, str] = {}
    for setting, name in sweep_table.names(configs).items():
        plain = re.sub(r"[^\w ,.+-]", "_", name.replace("=", " "))
        clash = len(plain) > LONGEST or plain in folders.values()
        folders[setting] = f"{plain[:LONGEST]} {setting[:8]}" if clash else plain
    return folders


def events(curves: Mapping[str, Curve], wall_time: float) -> bytes:
    """Return the content of an event file: the curves, and the layout of their charts.

    It begins with the mark of a restart at step 0, so that a reader drops what it has read from older files of the run.
    """
    content = io.BytesIO()
    records = RecordWriter(content)

    def write(**fields: Any) -> None:
        records.write(Event(wall_time=wall_time, **fields).SerializeToString())

    write(file_version="brain.Event:2")
    write(step=0, session_log=SessionLog(status=SessionLog.START))
    write(step=0, summary=layout.of_bands())
    for tag, curve in curves.items():
        for step, (mean, sd) in curve.items():
            shown = {tag: mean}
            if tag in tags.BANDED:
                shown |= dict(zip(tags.band(tag), (mean, mean - sd, mean + sd), strict=True))
            for name, value in shown.items():
                write(step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))
    return content.getvalue()


def _replace(run: Path, content: bytes) -> None:
    """Make `content` the only content of the event files of a run.

    A reader of TensorBoard goes from one file to the next in sorted order, and hangs if its current file is deleted.
    So the content goes into a file with a new name, and the old files stay, but are emptied.
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
