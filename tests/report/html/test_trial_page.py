"""The report of labelings that no trial made, with all kinds of data."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alearn.data.imageset import ImageSet
from alearn.ledger import Ledger, Source
from alearn.report import trial_report
from alearn.trial import measure, row
from alearn.trial.checkpoint import State
from alearn.trial.status import Status
from tests.report.html.pages import Page
from tests.report.test_trial_report import CLASSES, CPU, pool, read


def made(config, folder, images: ImageSet, ledger: Ledger, history=(), standing=(Status.FINISHED, "")) -> Page:
    """Write the report of a labeling that no trial made, and return it."""
    final = measure.labels(ledger, images.truth, None) | measure.by_class(ledger, images.truth, images.classes)
    found = row.build(config, row.UNKNOWN, list(history), final, CPU)
    trial_report.trial(folder, config.yaml(), found, State(ledger, list(history)), images, standing)
    return read(folder)


def labeled(images: ImageSet, guess: np.ndarray) -> Ledger:
    """Return ten hand labels, and auto labels for the other images as guessed, the most confident first."""
    book, total = Ledger.empty(len(images)), len(images)
    book.write(np.arange(10), np.zeros(10, np.int64), Source.FIRST, 0)
    book.doubt[10:] = np.linspace(-20, -1, total - 10)
    book.guess[10:] = guess[10:]
    book.write(np.arange(10, total), guess[10:], Source.AUTO, 1)
    return book


def test_nobody_knows_the_truth(config, tmp_path):
    images = replace(pool(50), truth=None)
    page = made(config(), tmp_path, images, labeled(images, np.ones(50, np.int64)))
    assert "50 images labeled with 10 hand labels (20.0 %); the other 40 were labeled automatically." in page.text
    shown = page.text.partition("The whole config")[0]
    assert "wrong" not in shown
    assert "mislabeled (of auto, estimated)" in shown
    assert len(page.all("img")) == 40 + 10


def test_everything_by_hand_in_no_round(config, tmp_path):
    images, book = pool(50), Ledger.empty(50)
    book.write(np.arange(40), images.truth[:40], Source.FIRST, 0)
    book.write(np.arange(40, 50), images.truth[40:], Source.REST, 0)
    page = made(config(), tmp_path, images, book)
    assert "50 images labeled with 50 hand labels (100.0 %); none was labeled automatically." in page.text
    assert len(page.all("svg")) == 1, "hand labels by round"
    assert len(page.all("img")) == 48


def test_nothing_labeled_at_all(config, tmp_path):
    page = made(config(), tmp_path, pool(50), Ledger.empty(50), standing=(Status.INTERRUPTED, ""))
    assert "Interrupted before its first round was over: 0 hand labels" in page.text
    assert not page.all("svg") + page.all("img")


@pytest.mark.parametrize("wrong", [0, 1])
def test_grammar_of_few_mistakes_and_a_class_that_is_missing(config, tmp_path, wrong):
    images = replace(pool(50), truth=np.zeros(50, np.int64))
    guess = np.zeros(50, np.int64)
    guess[20 : 20 + wrong] = 1
    page = made(config(), tmp_path, images, labeled(images, guess))
    expected = ("none of the 40 auto labels is wrong.", "1 of the 40 auto labels is wrong (2.50 %).")
    assert expected[wrong] in page.text
    assert [CLASSES[2], "0", "", "0", "0", "0", "0", "0", "0", "-"] in page.rows


def test_a_change_of_trust_is_told_with_its_round(config, tmp_path):
    images = pool(50)
    book = labeled(images, np.zeros(50, np.int64))
    counts = measure.labels(book, images.truth, 1) | {"test_accuracy": None, "val_accuracy": None}
    trust = [(0.95, 5, 1), (1.0, 9, 5), (1.0, 14, 5), (0.975, 20, 5)]
    history = [
        counts | {"round": number, "trusted_threshold": threshold, "checked": answers, "wrong_checked": wrong}
        for number, (threshold, answers, wrong) in enumerate(trust, 1)
    ]
    page = made(config("policy=frugal"), tmp_path, images, book, history)
    assert (
        "Round 2: 5 of the last 9 checked auto labels were wrong: no auto labels until later checks are better"
        in page.text
    )
    assert "Round 4: 5 of the last 20 checked auto labels were wrong: only predictions above 0.975" in page.text
    assert "Round 1:" not in page.text
    assert "Round 3:" not in page.text


def test_mislabels_by_true_class(config, tmp_path):
    images, guess = pool(50), np.zeros(50, np.int64)
    images = replace(images, truth=np.repeat([0, 1, 2], [30, 20, 0]))
    page = made(config(), tmp_path, images, labeled(images, guess))
    assert "Mislabeled, by true class" in page.text
    first, second = [cells for cells in page.rows if len(cells) == 6]
    assert first[:5] == [CLASSES[0], "30", "10", "0", "0 %"]
    assert second[:5] == [CLASSES[1], "20", "0", "20", "100.0 %"]
    assert page.source.count("width: 100.00%; background: var(--wrong)") == 1
    assert f"Warning: no hand label yet of classes {CLASSES[1]}, {CLASSES[2]}: the model cannot know them" in page.text


def test_the_published_row_stands_beside_the_same_settings(config, tmp_path):
    images = pool(50)
    page = made(config("trial=t1"), tmp_path, images, labeled(images, images.truth))
    for name, value in (("hand labeled 10", "4,200"), ("mislabeled (of auto) 0 %", "1.93 %"), ("rounds 0", "5")):
        assert f"{name} published: {value}" in page.text


def test_colours_and_many_classes(config, tmp_path):
    random, total = np.random.default_rng(0), 600
    images = ImageSet(
        torch.from_numpy(random.integers(0, 256, (total, 3, 80, 40), np.uint8)),
        tuple(map(str, range(total))),
        tuple(f"class {i}" for i in range(200)),
        np.arange(total) % 200,
    )
    guess = images.truth.copy()
    guess[[207, 407, 30]] = [3, 3, 5]  # class 7 is labeled 3 twice, class 30 is labeled 5 once
    page = made(config(), tmp_path, images, labeled(images, guess))
    assert "20 of 200 classes: those with the most wrong labels" in page.text
    assert "The table has the 20 worst of 200 classes." in page.text
    worst = [cells for cells in page.rows if len(cells) == 6]
    assert [cells[:5] for cells in worst[:2]] == [
        ["class 7", "3", "1", "2", "66.7 %"],
        ["class 30", "3", "0", "1", "33.3 %"],
    ]
    assert len(worst) == 20
    assert [(cells[0], cells[8]) for cells in page.rows if len(cells) == 10][:2] == [("class 3", "2"), ("class 5", "1")]
    mistakes = [cells for cells in page.rows if len(cells) == 3 and cells[0].startswith("class ")]
    assert mistakes == [["class 7", "class 3", "2"], ["class 30", "class 5", "1"]]
    assert all(image["src"].startswith("data:image/jpeg") for image in page.all("img"))
    assert len(page.source) < 1_000_000
