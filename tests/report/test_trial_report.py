"""The report of a trial: as run() writes it, and as `alearn report` writes it from the files of a folder."""

import base64
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.data import sources
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.journal import Finished, Round
from alearn.learn.device import Runtime
from alearn.report import trial_report
from alearn.report.html import trial_page
from alearn.report.html.page import percent
from alearn.report.reporters import run_shown as run
from alearn.trial import checkpoint, measure, row, status
from tests.command import alearn
from tests.conftest import SMALL, compose, setting, shapes
from tests.report.html.pages import Page

CLASSES = ("<script>alert(1)</script>", "\"a\" & 'b'", "$x^2$ 日本")
WORDS = (*SMALL, "train.steps=30", "policy.threshold=0.6", "policy.init_fraction=0.05", "policy.hand_fraction=0.05")
CPU = Runtime(torch.device("cpu"), bf16=False)


def pool(total: int = 400, seed: int = 0) -> ImageSet:
    """Return shapes whose names are dangerous in a page."""
    images, random = shapes(total, seed), np.random.default_rng(seed)
    truth = np.where(
        random.random(total) < 0.15, random.integers(3, size=total), images.truth
    )  # some labels will be wrong
    ids = tuple(f"<img src=x onerror='alert({i})'>/{i}.png" for i in range(total))
    return replace(images, ids=ids, classes=CLASSES, truth=truth)


@pytest.fixture
def data(monkeypatch) -> ImageSet:
    monkeypatch.setattr(sources, "load", lambda data, seed, extractor=None: (pool(), pool(60, 1)))
    return pool()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run a trial to its end, and return its folder."""
    folder = tmp_path_factory.mktemp("finished") / "it is here"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "load", lambda data, seed, extractor=None: (pool(), pool(60, 1)))
        run(compose(*WORDS), folder, row.Origin(("trial.name='a b'", "seed=0")))
    return folder


def read(folder) -> Page:
    page = Page(folder / "report.html")
    page.assert_self_contained()
    return page


def lines(folder) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))


@pytest.mark.slow
def test_the_outcome_is_a_sentence_and_the_numbers_are_the_rows(finished):
    page, found = read(finished), row.load(finished)
    assert found["wrong_auto"] > 1, "this trial must have wrong labels"
    assert (
        f"400 images labeled with {found['hand']} hand labels ({percent(found['hand'] / 400)}); "
        f"{found['wrong_auto']} of the {found['auto']} auto labels are wrong ({percent(found['mislabeled_auto'])})."
    ) in page.text
    assert f"test accuracy {found['test_accuracy']:.2%}".replace("%", " %") in page.text
    assert f"rounds {found['rounds']}" in page.text
    assert "finished" in page.text
    assert found["hardware"] in page.text
    assert f"torch {found['versions']['torch']}" in page.text
    assert "alearn 'trial.name='\"'\"'a b'\"'\"'' seed=0" in page.text, "a command to paste into a shell"
    assert "init_fraction: 0.05" in page.text, "the config"
    assert "resume=" not in page.text
    assert "published" not in page.text.partition("The whole config")[0], (
        "this trial has other settings than the published ones"
    )


def test_tables_say_where_labels_went_and_what_was_taken_for_what(finished, data):
    page, labels = read(finished), lines(finished)
    rows = {cells[0]: cells for cells in page.rows if len(cells) == 10}
    truth = {line["index"]: CLASSES[data.truth[int(line["index"])]] for line in labels}
    for name in CLASSES:
        ours = [line for line in labels if line["label"] == name]
        auto = [line for line in ours if line["source"] == "auto"]
        wrong = sum(truth[line["index"]] != name for line in auto)
        purposes = [sum(line["purpose"] == purpose for line in ours) for purpose in ("first", "query", "audit", "rest")]
        numbers = [sum(purposes), "", *purposes, len(auto), wrong, percent(wrong / len(auto))]
        assert rows[name] == [name, *map(str, numbers)]
        matrix = next(cells for cells in page.rows if len(cells) == 4 and cells[0] == name)
        assert [int(cell) for cell in matrix[1:]] == [
            sum(truth[line["index"]] == name and line["label"] == other for line in labels if line["source"] == "auto")
            for other in CLASSES
        ]


def test_pictures_are_the_ones_they_are_said_to_be(finished, data):
    page, labels, found = read(finished), lines(finished), row.load(finished)
    images = page.all("img")
    wrong = min(found["wrong_auto"], trial_page.PICTURES)
    assert len(images) == wrong + 2 * trial_page.PICTURES
    by_id = {line["id"]: line for line in labels}
    for number, image in enumerate(images):
        name = next(name for name in data.ids if image["alt"].startswith(f"{name}: "))
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].partition("base64,")[2]))))
        index = int(by_id[name]["index"])
        np.testing.assert_array_equal(pixels, data.images[index, 0].numpy())
        assert f": {by_id[name]['label']}" in image["alt"]
        assert by_id[name]["source"] == ("auto" if number < wrong + trial_page.PICTURES else "hand")
        if number < wrong:
            assert f", is {CLASSES[data.truth[index]]}, " in image["alt"]
    ledger = checkpoint.load(finished, compose(*WORDS).digest(), 400).ledger
    shown = [data.ids.index(image["alt"].partition(": ")[0]) for image in images]
    assert shown[:wrong] == measure.wrong(ledger, data.truth)[:wrong].tolist()
    doubts = ledger.doubt[shown[wrong : wrong + trial_page.PICTURES]]
    assert (np.diff(doubts) <= 0).all()
    assert doubts[0] == ledger.doubt[ledger.auto].max()
    assert shown[-trial_page.PICTURES] == np.where(ledger.hand, ledger.order, -1).argmax(), (
        "the last one asked comes first"
    )


def test_it_can_be_made_again_from_the_folder(finished, data, tmp_path):
    before = read(finished).source
    trial_report.rebuild(finished)
    written = before.index("<footer>")
    assert read(finished).source[:written] == before[:written]


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [0, 2])
def test_an_interrupted_trial_says_how_to_go_on_and_finishes_its_report(data, monkeypatch, tmp_path, rounds):
    config, folder = compose(*WORDS), tmp_path / "it's here"
    save = checkpoint.save
    score = measure.score

    def stop(folder, digest, state):
        save(folder, digest, state)
        if state.ledger.rounds == rounds:
            raise KeyboardInterrupt

    if rounds:
        monkeypatch.setattr(checkpoint, "save", stop)
    else:
        monkeypatch.setattr(measure, "score", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(config, folder)
    text = read(folder).text
    assert (
        f"Interrupted after round {rounds}: " in text
        if rounds
        else "Interrupted before its first round was over" in text
    )
    command = f"alearn resume='{tmp_path}/it'\"'\"'s here'"
    assert command in text
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    if rounds:
        last = metrics[-1]
        assert f"{last['hand']} hand labels and {last['auto']} auto labels so far, {last['unlabeled']} images" in text
        trial_report.rebuild(folder)
        assert read(folder).text.split("How to repeat it")[0].replace(row.versions()["torch"], "") in text
    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr(measure, "score", score)
    run(config, folder)
    assert "400 images labeled with" in read(folder).text


def test_a_failed_trial_gives_its_reason(data, tmp_path):
    with pytest.raises(AlearnError) as error:
        run(compose(*WORDS, "policy.max_rounds=1", "policy.threshold=1"), tmp_path)
    for _ in range(2):
        text = read(tmp_path).text
        assert "Failed after round 1: " in text
        assert f"Why it failed: {error.value}" in text
        trial_report.rebuild(tmp_path)


def test_a_bug_is_a_reason_too(data, monkeypatch, tmp_path):
    def broken(*args):
        raise ZeroDivisionError("<b>nothing</b>")

    monkeypatch.setattr(measure, "of_round", broken)
    with pytest.raises(ZeroDivisionError):
        run(compose(*WORDS), tmp_path)
    assert "Why it failed: ZeroDivisionError: <b>nothing</b>" in read(tmp_path).text


def test_a_running_trial_is_reported_now_and_then(finished, data, monkeypatch, tmp_path):
    config, clock, seen = compose(*WORDS), iter([0, 0, 59, 61, 61, 100]), []
    state = checkpoint.load(finished, config.digest(), 400)
    monkeypatch.setattr(trial_report, "monotonic", lambda: next(clock))
    reporter = trial_report.Report(setting(tmp_path, config, data, state))
    for number in (1, 2, 3):
        reporter.committed(Round(number, state.ledger, None, None, None, {}, state.history[-1]))
        seen.append((tmp_path / "report.html").stat().st_mtime_ns)
    assert seen[0] == seen[1] < seen[2], "a second report is not written within a minute"
    text = read(tmp_path).text
    assert f"Round {len(state.history) + 1} is under way: " in text
    assert "Reload it" in text
    reporter.committed(Finished(state.ledger, {}, row.load(finished)))
    reporter.close()
    assert "400 images labeled" in read(tmp_path).text, "closing does not overwrite the report of the finished trial"


def test_the_folder_of_a_running_trial(finished, data, tmp_path):
    for name in ("config.yaml", "checkpoint.pt", "metrics.jsonl"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    with status.lock(tmp_path, "trial"):
        trial_report.rebuild(tmp_path)
    assert f"Round {row.load(finished)['rounds'] + 1} is under way" in read(tmp_path).text


def test_without_the_images_or_the_checkpoint_the_rest_is_there(finished, monkeypatch, tmp_path):
    def gone(data, seed, extractor=None):
        raise AlearnError("the disk is <gone>")

    monkeypatch.setattr(sources, "load", gone)
    for name in ("config.yaml", "checkpoint.pt", "metrics.jsonl", "row.json"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    trial_report.rebuild(tmp_path)
    page, found = read(tmp_path), row.load(finished)
    assert "The images cannot be loaded (the disk is <gone>)" in page.text
    assert not page.all("img")
    assert f"{found['wrong_auto']} of the {found['auto']} auto labels are wrong" in page.text, (
        "the row has these numbers"
    )
    assert sum(len(cells) == 8 for cells in page.rows) == 3, "the lines of classes have no wrong labels"
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    (tmp_path / "row.json").unlink()
    for _ in range(2):
        trial_report.rebuild(tmp_path)
        page = read(tmp_path)
        assert "checkpoint.pt cannot be read" in page.text
        assert f"Interrupted after round {found['rounds']}" in page.text
        assert len(page.all("svg")) == 5, "the rounds are in metrics.jsonl"
        assert not page.all("img")
        monkeypatch.setattr(
            sources, "load", lambda data, seed, extractor=None: (pool(), pool())
        )  # the checkpoint is still damaged


def test_the_command(finished, data):
    code, out, _ = alearn("report", finished, finished.parent)
    assert (code, out) == (0, f"{finished}/report.html\n{finished.parent}/report.html\n")
    assert f"400 images labeled with {row.load(finished)['hand']} hand labels" in read(finished).text
    assert "1 setting, 1 trial: 1 finished." in read(finished.parent).text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no trial"),
        ("a: [", "/config.yaml cannot be read (ParserError)"),
        ("- a", "/config.yaml holds no config"),
        ("a: 1", "a: there is no such key"),
    ],
)
def test_a_folder_without_a_trial_is_one_message(tmp_path, content, message):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    code, _, err = alearn("report", tmp_path)
    assert code == 1
    assert err.startswith(f"error: {tmp_path}")
    assert message in err
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_is_not_there_and_a_disk_that_is_full(finished, tmp_path, monkeypatch):
    none = tmp_path / "none"
    assert alearn("report", none) == (1, "", f"error: {none}: there is no such folder\n")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trial_report, "rebuild", full)
    message = f"error: {finished}: cannot be written (No space left on device)\n"
    assert alearn("report", finished) == (1, "", message)
