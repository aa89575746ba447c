import math

import pytest

from alearn.report.html import page
from tests.report.html.pages import Page


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.2048, "20.5 %"), (0.00027, "0.03 %"), (1 / 60_000, "0.0017 %"), (0.0, "0 %"), (1.0, "100.0 %"), (None, "-")],
)
def test_shares_keep_what_matters_of_them(share, text):
    assert page.percent(share) == text


@pytest.mark.parametrize(
    ("probability", "text"), [(0.5, "50.0 %"), (0.9999, "99.99000 %"), (0.95, "95.00 %"), (0.1, "10.0 %")]
)
def test_a_confidence_shows_its_nines(probability, text):
    assert page.certainty(math.log1p(-probability) - 1e-9) == text


def test_a_confidence_may_be_whole_or_unknown():
    assert page.certainty(-math.inf) == "100 %"
    assert page.certainty(math.nan) == ""
    assert page.certainty(0.0) == "0.0 %"


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.04, "4.0 s"), (91.2, "91 s"), (1000, "17 min"), (9000, "2.5 h"), (None, "-")]
)
def test_durations(seconds, text):
    assert page.duration(seconds) == text


def test_numbers_that_are_not_there_are_a_dash():
    assert (page.count(12288), page.count(2.5, 1), page.count(None)) == ("12,288", "2.5", "-")
    assert (page.accuracy(0.9929), page.accuracy(None)) == ("99.29 %", "-")


def test_a_page_escapes_has_both_modes_and_says_when_it_was_written(tmp_path):
    page.write(tmp_path, "base.html.j2", title="</title><script>alert(1)</script>\udce9")
    found = Page(tmp_path / page.NAME)
    found.assert_self_contained()
    assert "</title><script>alert(1)</script>? - alearn" in found.text
    assert "Written by alearn 0.1.0, 20" in found.text
    assert "prefers-color-scheme: dark" in found.source
    assert page.LIGHT.keys() == page.DARK.keys()
    for colours in (page.LIGHT, page.DARK):
        assert all(f"--{name}: {value};" in found.source for name, value in colours.items())
