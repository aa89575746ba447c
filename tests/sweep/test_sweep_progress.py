import io
import json

import pytest
from rich.console import Console

from alearn.sweep import results, sweep_progress
from alearn.trial import status
from tests.sweep.test_sweep_table import row


def put(folder, number, **changes):
    (folder / str(number)).mkdir(exist_ok=True)
    (folder / str(number) / "row.json").write_text(json.dumps(row(f"s{number}", seed=number) | changes))


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Begin to watch a sweep of four jobs; job 0 has finished and job 1 has failed. Return watch, output and folder."""
    put(tmp_path, 0, mislabeled_total=0.02)
    (tmp_path / "1").mkdir()
    status.fail(tmp_path / "1", "an old reason")
    monkeypatch.setattr(results, "pictures", lambda folder: None)
    out = io.StringIO()
    return (
        sweep_progress.Progress(tmp_path, 4, ["a=1"], out=Console(file=out, width=300, soft_wrap=True)),
        out,
        tmp_path,
    )


def said(out) -> list[str]:
    lines = out.getvalue().splitlines()
    out.seek(0)
    out.truncate()
    return lines


def test_what_ends_is_said_once_with_what_is_left(watched, monkeypatch):
    watch, out, folder = watched
    watch.update()
    assert said(out) == []
    assert watch.line() == "sweep: 1 of 4 done; fewest wrong: job 0 with 2.00% mislabeled, 4,200 by hand"
    put(folder, 2, mislabeled_total=0.01, hand=5000, overrides=["a=1", "seed=2"])
    monkeypatch.setattr(sweep_progress, "monotonic", lambda: watch._start + 30)
    watch.update()
    assert said(out) == [
        "job 2 (seed=2): 1.00% mislabeled, 5,000 by hand, 100 s",
        "sweep: 2 of 4 done, about 60 s left; fewest wrong: job 2 with 1.00% mislabeled, 5,000 by hand",
    ], "30 s for each job, and two are left; the job that had finished before does not count"
    status.fail(folder / "1", "the loss\nis nan")
    put(folder, 3, mislabeled_total=0.01, hand=4000)
    watch.update(folder / "1")
    first, line = said(out)
    assert first == "job 1 failed: the loss is nan"
    assert line.startswith("sweep: 2 of 4 done, 1 failed")
    watch.close()
    assert (watch.ended, watch.finished) == (3, 2)
    assert watch.failures() == f"1 of 4 jobs failed; the same command with hydra.sweep.dir={folder} runs them again"
    lines = said(out)
    assert "fewest wrong: job 3 with 1.00% mislabeled, 4,000 by hand" in lines[-2], (
        "if two have as many wrong labels, the one with fewer hand labels"
    )
    assert lines[-1].startswith(f"results: {folder}/table.md")
    assert len(json.loads((folder / "table.json").read_text())["trials"]) == 3


def test_without_truth_nothing_is_said_about_wrong_labels(watched):
    watch, out, folder = watched
    (folder / "0" / "row.json").unlink()
    watch = sweep_progress.Progress(folder, None, out=Console(file=out, width=300, soft_wrap=True))
    put(folder, 5, mislabeled_total=None)
    watch.update()
    assert said(out)[-2:] == ["job 5 (seed=5): 4,200 by hand, 100 s", "sweep: 1 of 2 done"]


def test_results_take_a_small_share_of_the_time(watched, monkeypatch):
    watch, _, folder = watched
    clock, built = [watch._start + 1000], []

    def slow(into):
        built.append(into)
        clock[0] += 2

    monkeypatch.setattr(sweep_progress, "monotonic", lambda: clock[0])
    monkeypatch.setattr(results, "table", slow)
    for number in range(2, 100):
        put(folder, number)
        clock[0] += 1
        watch.update(folder / str(number))
    assert 2 <= len(built) <= 4, "the jobs take 98 s, and each table takes 2 s"
    watch.close()
    assert built == [folder] * len(built)


def test_no_room_for_results_stops_nothing(watched, monkeypatch):
    watch, out, folder = watched

    def full(into):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "table", full)
    put(folder, 2)
    watch.update()
    watch.close()
    lines = said(out)
    assert f"{folder}: cannot write results (No space left on device); alearn table writes them later" in lines
    assert not [line for line in lines if line.startswith("results:")]
