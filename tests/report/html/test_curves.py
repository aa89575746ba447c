import re

import pytest

from alearn.report.html import curves
from alearn.report.html.curves import Series, lines, stacked
from alearn.report.html.page import LIGHT


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_bars_stand_on_each_other_to_scale():
    chart = stacked("Labels", [Series("hand", "query", [1, 2]), Series("auto", "auto", [3, 0])], last="end")
    low, high = (
        [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path)]
        for colour in ("query", "auto")
        for path in re.findall(rf'<path d="([^"]*)"[^>]* style="fill: var\(--{colour}\)', chart.svg)
    )
    unit = (max(low) - min(low)) / 2  # hand is 2 high at most
    assert max(low) - min(high) == pytest.approx(4 * unit, rel=1e-3), "1 + 3"
    assert max(low) - max(high) == pytest.approx(unit, rel=1e-3), "auto stands on hand"
    assert texts(chart.svg)[:3] == ["1", "end", "round"]
    assert chart.legend == (("hand", "query"), ("auto", "auto"))


def test_colours_are_the_pages_and_ids_the_pictures_own():
    one, two = (lines(title, [Series("a", "wrong", [0.1, 0.2], sd=[0.0, 0.1])]) for title in ("One", "Two"))
    assert "var(--wrong)" in one.svg
    assert not re.findall(r"#[0-9a-f]{6}", one.svg), "dark mode can change every colour"
    ids = [set(re.findall(r'id="([^"]*)"', chart.svg)) for chart in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for chart, own in zip((one, two), ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', chart.svg)) == own
    assert not re.search(r"https?:|<metadata|<!--|<\?xml", one.svg)
    assert one.svg == lines("One", [Series("a", "wrong", [0.1, 0.2], sd=[0.0, 0.1])]).svg, (
        "the same series give the same picture"
    )
    assert one.legend == (), "a single line needs no legend"


def test_a_log_scale_is_used_where_it_helps_and_says_what_it_hides():
    small = lines("a", [Series("a", "s0", [0.0, 0.0001, 0.02])], log=True)
    assert "0.01 %" in texts(small.svg)
    assert "1 %" in texts(small.svg)
    assert "zero" in small.note
    flat = lines("a", [Series("a", "s0", [0.0, 0.01, 0.02])], log=True)
    assert "0 %" in texts(flat.svg)
    assert flat.note == ""


def test_what_is_unknown_leaves_a_gap_and_nothing_known_no_picture():
    assert lines("a", [Series("a", "s0", [None, None])]) is None
    assert lines("a", [Series("a", "s0", [])]) is None
    assert lines("a", [Series("a", "s0", [0.0]), Series("b", "s1", [None])], log=True).legend == ()
    assert lines("a", [Series("a", "s0", [0.5, None, 0.7])]) is not None


@pytest.mark.parametrize(
    ("rounds", "expected"), [(1, ["1"]), (5, list("12345")), (25, ["1", "4", "7", "10", "13", "16", "19", "22", "25"])]
)
def test_rounds_are_whole_numbers_and_not_too_many(rounds, expected):
    chart = lines("a", [Series("a", "s0", [0.5] * rounds), Series("p", "soft", [0.4, 0.4], [0.5, 1.5], dashed=True)])
    assert texts(chart.svg)[: len(expected) + 1] == [*expected, "round"]


def test_every_colour_has_one_name():
    assert len(set(LIGHT.values())) == len(LIGHT), "otherwise dark mode would confuse two colours"
    assert curves.STYLE["svg.fonttype"] == "none"
