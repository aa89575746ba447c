"""The command as a user types it, from end to end. Where the process itself is the subject it has one of its own."""

import csv
import json
import random
import re
import resource
import signal
import time
from pathlib import Path

import pytest

from tests.apart import Apart
from tests.command import REACHED, alearn, environment, run, run_until, start
from tests.report.html.pages import Page
from tests.report.tensorboard.conftest import read as read_events

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_plans")]


def read(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, quick) -> tuple[Path, str]:
    """A finished trial's folder and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "trial one"
    code, out, err = alearn(*quick, f"hydra.run.dir='{folder}'")
    assert code == 0, err
    return folder, out


def test_a_trial_leaves_everything_that_is_promised(undisturbed):
    folder, out = undisturbed
    names = {path.name for path in folder.iterdir() if not path.name.startswith(("events.", "."))}
    assert names == {
        "config.yaml",
        "alearn.log",
        "metrics.jsonl",
        "row.json",
        "labels.csv",
        "checkpoint.pt",
        "model.pt",
        "report.html",
    }
    row, labels = json.loads((folder / "row.json").read_text()), read(folder)
    assert [int(line["index"]) for line in labels] == list(range(300))
    truth = [Path(line["id"]).parent.name for line in labels]
    auto = [(line["label"], true) for line, true in zip(labels, truth, strict=True) if line["source"] == "auto"]
    by_hand = [(line["label"], true) for line, true in zip(labels, truth, strict=True) if line["source"] == "hand"]
    assert len(auto) == row["auto"] > 0
    assert len(by_hand) == row["hand"] == row["first"] + row["query"] + row["rest"]
    assert row["first"] == 30
    assert all(label == true for label, true in by_hand)
    wrong = sum(label != true for label, true in auto)
    assert row["wrong_auto"] == wrong > 0
    assert row["mislabeled_auto"] == pytest.approx(wrong / len(auto))
    assert row["mislabeled_total"] == pytest.approx(wrong / 300)
    assert all(0.5 < float(line["confidence"]) <= 1 for line in labels if line["source"] == "auto")
    rounds = (folder / "metrics.jsonl").read_text().splitlines()
    assert len(rounds) == row["rounds"] == max(int(line["round"]) for line in labels)
    for part in (
        f"{row['wrong_auto']:,}",
        f"{row['mislabeled_auto']:.2%}",
        str(folder / "labels.csv"),
        str(folder / "report.html"),
        "tensorboard --logdir",
    ):
        assert part in out
    assert f"{row['wrong_auto']} of the {row['auto']} auto labels are wrong" in (folder / "report.html").read_text()


def test_a_finished_trial_is_not_run_again(undisturbed, quick):
    folder, _ = undisturbed
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".log"}
    for words in ([f"resume={folder}"], [*quick, f"hydra.run.dir='{folder}'"]):
        code, out, _ = alearn(*words)
        assert code == 0
        assert "finished already" in out
    assert {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".log"
    } == before


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_it_ends_with_the_same_labels(undisturbed, quick, tmp_path):
    """That it is so at every kind of step is tested in tests/test_kill.py, with a model that follows a script."""
    folder = tmp_path / "trial"
    process = start(*quick, f"hydra.run.dir={folder}")
    process.until((folder / "checkpoint.pt").exists)
    for _ in range(3):
        time.sleep(random.uniform(0, 0.5))
        process.kill()
        process = start(f"resume={folder}")
    assert process.wait() == 0, str(process)
    assert (folder / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()
    ours, theirs = (json.loads((path / "row.json").read_text()) for path in (folder, undisturbed[0]))
    same = ("rounds", "hand", "auto", "wrong_auto", "test_accuracy", "digest")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
    lines = [json.loads(line)["round"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == list(range(1, ours["rounds"] + 1))


def test_an_audited_trial_says_what_is_certain_and_can_be_verified(quick, tmp_path):
    audit = (
        "policy.finish=audit",
        "policy.audit.target_error=0.1",
        "policy.threshold=0.9",
        "policy.hand_fraction=0.05",
    )
    code, out, err = alearn(*quick, *audit, f"hydra.run.dir='{tmp_path}'")
    assert code == 0, err
    made, row = (json.loads((tmp_path / name).read_text()) for name in ("certificate.json", "row.json"))
    assert f"At most 30 of 300 labels are wrong, with 95 % confidence; {row['hand']:,} labels by hand" in out
    assert made["statement"] == row["certificate"]
    assert made["hand"] == {purpose: row[purpose] for purpose in ("first", "query", "audit", "rest")}
    assert row["wrong_auto"] <= 30
    page = Page(tmp_path / "report.html")
    assert made["statement"] in page.text
    (group,) = made["groups"]
    keys = ("items", "audited", "errors", "cut", "wrong_at_most")
    assert ["all", *(f"{group[key]:,}" for key in keys)] in page.rows
    assert "Hand labels in all if the audit had begun then" in page.text
    rounds = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    found = [
        (event.step, event.value) for event in read_events(tmp_path).Scalars("over_hand_labels/with_audit_expected")
    ]
    assert found == [(one["forecast_hand"], pytest.approx(one["expected_hand"], rel=1e-6)) for one in rounds]
    assert all(one["expected_hand"] > one["forecast_hand"] > 0 for one in rounds)

    assert alearn("verify", tmp_path).out.startswith(f"valid: {made['statement']}")
    labels = (tmp_path / "labels.csv").read_text()
    line = next(line for line in labels.splitlines() if ",auto," in line)
    index, name, label, *more = line.split(",")
    changed = ",".join((index, name, "b" if label == "a" else "a", *more))
    (tmp_path / "labels.csv").write_text(labels.replace(line, changed))
    code, _, err = alearn("verify", tmp_path)
    assert code == 1
    assert err.startswith("NOT VALID: ")
    assert "labels.csv" in err


def test_a_trial_waits_for_its_seed(quick, tmp_path):
    audit = ("policy.finish=audit", "policy.audit.target_error=0.1", "policy.threshold=0.9", "policy.audit.seed=wait")
    code, out, err = alearn(*quick, *audit, f"hydra.run.dir='{tmp_path}'")
    assert code != 1
    assert err == "", "nothing is wrong"
    committed = out.split("SHA-256, ")[1][:64]
    page = Page(tmp_path / "report.html")
    assert f"What it waits for: labels and plan are frozen. Publish their SHA-256, {committed}." in page.text
    assert "Waiting after round" in page.text
    frozen = (tmp_path / "frozen.csv").read_bytes()
    assert committed in alearn(f"resume={tmp_path}").out, "it still waits"
    code, _, err = alearn(f"resume={tmp_path}", "policy.audit.seed='2025_11'")
    assert (code, err) == (0, "")
    made = json.loads((tmp_path / "certificate.json").read_text())
    assert not {path.name for path in tmp_path.iterdir()} & {"failed.json", "waiting.json"}
    assert (made["seed"], made["commitment_sha256"]) == ("2025_11", committed)
    assert (tmp_path / "frozen.csv").read_bytes() == frozen
    assert alearn("verify", tmp_path).out.startswith("valid: ")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_to_go_on(undisturbed, quick, tmp_path, number, code):
    process = Apart(
        *(run_until, "here/it is/checkpoint.pt", *quick, "hydra.run.dir=here/it is"), cwd=tmp_path, env=environment()
    )
    process.until(lambda: REACHED in process.out)
    process.signal(number)
    assert process.wait() == code
    assert "Traceback" not in process.err
    line = next(line for line in process.err.splitlines() if "alearn resume=" in line)
    folder = line.partition("alearn resume=")[2].strip("'\"")
    assert read(Path(folder)), "labels so far are there"
    assert alearn(f"resume={folder}", cwd=tmp_path)[0] == 0
    assert (Path(folder) / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()


def test_resume_refuses_another_config_and_changes_nothing(undisturbed, quick):
    folder, _ = undisturbed
    before = (folder / ".hydra" / "overrides.yaml").read_text()
    for words in (
        [f"resume={folder}", "policy.threshold=0.7"],
        [f"hydra.run.dir='{folder}'", *quick, "policy.threshold=0.7"],
    ):
        code, _, err = alearn(*words)
        assert code == 1
        assert "policy.threshold: 0.5 there, 0.7 now" in err
        assert "Traceback" not in err
    assert (folder / ".hydra" / "overrides.yaml").read_text() == before


def test_a_limit_on_rounds_can_be_raised_on_resume(undisturbed, quick, tmp_path):
    folder = tmp_path / "trial"
    code, _, err = alearn(*quick, f"hydra.run.dir={folder}", "policy.max_rounds=1")
    assert code == 1
    assert "policy.max_rounds=1: the limit is reached" in err
    assert sum(line["label"] != "" for line in read(folder)) > 30
    assert alearn(f"resume={folder}", "policy.max_rounds=50")[0] == 0
    assert (folder / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()


def test_a_sweep_has_a_table_survives_a_bad_job_and_skips_what_is_done(quick, tmp_path):
    words = [
        "-m",
        *quick,
        f"hydra.sweep.dir={tmp_path}",
        "seed=0,1",
        "train.lr=0.004,1e30",
    ]
    code, out, err = alearn(*words)
    assert code == 1
    assert len(re.findall(r"job [13] failed: round 1, epoch .*the loss is nan", out)) == 2
    assert f"error: 2 of 4 jobs failed; the same command with hydra.sweep.dir={tmp_path} runs them again" in err
    assert "Traceback" not in err
    (line,) = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    measured = [json.loads(path.read_text()) for path in tmp_path.glob("*/row.json")]
    assert (line["threshold"], line["seeds"], len(measured)) == ("0.5", "2", 2)
    assert float(line["hand_mean"]) == sum(row["hand"] for row in measured) / 2
    text = (tmp_path / "table.md").read_text()
    assert "±" in text
    assert text.count("the loss is nan") == 2
    assert {"tradeoff.png", "tradeoff.svg", "report.html", "mean"} <= {path.name for path in tmp_path.iterdir()}
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/row.json")}
    code, out, _ = alearn(*words)
    assert out.count("finished already") == 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/row.json")} == times


def run_on_a_full_disk(*args):
    """Be a process that runs a command line and can write no large file: the checkpoint and the event file are."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
    run(*args)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["run", "sweep"])
def test_a_full_disk_is_one_message_and_costs_nothing(mode, undisturbed, quick, tmp_path):
    words = [*quick, f"hydra.run.dir={tmp_path}"] if mode == "run" else ["-m", *quick, f"hydra.sweep.dir={tmp_path}"]
    folder = tmp_path if mode == "run" else tmp_path / "0"
    process = Apart(run_on_a_full_disk, *words, env=environment())
    assert process.wait() == 1
    assert f"{folder}: cannot be written ([Errno 27] File too large); make room there, then resume" in process.err
    assert "Traceback" not in process.out + process.err
    assert alearn(*words)[0] == 0
    assert (folder / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()
