"""What a person who labels sees: the page in a real browser.

If the environment variable ALEARN_SCREENSHOTS names a folder, the tests save screenshots there.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alearn.ledger import CANNOT_TELL, Source
from alearn.oracle.store import NAME, Store, read
from alearn.oracle.web import channel, desk, room
from tests.apart import Apart
from tests.chromium import NEEDS_CHROMIUM, new_page, picture
from tests.oracle.web.desks import CLASSES, Trial, shapes
from tests.oracle.web.rolling import Gate, Rolling, during_fit, settings
from tests.scripted import TRUTH, script
from tests.waiting import LIMIT, until

pytestmark = NEEDS_CHROMIUM
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch):
    """Let no server think that a page is gone because the machine is slow."""
    monkeypatch.setattr(channel, "FAREWELL", LIMIT)
    monkeypatch.setattr(room, "AWARE", LIMIT)
    monkeypatch.setattr(desk, "SILENT", LIMIT)


class Person:
    """A person with a browser."""

    def __init__(self, chromium: Any, link: str, who: str, **options: Any) -> None:
        self.page = new_page(chromium, **(options or DESKTOP))
        self.context = self.page.context
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.troubles.append(message.text) if "Content Security" in message.text else None,
        )
        self.who, self.link = who, link
        self.come()

    def come(self) -> None:
        self.page.goto(self.link)
        if not self.page.evaluate("localStorage.who"):
            self.page.fill("input[name=who]", self.who)
            self.page.keyboard.press("Enter")

    def state(self, *wanted: str) -> str:
        """Wait until the state of the page is one of these, and return it."""
        self.page.wait_for_selector(", ".join(f"body[data-state={state}]:not([data-busy])" for state in wanted))
        return self.page.evaluate("document.body.dataset.state")

    def shown(self) -> list[int]:
        """Wait until the page shows images, and return their indices."""
        self.state("ask")
        self.page.wait_for_selector("img[data-index]")
        return self.page.eval_on_selector_all(
            "img[data-id][data-index]", "all => all.map(i => Number(i.dataset.index))"
        )

    def press(self, *keys: str) -> None:
        """Press these keys one after the other, as fast as the page accepts them."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_selector("body:not([data-busy])")

    def until(self, condition: str, argument: Any = None) -> None:
        """Wait for a JavaScript condition. (Playwright's own way to wait would need `eval`, which the page forbids.)"""
        until(lambda: self.page.evaluate(condition, argument), condition)

    def next(self, *keys: str) -> int:
        """Press keys, and wait for another image."""
        before = self.shown()
        self.press(*keys)
        self.until("seen => document.querySelector('img[data-index]:not([data-index=\"' + seen + '\"])')", before[0])
        return self.shown()[0]


@pytest.fixture
def person(chromium) -> Iterator[Callable[..., Person]]:
    people = []

    def sit(trial: Any, who: str = "Ann", **options: Any) -> Person:
        people.append(Person(chromium, trial if isinstance(trial, str) else trial.web.link, who, **options))
        return people[-1]

    yield sit
    for each in people:
        each.context.close()
        assert each.troubles == []


@pytest.fixture
def trial(tmp_path) -> Iterator[Trial]:
    trial = Trial(tmp_path, shapes(40, list(CLASSES)))
    yield trial
    trial.close()


def truth(trial: Trial, index: list[int]) -> dict[int, int]:
    assert trial.pool.truth is not None
    return {i: int(trial.pool.truth[i]) for i in index}


def test_a_batch_is_answered_by_keyboard(trial, person):
    ann = person(trial)
    assert ann.state("working") == "working"
    assert "round 3" in ann.page.inner_text("#headline")
    picture(ann.page, "page-waiting.png")
    trial.ask(range(20))
    for i in range(20):
        assert ann.shown() == [i], "one at a time, in their order"
        if i == 7:
            assert ann.page.inner_text("#count") == "7 of 20"
            assert ann.page.inner_text("#hand") == "7"
            picture(ann.page, "page-one.png")
        if i < 19:
            ann.next(str(truth(trial, [i])[i] + 1))
        else:
            ann.press(str(truth(trial, [i])[i] + 1))
    trial.wait()
    assert trial.store.answers() == truth(trial, list(range(20)))
    ann.state("working")
    assert {answer.who for answer in read(trial.folder / NAME)} == {"Ann"}


def test_undo_skip_and_cannot_tell(trial, person):
    trial.ask(range(5))
    ann = person(trial)
    assert ann.next("1") == 1
    assert ann.next("Space") == 2
    assert ann.next("-") == 3
    assert trial.store.answers() == {0: 0, 2: CANNOT_TELL}
    assert ann.next("Backspace") == 2
    assert ann.next("Backspace") == 1, "the skipped one, too"
    assert ann.next("Backspace") == 0
    assert ann.page.is_disabled("#undo")
    assert trial.store.answers() == {}
    for expected in (1, 2, 3):
        assert ann.next("Space") == expected
    assert ann.next("2") == 4
    assert ann.next("2") == 0, "what was skipped comes last, in turn"
    assert ann.next("3") == 1
    assert ann.next("3") == 2
    ann.press("3")
    trial.wait()
    assert trial.store.answers() == {3: 1, 4: 1, 0: 2, 1: 2, 2: 2}


def test_keys_work_wherever_the_focus_is_and_a_held_key_answers_once(trial, person):
    trial.ask(range(10))
    ann = person(trial)
    ann.shown()
    ann.page.click("button[data-class=circle]")
    ann.until("document.querySelector('img[data-index=\"1\"]')")
    assert ann.next("Space") == 2, "a mouse leaves no focus behind"
    ann.page.focus("button[data-class=square]")
    assert ann.next("3") == 3
    ann.page.focus("button[data-class=square]")
    assert ann.next("Enter") == 4, "a button that was tabbed to is pressed"
    ann.page.keyboard.down("1")
    ann.page.keyboard.down("1")
    ann.page.keyboard.down("1")
    ann.page.keyboard.up("1")
    assert ann.shown() in ([4], [5])
    ann.until("document.querySelector('img[data-index=\"5\"]')")
    assert trial.store.answers() == {0: 0, 2: 2, 3: 1, 4: 0}


def test_a_grid_of_look_alikes(trial, person):
    trial.ask(range(40))
    ann = person(trial)
    ann.shown()
    ann.press("+")
    ann.page.wait_for_selector(".tile")
    first = ann.shown()
    assert len(first) == 24
    assert first[0] == 0
    ann.press("ArrowRight", "ArrowRight", "Space")  # the second one is dropped
    ann.page.click(f".tile[data-tile='{first[2]}']")
    picture(ann.page, "page-grid.png")
    ann.press("2")
    ann.until("document.querySelectorAll('img[data-index]').length === 2")
    assert ann.shown() == first[1:3], "the rest stays"
    assert trial.store.answers() == dict.fromkeys(first[:1] + first[3:], 1)
    ann.press("Backspace")
    ann.until("document.querySelectorAll('img[data-index]').length === 24")
    assert trial.store.answers() == {}
    assert set(ann.shown()) == set(first)
    ann.press("*")
    ann.until("!document.querySelector('.tile[aria-pressed=false]')")
    ann.press("Enter")
    assert trial.store.answers() == {}, "nothing is confirmed that is not shown"
    ann.press(".")
    ann.until("[...document.querySelectorAll('.tile .guess')].every(guess => guess.textContent)")
    ann.press("Enter")
    ann.until("seen => ![...document.querySelectorAll('img[data-index]')].some(i => i.dataset.index == seen)", first[0])
    assert trial.store.answers() == truth(trial, first), "the guesses are right here"
    rest = ann.shown()
    assert not set(rest) & set(first)
    ann.until("[...document.querySelectorAll('.tile .guess')].every(guess => guess.textContent)")
    ann.press("Enter")
    trial.wait()
    assert trial.store.answers() == truth(trial, list(range(40)))


def test_a_guess_is_shown_on_request_and_accepted(trial, person):
    trial.ledger.guess[1] = -1
    trial.ask(range(3))
    ann = person(trial)
    ann.shown()
    assert ann.page.inner_text("#guess") == ""
    ann.press(".")
    ann.until("document.querySelector('#guess').textContent")
    assert ann.page.inner_text("#guess") == f"The model's guess: {CLASSES[trial.pool.truth[0]]}, 90%"
    assert ann.next("Enter") == 1
    ann.until("document.querySelector('#guess').textContent.includes('has not scored')")
    ann.press("Enter")
    assert ann.shown() == [1], "there is nothing to accept"
    assert ann.next("4") == 2
    ann.press("Enter")
    trial.wait()
    assert trial.store.answers() == truth(trial, [0, 2]) | {1: 3}


def test_a_check_shows_no_guess(trial, person):
    trial.ask(range(4), purpose=Source.AUDIT)
    ann = person(trial)
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url))
    ann.shown()
    ann.press(".", "Enter")
    assert "hidden" in ann.page.inner_text("#message")
    assert not ann.page.is_visible("#guess-toggle")
    assert not ann.page.is_visible("#confirm")
    ann.press("+")
    ann.page.wait_for_selector(".tile")
    ann.press(".", "Enter")
    assert "%" not in ann.page.inner_text("main")
    assert not [url for url in asked if "guess" in url]
    assert trial.store.answers() == {}


def test_a_class_is_found_and_added_by_its_name(trial, person):
    trial.ask(range(4))
    ann = person(trial)
    ann.shown()
    ann.press("/")
    ann.page.keyboard.type("IAM")  # a part from the middle of the name, in another case
    assert ann.page.inner_text("#matches [aria-selected=true]") == "diamond"
    assert ann.next("Enter") == 1
    ann.press("/")
    ann.page.keyboard.type("1 hexagon/-. ")
    assert ann.page.inner_text("#matches [aria-selected=true]") == "Add 1 hexagon/-."
    assert ann.next("Enter") == 2
    assert ann.page.inner_text("#classes button:last-child span") == "1 hexagon/-."
    assert ann.next("5") == 3, "it has a key of its own"
    ann.press("/")
    ann.page.keyboard.press("ArrowDown")
    assert ann.page.inner_text("#matches [aria-selected=true]") == "diamond", "the last ones come first"
    ann.page.keyboard.press("Escape")
    ann.state("ask")
    assert trial.store.answers() == {0: 3, 1: 4, 2: 4}
    assert list(trial.pool.classes) == [*CLASSES, "1 hexagon/-."]


def test_a_digit_is_pressed_for_a_digit(tmp_path, person):
    trial = Trial(tmp_path, shapes(3, ("7", "1", "a")))
    try:
        trial.ask(range(3))
        ann = person(trial)
        assert ann.shown() == [0]
        assert ann.page.locator("#classes kbd").all_inner_texts() == ["7", "1", "a"]
        ann.press("2")
        assert ann.next("1") == 1
        assert ann.next("A") == 2
        assert trial.store.answers() == {0: 1, 1: 2}
    finally:
        trial.close()


def test_many_fixed_classes_are_found_and_none_is_added(tmp_path, person):
    trial = Trial(tmp_path, shapes(3, tuple(f"class {i}" for i in range(120))))
    try:
        trial.ask(range(3))
        ann = person(trial)
        assert ann.next("Z") == 1, "the 36th"
        assert ann.page.locator("#classes kbd").count() == 36
        ann.press("/")
        ann.page.keyboard.type("class 11")
        assert ann.page.locator("#matches li").all_inner_texts() == [
            "class 11",
            *(f"class {i}" for i in range(110, 120)),
        ]
        ann.page.keyboard.type("7")
        assert ann.next("Enter") == 2
        ann.press("/")
        ann.page.keyboard.type("nothing")
        assert ann.page.locator("#matches [role=option]").count() == 0
        ann.page.keyboard.press("Enter")
        ann.page.keyboard.press("Escape")
        assert trial.store.answers() == {0: 35, 1: 117}
    finally:
        trial.close()


def test_two_people_never_see_the_same_image(trial, person):
    trial.ask(range(24))
    people = [person(trial), person(trial, "Ben")]
    seen: list[int] = []
    for _ in range(11):
        views = [one.shown()[0] for one in people]
        assert views[0] != views[1]
        seen += views
        for one in people:
            one.press("1")
            one.until("!document.body.dataset.busy")
        for one, before in zip(people, views, strict=True):
            one.until("seen => !document.querySelector(`img[data-index='${seen}']`)", before)
    assert len(set(seen)) == len(seen) == 22
    ann, ben = people
    assert [one.shown() for one in people] in ([[22], [23]], [[23], [22]])
    ben.until("document.querySelector('#others').textContent === 'Ann 11'")
    ann.press("1")
    ann.until("document.querySelector('#headline').textContent === '1 image is with other people'")
    ben.page.goto("about:blank")
    ann.until("document.querySelector('img[data-index]')")
    ann.press("1")
    trial.wait()
    assert {answer.who for answer in read(trial.folder / NAME)} == {"Ann", "Ben"}


def test_a_copy_of_a_tab_is_somebody_else(trial, person):
    trial.ask(range(10))
    ann = person(trial)
    assert ann.shown() == [0]
    with ann.context.expect_page() as opened:
        ann.page.evaluate("window.open('/')")  # the new tab gets a copy of the session's storage
    copy = opened.value
    copy.wait_for_selector("img[data-index]")
    assert copy.get_attribute("img[data-index]", "data-index") != "0"


def test_a_pause_and_a_reload_lose_nothing(trial, person):
    trial.ask(range(6))
    ann = person(trial)
    assert ann.next("1") == 1
    ann.press("Escape")
    assert ann.state("paused") == "paused"
    assert person(trial, "Ben").shown() == [1]
    ann.page.keyboard.press("Enter")
    assert ann.shown() != [1]
    ann.page.reload()
    ann.shown()
    ann.press("Backspace")
    ann.until("document.querySelector('img[data-index=\"0\"]')")
    assert trial.store.answers() == {}


def test_nobody_waits_while_the_model_learns(tmp_path, person, monkeypatch):
    script(monkeypatch)
    gate = Gate()
    during_fit(monkeypatch, gate.train)
    trial = Rolling(tmp_path, settings())
    trial.start()
    try:
        ann = person(trial)

        def answer(count: int) -> None:
            for _ in range(count):
                ann.next(str(TRUTH[ann.shown()[0]] + 1))

        answer(19)
        ann.press("1")
        gate.begun()
        ann.state("working")
        gate.open()
        ann.state("ask")
        ann.page.evaluate(
            """() => {
              window.seen = [];
              new MutationObserver(() => seen.push(document.body.dataset.state)).observe(
                document.body, { attributes: true, attributeFilter: ["data-state"] });
            }"""
        )
        early = 0
        for number in range(1, 4):
            answer(10 - early)
            gate.begun()
            ann.page.wait_for_selector("#learning:visible")
            assert ann.page.inner_text("#count") == "10 of 10"
            early = 2
            answer(early)
            assert ann.page.inner_text("#count") == "10 of 10 + 2"
            assert ann.page.inner_text("#hand") == str(22 + 10 * number)
            estimate, image = ann.page.inner_text("#estimate"), ann.shown()
            if number == 2:
                assert contrast(ann.page, "#learning") >= 4.5
                picture(ann.page, "page-learning.png")
            gate.open()
            ann.until("document.querySelector('#count').textContent === '2 of 10'")
            assert ann.shown() == image, "new questions come behind"
            assert not ann.page.is_visible("#learning")
            assert ann.page.inner_text("#estimate") != estimate
        assert set(ann.page.evaluate("seen")) <= {"ask"}
        assert trial.ledger.paid == 20 + 3 * 10 + early
        assert trial.store.answers().keys() == set(np.flatnonzero(trial.ledger.hand))
    finally:
        gate.shut()
        trial.close()


def serve(folder: Path, port: int) -> None:
    """Be a process that asks about the images that have no answer yet."""
    channel.FAREWELL = room.AWARE = desk.SILENT = LIMIT
    trial = Trial(folder, shapes(30, list(CLASSES)), port=port)
    answers = trial.store.answers()
    left = [i for i in range(30) if i not in answers]
    print(trial.web.where)
    trial.ask(left, Source.QUERY, answered=30 - len(left))
    trial.wait()
    trial.web.close()


def started(folder: Path, port: int = 0) -> tuple[Apart, str]:
    """Return a process that asks, and where its page is."""
    process = Apart(serve, folder, port)
    process.until_printed(1)
    return process, process.out.strip()


def test_no_answer_is_lost_when_the_trial_is_killed(tmp_path, person):
    process, where = started(tmp_path)
    ann = person(where)
    for _ in range(9):
        ann.next("1")
    process.kill()
    assert len(read(tmp_path / NAME)) == 9
    ann.page.keyboard.press("2")  # the server does not get it, so the page keeps it
    ann.page.wait_for_selector("body[data-state=away]")
    kept = ann.page.evaluate("document.querySelector('#story').textContent.includes('Your last answer is kept')")
    process, _ = started(tmp_path, port=int(where.rsplit(":", 1)[1]))
    if not kept:  # the page had noticed the lost connection before the key, so it showed no image to answer
        assert ann.shown() == [9]
        ann.next("2")
    assert ann.shown() == [10]
    ann.page.wait_for_selector("#count:text('10 of 30')")
    for _ in range(19):
        ann.next("3")
    ann.press("3")
    ann.state("done")
    assert process.wait() == 0
    ids = shapes(30).ids
    assert [(answer.item, answer.label) for answer in read(tmp_path / NAME)] == [
        (ids[i], "circle" if i < 9 else "square" if i == 9 else "triangle") for i in range(30)
    ]


def test_the_end_is_told(tmp_path, person):
    trial = Trial(tmp_path, shapes(4))
    ann = person(trial)
    ann.state("working")
    trial.web.close()
    trial.store.close()
    ann.state("done")
    with ann.page.expect_event("requestfailed"):
        pass  # the server is gone
    assert ann.state("done")
    assert "over" in ann.page.inner_text("#story")


def test_a_shared_page_opens_by_its_link_alone(tmp_path, person):
    trial = Trial(tmp_path, shapes(4), host="0.0.0.0")
    try:
        trial.ask(range(4))
        where = trial.web.where.rsplit(":", 1)[1]
        token = trial.web.link.split("#")[1]
        stranger = person(f"http://127.0.0.1:{where}/")
        stranger.state("away")
        assert stranger.page.is_visible("#link")
        ann = person(f"http://127.0.0.1:{where}/#{token}")
        assert ann.shown() == [0]
        assert token not in ann.page.url
        assert token not in str(ann.context.cookies())
        assert ann.page.evaluate("document.cookie") == "", "no script can read it"
        stranger.page.fill("#link", f"http://127.0.0.1:{where}/#{token}")
        stranger.page.keyboard.press("Enter")
        stranger.shown()
    finally:
        trial.close()


def test_names_from_outside_are_text(tmp_path, person):
    evil = "<img src=x onerror=document.title=1>"
    pool = shapes(4, [f"<script>alert(1)</script>{evil}", "b"], prefix=f'"><b>{evil}/')
    trial = Trial(tmp_path, pool)
    try:
        trial.ask(range(4))
        ann = person(trial, f"<b>{evil}")
        ann.shown()
        assert ann.page.inner_text("#caption") == pool.ids[0]
        assert ann.page.get_attribute("#frame img", "data-id") == pool.ids[0]
        assert ann.page.inner_text("#classes button:first-child span") == pool.classes[0]
        ann.press("+")
        ann.page.wait_for_selector(".tile")
        ann.press("/")
        ann.page.keyboard.type("<b>x")
        assert ann.page.inner_text("#matches [aria-selected=true]") == "Add <b>x"
        ann.page.keyboard.press("Escape")
        person(trial, "Ben").until("document.querySelector('#others').textContent.startsWith('<b><img')")
        assert ann.page.locator("b:not(#matches b), img:not([data-index]), #classes script").count() == 0
        assert ann.page.title() != "1"
    finally:
        trial.close()


def contrast(page: Any, selector: str) -> float:
    """Return the contrast between a text and its background, as WCAG defines it."""
    colours = page.eval_on_selector(
        selector,
        """element => {
          let behind = element;
          while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
          return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
        }""",
    )
    light = []
    for colour in colours:
        values = np.array([float(x) for x in colour[4:-1].replace(",", " ").split()[:3]]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ (0.2126, 0.7152, 0.0722)))
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_and_heard(trial, person, scheme):
    trial.ask(range(4))
    ann = person(trial, **DESKTOP, color_scheme=scheme, reduced_motion="reduce")
    ann.shown()
    page = ann.page
    unnamed = page.eval_on_selector_all(
        "button, input, dialog, section, [role=group], progress, img",
        """all => all.filter(e => !(e.innerText || e.alt || e.ariaLabel || e.labels?.length || e.textContent.trim()
          || document.getElementById(e.getAttribute('aria-labelledby')))).map(e => e.outerHTML)""",
    )
    assert unnamed == []
    assert page.eval_on_selector_all("input", "all => all.filter(input => !input.labels.length).length") == 0
    ids = page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert len(set(ids)) == len(ids)
    for landmark in ("header", "main", "footer", "[role=status][aria-live=polite]"):
        assert page.locator(landmark).count() >= 1
    assert page.get_attribute("html", "lang") == "en"
    assert page.locator("h1").count() == 1
    for text in ("#words", "#caption", "#classes span", "#classes kbd", "footer dt", "footer dd", "#count", "#message"):
        assert contrast(page, text) >= 4.5, text
    ann.next("1")
    assert page.inner_text("#message") == "Saved: circle"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "To the classes"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("?")
    assert page.evaluate("document.querySelector('#helper').contains(document.activeElement)")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    ann.state("ask")
    assert trial.store.answers() == {0: 0}, "keys of a dialog answer nothing"
    keys = page.locator("button kbd:visible").all_inner_texts()
    assert {"Esc", "?", "-", "Space", "Backspace", "+", ".", "Enter", "/", "1", "4"} <= set(keys)


def test_it_fits_a_phone(trial, person):
    trial.ask(range(20))
    ann = person(trial, **PHONE)
    ann.shown()
    picture(ann.page, "page-phone.png")

    def fits() -> None:
        assert ann.page.evaluate("document.documentElement.scrollWidth") <= 360
        sizes = ann.page.eval_on_selector_all(
            "button", "all => all.map(b => b.getBoundingClientRect()).map(r => Math.min(r.width, r.height))"
        )
        assert min(size for size in sizes if size) >= 44, "a thumb must hit every button"

    fits()
    assert ann.page.evaluate("document.querySelector('button[data-class]').getBoundingClientRect().bottom") < 740
    ann.page.tap("button[data-class=square]")
    ann.until("document.querySelector('img[data-index=\"1\"]')")
    ann.page.tap("#grid-toggle")
    ann.page.wait_for_selector(".tile")
    assert len(ann.shown()) == 12
    fits()
    ann.page.tap(".tile >> nth=3")
    ann.page.tap("button[data-class=square]")
    ann.until("document.querySelectorAll('img[data-index]').length === 1")
    assert len(trial.store.answers()) == 12


def test_a_tab_that_nobody_sees_says_that_there_is_work(trial, person):
    ann = person(trial)
    ann.state("working")
    ann.page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    trial.ask(range(7))
    ann.until("document.title.startsWith('● 7 images')")


def test_answers_are_there_after_the_store_is_opened_again(trial, person):
    trial.ask(range(3))
    ann = person(trial)
    for _ in range(2):
        ann.next("1")
    shutil.copytree(trial.folder, trial.folder.with_name("copy"))  # the files as a power cut would leave them
    with Store(trial.folder.with_name("copy") / NAME, trial.pool.ids, list(CLASSES)) as found:
        assert found.answers() == {0: 0, 1: 0}
