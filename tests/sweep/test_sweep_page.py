"""The report of a sweep: what it says about trials in every state, and that it stays readable if there are many."""

import json
import math

import pytest

from alearn.errors import AlearnError
from alearn.ledger import Ledger
from alearn.report import trial_report
from alearn.sweep import sweep_page, sweep_table
from alearn.trial import checkpoint, row, status
from tests.conftest import compose
from tests.report.html.pages import Page
from tests.report.test_trial_report import CPU

METRICS = ("hand_share", "unlabeled_share", "mislabeled_auto", "test_accuracy")


def put(folder, *words, hand=6000, wrong=54, rounds=3, state="finished"):
    """Write the folder of a trial, without running the trial."""
    folder.mkdir(parents=True)
    config = compose(*words)
    (folder / "config.yaml").write_text(config.yaml())
    auto = 60_000 - hand
    rate = None if wrong is None else wrong / auto
    rest = {"seconds_fit": 2.0, "hand": hand, "auto": auto, "wrong_auto": wrong, "wrong_if_finished": wrong}
    history = [dict.fromkeys(METRICS, 0.1 * number) | rest for number in range(1, rounds + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(metrics) + "\n" for metrics in history))
    final = {
        "hand": hand, "auto": auto, "unlabeled": 0, "first": 600, "query": hand - 600, "rest": 0, "audit": 0,
        "wrong_auto": wrong, "mislabeled_auto": rate, "mislabeled_total": None if wrong is None else wrong / 60_000,
    }  # fmt: skip
    if state == "finished":
        row.save(
            folder,
            row.build(config, row.Origin(tuple(words), 0), [m | {"test_accuracy": 0.99} for m in history], final, CPU),
        )
    elif state == "failed":
        status.fail(folder, "the <loss> is nan")


def read(folder) -> Page:
    sweep_page.write(folder)
    page = Page(folder / "report.html")
    page.assert_self_contained()
    return page


@pytest.fixture
def sweep(tmp_path):
    put(tmp_path / "0", "trial=t1", "seed=0", hand=4200, wrong=558, rounds=2)
    put(tmp_path / "1", "trial=t1", "seed=1", hand=4800, wrong=552, rounds=4)
    put(tmp_path / "2", "trial=t2", "seed=0", hand=6000, wrong=54)
    put(tmp_path / "3", "trial=t2", "seed=1", state="failed")
    put(tmp_path / "10", "trial=t4", "seed=0", state="interrupted")
    (tmp_path / "multirun.yaml").write_text("hydra: {overrides: {task: ['trial=t1,t2,t4', 'seed=0,1', \"x='a b'\"]}}")
    return tmp_path


def test_the_outcome_the_best_and_how_to_repeat_it(sweep):
    text = read(sweep).text
    assert "3 settings, 5 trials: 3 finished, 1 failed, 1 interrupted." in text
    assert "Fewest wrong labels t2 6,000 hand labels, 0.10 % of the auto labels wrong (1 seed)" in text
    assert "Fewest hand labels t1 4,500 ± 424 hand labels, 1.00 ± " in text
    assert "alearn -m trial=t1,t2,t4 seed=0,1 'x='\"'\"'a b'\"'\"''" in text
    assert CPU.describe() in text


def test_the_table_has_mean_deviation_and_the_published_value(sweep):
    page = read(sweep)
    head = next(cells for cells in page.rows if "threshold" in cells)
    lines = {cells[0]: dict(zip(head, cells, strict=True)) for cells in page.rows if len(cells) == len(head)}
    assert lines["t1"]["hand labeled"] == f"4,500 ± {300 * math.sqrt(2):.0f}publ. 4,200"
    assert lines["t1"]["rounds"] == "3 ± 1.4publ. 5"
    assert lines["t1"]["seeds"] == "2"
    assert lines["t2"]["hand labeled"] == "6,000publ. 6,000"
    assert lines["t2"]["mislabeled (of auto)"] == "0.10 %publ. 0.57 %"
    assert lines["t2"]["test accuracy"] == "99.00 %"
    assert lines["t1"]["time"] == "6.0 s"


def test_every_trial_has_a_line_and_what_went_wrong_is_said(sweep):
    (sweep / "2" / "report.html").write_text("there")
    page = read(sweep)
    trials = [cells for cells in page.rows if len(cells) == 10][1:]
    assert [(cells[0], cells[1], cells[2], cells[3]) for cells in trials] == [
        ("0", "t1", "0", "finished"),
        ("1", "t1", "1", "finished"),
        ("2", "t2", "0", "finished"),
        ("3", "t2", "1", "failed"),
        ("10", "t4", "0", "interrupted"),
    ]
    assert trials[0][4:] == ["2", "4,200", "55,800", "558", "1.00 %", "4.0 s"]
    assert trials[3][4:] == ["3", "6,000", "54,000", "54", "30.0 %", "6.0 s"], "its numbers so far"
    assert "failed 3 t2, seed 1: the <loss> is nan" in page.text
    assert f"alearn resume={sweep}/3 Resume all of them with alearn -m trial=t1,t2,t4 seed=0,1 " in page.text
    assert f" hydra.sweep.dir={sweep} " in page.text
    assert [attributes["href"] for attributes in page.all("a")] == ["2/report.html"]


def test_certificates_are_a_promise_each_and_together_another(sweep):
    assert "have a certificate" not in read(sweep).text
    for name in ("0", "1"):
        path = sweep / name / "row.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"certificate": "At most ..."}))
    text = read(sweep).text
    assert "2 trials have a certificate." in text
    assert "All of them hold at once with at least 90 % confidence" in text


def test_a_running_trial_counts_as_far_as_it_came(sweep):
    with status.lock(sweep / "10", "trial"):
        assert "3 finished, 1 failed, 1 running." in read(sweep).text


def test_trials_without_a_config_or_a_truth(tmp_path):
    (tmp_path / "1").mkdir()
    status.fail(tmp_path / "1", "no images")
    assert "1 setting, 1 trial: 1 failed." in read(tmp_path).text
    put(tmp_path / "0", wrong=None)
    text = read(tmp_path).text
    assert "2 settings, 2 trials: 1 finished, 1 failed." in text
    assert "Fewest hand labels t2 6,000 hand labels (1 seed)" in text
    assert "Fewest wrong labels" not in text
    assert "Each trial's own report has its command." in text


def test_hostile_names(tmp_path):
    folder = tmp_path / "<b>&'\" #?%"
    put(folder, "trial.name='<script>alert(1)</script>'")
    put(tmp_path / "2", "trial.name='<i>'")
    (folder / "report.html").write_text("there")
    page = read(tmp_path)
    assert "<script>alert(1)</script>" in page.text
    (link,) = page.all("a")
    assert link["href"] == "%3Cb%3E%26%27%22%20%23%3F%25/report.html"


@pytest.mark.slow
def test_two_hundred_trials_are_a_long_table_and_few_pictures(tmp_path):
    put(tmp_path / "0", "seed=0")
    found = row.load(tmp_path / "0")
    for number in range(1, 200):
        folder = tmp_path / str(number)
        folder.mkdir()
        setting = number // 2
        config = found["config"] | {"policy.threshold": 0.9 + setting / 1000, "seed": number % 2}
        row.save(folder, found | {"setting": str(setting), "config": config, "mislabeled_total": setting / 1000})
        (folder / "metrics.jsonl").write_text((tmp_path / "0" / "metrics.jsonl").read_text())
    page = read(tmp_path)
    assert "101 settings, 200 trials: 200 finished." in page.text
    assert sum(len(cells) == 10 for cells in page.rows) == 201
    assert len(page.all("svg")) <= 5
    assert "These are the 8 settings with the fewest wrong labels; 93 more are in the table." in page.text
    assert page.source.count("threshold=0.901</li>") == 4, "once in the legend of each picture"
    assert "threshold=0.95</li>" not in page.source
    assert len(page.source) < 500_000


def test_settings_are_named_by_what_tells_them_apart():
    base = {"trial.name": "t1", "policy.threshold": 0.9, "model.name": "a", "train.lr": 0.1, "seed": 0}
    assert sweep_table.names({"x": base}) == {"x": "t1"}
    assert sweep_table.names({"x": base, "y": base | {"policy.threshold": 0.5, "train.lr": 1}}) == {
        "x": "threshold=0.9",
        "y": "threshold=0.5",
    }, "one key is enough"
    assert sweep_table.names({"x": base, "y": base | {"trial.name": "t2"}, "z": base | {"model.name": "b"}}) == {
        "x": "t1, model=a",
        "y": "t2, model=a",
        "z": "t1, model=b",
    }


def test_no_trial_is_an_error(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("")
    with pytest.raises(AlearnError, match="holds no trial, and neither does a folder below it"):
        sweep_page.write(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_trials_report_is_linked_after_it_was_made(tmp_path, monkeypatch):
    put(tmp_path / "0")
    monkeypatch.setattr("alearn.data.sources.load", lambda *_: (_ for _ in ()).throw(AlearnError("none")))
    checkpoint.save(tmp_path / "0", compose().digest(), checkpoint.State(Ledger.empty(60_000)))
    trial_report.rebuild(tmp_path / "0")
    assert [attributes["href"] for attributes in read(tmp_path).all("a")] == ["0/report.html"]
