"""Follow the tutorial like a new user: from a folder of photos, with a person in a real browser, to labels.

If the environment variable ALEARN_SCREENSHOTS names a folder, the pictures of the tutorial are saved there.
"""

import csv
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alearn.data import example_files
from tests.chromium import CHROMIUM, NEEDS_CHROMIUM
from tests.command import alearn, start
from tests.waiting import LIMIT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [*NEEDS_CHROMIUM, pytest.mark.slow]
SMALL = (
    "train=frugal",
    "train.steps=25",
    "train.batch=64",
    "train.consistency_batch=32",
    "policy.views=0",
    "precision=fp32",
    "device=cpu",
    "model.small.width=8",
    "threads=1",
)


def truth_of(photos: Path) -> dict[str, str]:
    with example_files.truth_file(photos).open(newline="") as file:
        truth = {line["path"]: line["label"] for line in csv.DictReader(file)}
    return truth | {
        "IMG_0001 copy.png": truth["IMG_0001.png"]
    }  # people see only the first of two equal images in sorted order


class Trial:
    """`alearn data=folder oracle=web` in its own process."""

    def __init__(self, photos: Path, folder: Path, *overrides: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.overrides = [
            *("data=folder", f"data.root={photos}", f"data.cache={folder.parent / 'cache'}", "oracle=web", *SMALL),
            *(f"oracle.port={self.port}", f"hydra.run.dir={folder}", *overrides),
        ]
        self.start()

    def start(self, *overrides: str) -> None:
        self.process = start(*(overrides or self.overrides))

    def stop(self) -> None:
        self.process.kill()

    def wait(self) -> int:
        return self.process.wait()


@pytest.fixture
def started() -> Iterator[Callable[..., Trial]]:
    """A function that starts trials. Those that still run at the end are killed."""
    trials: list[Trial] = []

    def start(*overrides: Any) -> Trial:
        trials.append(Trial(*overrides))
        return trials[-1]

    yield start
    for trial in trials:
        trial.stop()


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def opened(browser: Any, trial: Trial, name: str, **settings: Any) -> Any:
    context = browser.new_context(**({"viewport": {"width": 1200, "height": 800}} | settings))
    page = context.new_page()
    page.set_default_timeout(LIMIT * 1000)
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            page.goto(f"http://127.0.0.1:{trial.port}")
            break
        except playwright.Error:
            assert time.monotonic() < deadline, str(trial.process)
            assert trial.process.code is None, str(trial.process)
            time.sleep(0.2)
    page.locator("input[name=who]").fill(name)
    page.locator("input[name=who]").press("Enter")
    return page


def picture(page: Any, name: str) -> None:
    folder = os.environ.get("ALEARN_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(300)
        page.screenshot(path=Path(folder) / f"{name}.png")


NOW = """() => ({
  state: document.body.dataset.state,
  busy: "busy" in document.body.dataset,
  ids: [...document.querySelectorAll("img[data-id]")].map(image => image.dataset.id),
  classes: [...document.querySelectorAll("button[data-class]")].map(button => button.dataset.class),
})"""


def until(page: Any, true: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until a condition of the page is true. (Playwright's own method needs `eval`, which the page forbids.)"""
    deadline = time.monotonic() + LIMIT
    while not true(now := page.evaluate(NOW)):
        assert time.monotonic() < deadline, now
        page.wait_for_timeout(30)


def answer(
    page: Any, trial: Trial, truth: dict[str, str], most: int = 10**6, working: Callable[[], None] | None = None
) -> list[str]:
    """Answer the shown images one by one with the true class, add missing classes, and return the ids.

    most: the most images to answer. working: is called once, while the model trains.
    """
    answered: list[str] = []
    deadline = time.monotonic() + LIMIT
    while len(answered) < most:
        now = page.evaluate(NOW)
        if now["state"] == "done" or trial.process.code is not None:
            return answered
        assert time.monotonic() < deadline, (now, str(trial.process))
        if now["state"] == "working" and working is not None:
            working, _ = None, working()
        if now["state"] != "ask" or now["busy"] or len(now["ids"]) != 1:
            page.wait_for_timeout(30)
            continue
        (image,) = now["ids"]
        label = truth[image]
        if label in now["classes"]:
            page.locator(f'button[data-class="{label}"]').click()
        else:
            page.keyboard.press("/")
            page.keyboard.type(label)
            page.keyboard.press("Enter")
        until(page, lambda now, image=image: not now["busy"] and (now["state"] != "ask" or now["ids"] != [image]))
        answered.append(image)
        deadline = time.monotonic() + LIMIT
    return answered


def labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def photos(tmp_path_factory, mnist_root) -> Path:
    """Return a folder of 120 digits and of what else real folders contain: a damaged file, an empty file, a copy and a
    text file.
    """
    folder = tmp_path_factory.mktemp("user") / "photos"
    example_files.write(folder, "mnist", mnist_root, images=120)
    image = (folder / "IMG_0001.png").read_bytes()
    (folder / "IMG_0121.png").write_bytes(image[: len(image) // 2])
    (folder / "IMG_0122.png").touch()
    (folder / "IMG_0001 copy.png").write_bytes(image)
    (folder / "notes.txt").write_text("This is no image.")
    return folder


def test_from_a_folder_of_photos_to_labels(photos, tmp_path, browser, started):
    """One person labels with her own classes. The trial is killed with SIGKILL and resumed, and its labels exported."""
    truth, folder = truth_of(photos), tmp_path / "trial"
    trial = started(photos, folder, "policy.hand_budget=40")
    page = opened(browser, trial, "Ada")
    first = answer(page, trial, truth, most=9)
    picture(page, "label-one")
    page.keyboard.press("+")
    until(page, lambda now: len(now["ids"]) > 4)
    picture(page, "label-grid")
    page.keyboard.press("+")
    until(page, lambda now: len(now["ids"]) == 1)
    phone = opened(browser, trial, "Bob", viewport={"width": 390, "height": 780}, is_mobile=True, has_touch=True)
    until(phone, lambda now: len(now["ids"]) == 1)
    picture(phone, "label-phone")
    phone.close()
    first += answer(page, trial, truth, most=2)
    trial.stop()
    until(page, lambda now: now["state"] == "away")
    trial.start(f"resume={folder}")
    until(page, lambda now: now["state"] == "ask")
    rest = answer(page, trial, truth, working=lambda: picture(page, "label-waiting"))
    assert trial.wait() == 0, str(trial.process)
    until(page, lambda now: now["state"] == "done")

    lines = labels(folder)
    asked = [line["id"] for line in lines if line["source"] == "hand"]
    assert sorted([*first, *rest]) == sorted(asked), "no image was asked twice, and no answer is lost"
    assert len(set(asked)) == len(asked)
    assert all(line["label"] == truth[line["id"]] for line in lines if line["source"] == "hand")
    auto = [line for line in lines if line["source"] == "auto"]
    wrong = sum(line["label"] != truth[line["id"]] for line in auto)
    assert len(auto) + len(asked) == len(lines)
    assert wrong <= 0.5 * len(auto), "the model has learned something: random guesses would be wrong nine times in ten"

    with (folder / "skipped.csv").open(newline="") as file:
        skipped = {line["path"]: line["reason"] for line in csv.DictReader(file)}
    files = {path.relative_to(photos).as_posix() for path in photos.rglob("*") if path.is_file()}
    assert files == {line["id"] for line in lines} | set(skipped), "no file vanishes"
    assert len(skipped) == 4
    log = (folder / "alearn.log").read_text()
    for word in ("data.size=", "data.channels=1", "people answer at", "skipped.csv"):
        assert word in log
    assert (json.loads((folder / "row.json").read_text()))["hand"] == len(asked)

    assert alearn("export", folder, "--format", "csv", "--out", tmp_path / "out.csv").code == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        exported = list(csv.DictReader(file))
    assert [(line["path"], line["label"]) for line in exported] == [(line["id"], line["label"]) for line in lines]
    assert {line["annotator"] for line in exported if line["source"] == "hand"} == {"Ada"}
    assert alearn("export", folder, "--format", "folders", "--out", tmp_path / "sorted").code == 0
    for line in lines:
        assert (tmp_path / "sorted" / line["label"] / line["id"]).read_bytes() == (photos / line["id"]).read_bytes()

    before = (folder / "labels.csv").read_bytes()
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("answers.db"):
            path.unlink()
    trial.start()
    assert trial.wait() == 0, str(trial.process)
    assert (folder / "labels.csv").read_bytes() == before, "the store alone is enough to repeat the trial"


def test_two_people_share_a_certified_trial(photos, tmp_path, browser, started):
    """No image goes to both people, the audit shows no guess, and the certificate is valid."""
    truth, folder = truth_of(photos), tmp_path / "trial"
    kinds = ",".join(sorted(set(truth.values())))
    overrides = (
        "policy.finish=audit",
        "policy.audit.target_error=0.2",
        "policy.audit.seed=3",
        "policy.stop_rounds=1",
        f"data.classes=[{kinds}]",
    )
    trial = started(photos, folder, *overrides)
    ada, bob = (opened(browser, trial, name) for name in ("Ada", "Bob"))
    turns = {"Ada": (ada, []), "Bob": (bob, [])}
    while trial.process.code is None:
        for page, answered in turns.values():
            now = page.evaluate(NOW)
            if now["state"] == "ask" and not now["busy"] and now["ids"]:
                answered += answer(page, trial, truth, most=1)
        both = [set(page.evaluate(NOW)["ids"]) for page, _ in turns.values()]
        assert not both[0] & both[1]
        ada.wait_for_timeout(10)
    assert trial.wait() == 0, str(trial.process)
    given = {name: set(answered) for name, (_, answered) in turns.items()}
    assert all(len(answered) > 5 for answered in given.values())
    assert not given["Ada"] & given["Bob"]
    checked = alearn("verify", folder).out
    assert checked.startswith("valid: At most")
    lines = labels(folder)
    assert sum(line["label"] != truth[line["id"]] for line in lines) <= 0.2 * len(lines)
    assert alearn("export", folder, "--format", "jsonl-manifest", "--out", tmp_path / "out.jsonl").code == 0
    who = {}
    for text in (tmp_path / "out.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["label-metadata"]["human-annotated"] == "yes":
            who.setdefault(line["label-metadata"]["annotator"], set()).add(line["source-ref"])
    assert who == given
