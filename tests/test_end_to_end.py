"""The command as a user types it, from end to end. Where the process itself is the subject it has one of its own."""

import csv
import json
import os
import random
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from alearn.config.presets import CONF
from alearn.data.standard import mnist
from alearn.report.html.page import TEMPLATES
from alearn.trial.row import command
from tests.command import ROOT, alearn, start
from tests.report.html.pages import Page
from tests.report.tensorboard.conftest import read as read_events

QUICK = (
    "trial=t2", "data.limit=800", "model=small_cnn", "model.width=4", "train.steps=60", "train.batch=32",
    "policy.threshold=0.6", "policy.init_fraction=0.1", "policy.hand_fraction=0.1", "device=cpu",
)  # fmt: skip
"""A trial of seconds that labels wrongly, rightly and by hand."""


def read(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, mnist_root) -> tuple[Path, str]:
    """A finished trial's folder and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "trial one"
    code, out, err = alearn(*QUICK, f"data.root='{mnist_root}'", f"hydra.run.dir='{folder}'")
    assert code == 0, err
    return folder, out


def test_a_trial_leaves_everything_that_is_promised(undisturbed, mnist_root):
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
    pool, _ = mnist(mnist_root)
    assert [int(line["index"]) for line in labels] == list(range(800))
    truth = [str(pool.truth[int(line["id"])]) for line in labels]
    auto = [(line["label"], true) for line, true in zip(labels, truth, strict=True) if line["source"] == "auto"]
    by_hand = [(line["label"], true) for line, true in zip(labels, truth, strict=True) if line["source"] == "hand"]
    assert len(auto) == row["auto"] > 0
    assert len(by_hand) == row["hand"] == row["first"] + row["query"] + row["rest"]
    assert row["first"] == 80
    assert all(label == true for label, true in by_hand)
    wrong = sum(label != true for label, true in auto)
    assert row["wrong_auto"] == wrong > 0
    assert row["mislabeled_auto"] == pytest.approx(wrong / len(auto))
    assert row["mislabeled_total"] == pytest.approx(wrong / 800)
    assert all(0.6 < float(line["confidence"]) <= 1 for line in labels if line["source"] == "auto")
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
    assert "published" not in out, "800 images are not the published experiment"


def test_a_finished_trial_is_not_run_again(undisturbed, mnist_root):
    folder, _ = undisturbed
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".log"}
    for words in ([f"resume={folder}"], [*QUICK, f"data.root='{mnist_root}'", f"hydra.run.dir='{folder}'"]):
        code, out, _ = alearn(*words)
        assert code == 0
        assert "finished already" in out
    assert {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".log"
    } == before


def test_killed_at_random_moments_and_resumed_it_ends_with_the_same_labels(undisturbed, mnist_root, tmp_path):
    folder, random_ = tmp_path / "trial", random.Random(int.from_bytes(os.urandom(4), "big"))
    words, kills = [*QUICK, f"data.root='{mnist_root}'", f"hydra.run.dir={folder}"], 0
    while True:
        process = start(*words)
        deadline = time.monotonic() + 240
        while not (folder / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if kills < 3:
            time.sleep(random_.uniform(0, 1.5))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
        process.communicate()
        if process.returncode == 0:
            break
        words = [f"resume={folder}"]
    assert (folder / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()
    ours, theirs = (json.loads((path / "row.json").read_text()) for path in (folder, undisturbed[0]))
    same = ("rounds", "hand", "auto", "wrong_auto", "test_accuracy", "digest")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
    lines = [json.loads(line)["round"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == list(range(1, ours["rounds"] + 1))


def test_an_audited_trial_says_what_is_certain_and_can_be_verified(mnist_root, tmp_path):
    audit = (
        "policy.finish=audit",
        "policy.audit.target_error=0.1",
        "policy.threshold=0.9",
        "policy.hand_fraction=0.05",
    )
    code, out, err = alearn(*QUICK, *audit, f"data.root='{mnist_root}'", f"hydra.run.dir='{tmp_path}'")
    assert code == 0, err
    made, row = (json.loads((tmp_path / name).read_text()) for name in ("certificate.json", "row.json"))
    assert f"At most 80 of 800 labels are wrong, with 95 % confidence; {row['hand']:,} labels by hand" in out
    assert made["statement"] == row["certificate"]
    assert made["hand"] == {purpose: row[purpose] for purpose in ("first", "query", "audit", "rest")}
    assert row["wrong_auto"] <= 80
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
    changed = ",".join((index, name, str((int(label) + 1) % 10), *more))
    (tmp_path / "labels.csv").write_text(labels.replace(line, changed))
    code, _, err = alearn("verify", tmp_path)
    assert code == 1
    assert err.startswith("NOT VALID: ")
    assert "labels.csv" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_to_go_on(undisturbed, mnist_root, tmp_path, number, code):
    for attempt in map(str, range(5)):
        here = tmp_path / attempt
        here.mkdir()
        process = start(*QUICK, f"data.root='{mnist_root}'", "hydra.run.dir=here/it is", cwd=here)
        assert process.stdout is not None
        while "round" not in process.stdout.readline():  # the heading, with the first round's line
            assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        if not (here / "here/it is/row.json").exists():
            break  # otherwise it was done before it heard of it
    assert process.returncode == code
    assert "Traceback" not in err
    line = next(line for line in err.splitlines() if "alearn resume=" in line)
    folder = line.partition("alearn resume=")[2].strip("'\"")
    assert read(Path(folder)), "labels so far are there"
    assert alearn(f"resume={folder}", cwd=here)[0] == 0
    assert (Path(folder) / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()


def test_resume_refuses_another_config_and_changes_nothing(undisturbed):
    folder, _ = undisturbed
    before = (folder / ".hydra" / "overrides.yaml").read_text()
    for words in (
        [f"resume={folder}", "policy.threshold=0.7"],
        [f"hydra.run.dir='{folder}'", *QUICK, "policy.threshold=0.7"],
    ):
        code, _, err = alearn(*words)
        assert code == 1
        assert "policy.threshold: 0.6 there, 0.7 now" in err
        assert "Traceback" not in err
    assert (folder / ".hydra" / "overrides.yaml").read_text() == before


def test_a_limit_on_rounds_can_be_raised_on_resume(undisturbed, mnist_root, tmp_path):
    folder = tmp_path / "trial"
    code, _, err = alearn(*QUICK, f"data.root='{mnist_root}'", f"hydra.run.dir={folder}", "policy.max_rounds=1")
    assert code == 1
    assert "policy.max_rounds=1: the limit is reached" in err
    assert sum(line["label"] != "" for line in read(folder)) > 80
    assert alearn(f"resume={folder}", "policy.max_rounds=50")[0] == 0
    assert (folder / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()


def test_a_sweep_has_a_table_survives_a_bad_job_and_skips_what_is_done(mnist_root, tmp_path):
    words = [
        "-m",
        *QUICK,
        f"data.root='{mnist_root}'",
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
    assert (line["threshold"], line["seeds"], len(measured)) == ("0.6", "2", 2)
    assert float(line["hand_mean"]) == sum(row["hand"] for row in measured) / 2
    text = (tmp_path / "table.md").read_text()
    assert "±" in text
    assert text.count("the loss is nan") == 2
    assert {"tradeoff.png", "tradeoff.svg", "report.html", "mean"} <= {path.name for path in tmp_path.iterdir()}
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/row.json")}
    code, out, _ = alearn(*words)
    assert out.count("finished already") == 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/row.json")} == times


@pytest.mark.parametrize("mode", ["run", "sweep"])
def test_a_full_disk_is_one_message_and_costs_nothing(mode, undisturbed, mnist_root, tmp_path):
    def full() -> None:  # no file may be larger: the checkpoint and the event file are
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))

    words = [*QUICK, f"data.root='{mnist_root}'"]
    words = [*words, f"hydra.run.dir={tmp_path}"] if mode == "run" else ["-m", *words, f"hydra.sweep.dir={tmp_path}"]
    folder = tmp_path if mode == "run" else tmp_path / "0"
    process = start(*words, preexec_fn=full)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"{folder}: cannot be written ([Errno 27] File too large); make room there, then resume" in err
    assert "Traceback" not in out + err
    assert alearn(*words)[0] == 0
    assert (folder / "labels.csv").read_bytes() == (undisturbed[0] / "labels.csv").read_bytes()


FILE_IN_THE_WAY = "hydra.run.dir=/dev/null/x"
BAD = {
    "policy.treshold=0.9": "policy.treshold: there is no such key; did you mean policy.threshold?",
    "+policy.more=1": "policy.more: there is no such key",
    "trial=t9": "Could not find 'trial/t9'",
    "policy.threshold=1.5": "policy.threshold=1.5: must be less than or equal to 1",
    "policy.threshold=0": "policy.threshold=0: must be greater than 0",
    "policy.hand_fraction=-0.1": "policy.hand_fraction=-0.1: must be greater than 0",
    "policy.hand_fraction=0.000001": "policy.hand_fraction=1e-06: is less than one of the 60000 images",
    "policy.init_fraction=[1": "no viable alternative at input",
    "seed=one": "seed=one: must be a valid integer",
    "resume=/nowhere/at/all": "resume=/nowhere/at/all: there is no such folder",
    "resume=/tmp": "that folder holds no trial",
    FILE_IN_THE_WAY: "/dev/null/x: this output folder cannot be written",
    "-m policy.threshold=0.9,2,3": "job 1 (policy.threshold=2): policy.threshold=2: must be less than or equal to 1",
    "-m policy.treshold=0.9,1": "policy.treshold: there is no such key; did you mean policy.threshold?",
    "policy.query=margin policy.query.pool=2": "policy.query: is policy.query.strategy now",
    "-m policy.audit_scope=class,auto seed=1,2": "error: policy.audit_scope: is policy.audit.scope now\n",
    "trial=margin": "error: trial=margin: is policy=margin now\n",
    "-m trial=t1,ablation/longer": "error: trial=ablation/longer: is policy=ablation/longer now\n",
    "-m hydra.sweep.dir=/dev/null/x": "/dev/null/x: this output folder cannot be written",
    "-m experiment=search policy.threshold=interval(0.5,1.5)": "policy.threshold=1.5: must be less than or equal to 1",
    "model=torchvision model.name=resnet81": "model.name=resnet81: torchvision has no classification network of",
    "model=small_cnn model.name=vgg11": "model.name=vgg11: must be one of auto, resnet, small_cnn, source_cnn",
    "data=folder": "data.root=???: there is no such folder; give the folder of your images",
    "data=folder data.root=/nowhere": "data.root=/nowhere: there is no such folder; give the folder of your images",
    "-m data.imbalance.factor=10,0.1": "data.imbalance.factor=0.1: must be greater than or equal to 1",
    "experiment=mnist_trials": "this experiment is a sweep: run it with -m, or set seed and trial for one trial of it",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_one_message_before_anything_starts(words, tmp_path):
    code, out, err = alearn(*words.split(), cwd=tmp_path)
    assert code == 1
    assert BAD[words] in err
    assert err.startswith("error: ")
    assert "Traceback" not in out + err
    assert "round" not in out
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_damaged_data_and_a_missing_gpu_are_one_message(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images", "t10k-images"):
        (raw / f"{name}-idx3-ubyte").write_bytes(b"damaged")
    for name in ("train-labels", "t10k-labels"):
        (raw / f"{name}-idx1-ubyte").write_bytes(b"damaged")
    code, _, err = alearn(f"data.root={tmp_path}", f"hydra.run.dir={tmp_path / 'out'}")
    assert code == 1
    assert "train-images-idx3-ubyte is damaged" in err
    assert "Traceback" not in err


ON_MNIST = [path for path in sorted((CONF / "experiment").glob("*.yaml")) if "override /data" not in path.read_text()]


@pytest.mark.parametrize("path", ON_MNIST, ids=lambda path: path.stem)
def test_every_experiment_runs_in_small(path, mnist_root, tmp_path):
    words = [word for word in QUICK if not word.startswith(("policy.", "trial="))]
    small = [
        "policy.init_fraction=0.2",
        "policy.stop_fraction=0.79",
        "seed=0",
        "train.steps=10",
    ]
    small += ["policy.audit.target_error=0.1,0.12,0.14,0.16"] * ("target_error" in path.read_text())
    few = "policy=frugal,ablation/without_memory,ablation/frozen_auto_labels,ablation/typical_first"
    small += [few] * (path.stem == "ablation")  # that the other rows are valid is tested without running them
    small += ["hydra.sweeper.n_trials=4"] * ("n_trials" in path.read_text())
    code, _, err = alearn(
        "-m", f"experiment={path.stem}", *words, *small, f"data.root='{mnist_root}'", f"hydra.sweep.dir={tmp_path}"
    )
    assert code == 0, err
    assert (tmp_path / "table.md").read_text().count("\n") >= 2 + 4

    labels, row = (tmp_path / "0" / "labels.csv").read_bytes(), json.loads((tmp_path / "0" / "row.json").read_text())
    (tmp_path / "0" / "row.json").unlink()
    code, _, err = alearn(f"resume={tmp_path / '0'}")
    assert code == 0, err
    again = json.loads((tmp_path / "0" / "row.json").read_text())
    assert again["digest"] == row["digest"], "a job of a sweep goes on by itself with a thread, too"
    code, _, err = alearn(*shlex.split(command(row))[1:], f"hydra.run.dir={tmp_path / 'again'}")
    assert code == 0, err
    assert (tmp_path / "again" / "labels.csv").read_bytes() == labels


def test_the_wheel_carries_the_configs_and_works_from_any_folder(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    for module, words, part in (
        ("alearn", ["trial=t2", "--cfg", "job"], "init_fraction: 0.05"),
        ("alearn", ["table", "--help"], "usage: alearn table"),
        ("alearn.audit.verify", ["nowhere"], "NOT VALID"),
        ("alearn", ["--info", "plugins"], "OptunaSweeper"),
    ):
        code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); sys.argv = ['alearn', *{words!r}]; "
        code += f"runpy.run_module({module!r}, run_name='__main__')"
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert part in done.stdout + done.stderr
    names = zipfile.ZipFile(wheel).namelist()
    assert [n for n in names if n.startswith("hydra_plugins/")] == ["hydra_plugins/alearn_search.py"], "a namespace"
    assert {str(path.relative_to(ROOT)) for path in CONF.rglob("*.yaml")} == {
        n[7:] for n in names if n.startswith("alearn/conf/")
    }
    assert {f"alearn/report/html/templates/{path.name}" for path in TEMPLATES.iterdir()} <= set(names)
