"""The browser of the tests that look at a page, and the marks of these tests."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import LIMIT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: neither chromium, chromium-browser nor google-chrome"),
]


def launch(playwright: Any) -> Any:
    """Return a browser. playwright: what `sync_playwright` yields."""
    options = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu"], "timeout": LIMIT * 1000}
    return playwright.chromium.launch(**options)


def new_page(browser: Any, **options: Any) -> Any:
    """Return an empty page in a context of its own, which waits for anything as long as tests do."""
    context = browser.new_context(**options)
    context.set_default_timeout(LIMIT * 1000)
    return context.new_page()


def picture(page: Any, name: str) -> None:
    """Save a picture of a page in the folder that the variable ALEARN_SCREENSHOTS names, if there is one."""
    folder = os.environ.get("ALEARN_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(300)  # until the highlight of a pressed button has faded
        page.screenshot(path=Path(folder) / name)
