"""A small sweep in TensorBoard, as a person sees it in a real browser.

If the variable ALEARN_SCREENSHOTS names a folder, pictures of the tabs are written into it.
"""

import io
import json
import os
import socket
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from alearn.report.reporters import run_shown
from alearn.sweep import bands
from tests.chromium import CHROMIUM, NEEDS_CHROMIUM
from tests.conftest import SMALL, compose
from tests.waiting import LIMIT, until

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = NEEDS_CHROMIUM
THRESHOLDS = (0.6, 0.999999)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, mnist_root) -> Path:
    """Run two settings with two seeds each, and write their mean curves."""
    folder = tmp_path_factory.mktemp("sweep")
    words = (*SMALL, "data.limit=400", f"data.root='{mnist_root}'", "policy.init_fraction=0.2")
    for threshold in THRESHOLDS:
        for seed in (0, 1):
            config = compose(
                *words,
                "policy.hand_fraction=0.3",
                "train.steps=40",
                f"policy.threshold={threshold}",
                f"seed={seed}",
                "record.projector=100",
            )
            run_shown(config, folder / f"{threshold}_{seed}")
    assert len(bands.write(folder)) == 2
    return folder


@pytest.fixture(scope="module")
def address(sweep) -> Iterator[str]:
    """Start TensorBoard, wait until it has read the sweep, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--logdir", str(sweep), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def ask(what: str) -> Any:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/{what}") as answer:
                return json.load(answer)
        except OSError:
            return {}

    try:
        until(lambda: len(ask("runs")) == 6, "four trials and two mean curves")
        until(lambda: ask("plugins_listing")["projector"]["enabled"], "the projector, found in the background")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def page(address) -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(LIMIT * 1000)
        page.goto(address)
        yield page
        browser.close()


@pytest.fixture
def tab(page, tmp_path) -> Iterator[Callable[[str, str], Any]]:
    """Return a function that opens a tab by name and waits for an element. Take a picture at the end."""
    folder = Path(os.environ.get("ALEARN_SCREENSHOTS", tmp_path))
    opened = []

    def go(name: str, element: str) -> Any:
        opened.append(name)
        page.get_by_role("tab", name=name).click()
        page.locator(element).first.wait_for()
        return page

    yield go
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{opened[0].lower().replace(' ', '_')}.png")


def rows(sweep: Path) -> list[dict[str, Any]]:
    return [json.loads((sweep / f"{THRESHOLDS[0]}_{seed}" / "row.json").read_text()) for seed in (0, 1)]


def coloured(picture: bytes) -> int:
    """Count the pixels that are neither grey nor white nor black."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    return int((pixels.max(-1) - pixels.min(-1) > 60).sum())


def test_the_first_page_shows_curves_of_the_mislabel_rate(tab):
    shown = tab("Time Series", "scalar-card line-chart")
    card = shown.locator("scalar-card", has_text="auto_labels/mislabeled").first
    card.wait_for()
    until(lambda: coloured(card.locator("line-chart").screenshot()) > 200, "lines in the first chart")
    assert "mean/threshold 0.6, 2 seeds" in shown.locator("runs-data-table").inner_text()


def test_the_custom_scalars_are_there_in_four_categories_with_bands(tab):
    shown = tab("Custom Scalars", "tf-custom-scalar-margin-chart-card")
    categories = shown.locator("tf-custom-scalar-dashboard tf-category-paginated-view")
    names = until(
        lambda: [name.strip() for name in categories.locator(".heading .category-name").all_inner_texts()],
        "names of the categories",
    )
    assert names == ["mislabel rate", "labels by source", "accuracy", "time"]
    for card, part in (("multi-line", "path.line"), ("margin", "path.area")):
        chart = shown.locator(f"tf-custom-scalar-{card}-chart-card").first
        lines = chart.locator(f"svg {part}")
        until(lambda lines=lines: any(len(d) > 30 for d in drawn(lines)), f"lines in the first {card} chart")
    assert shown.get_by_text("Missing Tags").count() == 0
    assert shown.get_by_text("do not match").count() == 0


def drawn(paths: Any) -> list[str]:
    return paths.evaluate_all("paths => paths.map(path => path.getAttribute('d') || '')")


def test_hparams_have_a_line_a_setting_that_averages_its_seeds(tab, sweep):
    shown = tab("HParams", "tf-hparams-table-view .table-cell")

    def cells() -> list[str]:
        return [text.strip() for text in shown.locator("tf-hparams-table-view .table-cell").all_inner_texts()]

    until(lambda: sum(text.startswith("t2 ") for text in cells()) == 2, "two lines")
    found = cells()
    assert "0.999999" in found
    assert "0.6" in found
    assert [text for text in found if "/" in text][1:6] == [
        "auto_labels/mislabeled",
        "auto_labels/mislabeled_of_data_set",
        "auto_labels/mislabeled_this_round",
        "labels/auto",
        "labels/hand",
    ]
    mean = statistics.fmean(row["hand"] for row in rows(sweep))
    assert f"{mean:#.5g}" in found


def test_the_pictures_are_shown(tab):
    shown = tab("Images", "tf-image-loader img")
    image = shown.locator("tf-image-loader img").first
    until(lambda: image.evaluate("image => image.naturalWidth") > 400, "a gallery")


def test_the_row_is_a_table(tab):
    shown = tab("Text", "tf-text-loader table")
    shown.get_by_role("cell", name="mislabeled_auto", exact=True).first.wait_for()


def test_the_projector_shows_points(tab):
    shown = tab("Projector", "iframe")
    frame = shown.frame_locator("iframe").frame_locator("iframe")
    until(lambda: frame.locator(".numDataPoints").all_inner_texts() == ["100"], "a hundred points")
    space = frame.locator("#scatter")
    until(lambda: np.asarray(Image.open(io.BytesIO(space.screenshot()))).std() > 10, "points")
