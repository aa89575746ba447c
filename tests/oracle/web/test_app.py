"""The server of the page under attack: by other sites, other people, other programs and malformed requests."""

import json
import logging
import re
import signal
import socket
import stat
from urllib.parse import urlsplit

import numpy as np
import pytest
from werkzeug.test import Client

from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Source
from alearn.oracle.people import Batch
from alearn.oracle.store import NAME, read
from alearn.oracle.web import guard
from alearn.oracle.web.app import App
from tests.apart import Apart
from tests.oracle.web.desks import CLASSES, Browser, Trial, shapes
from tests.waiting import LIMIT, until


@pytest.fixture
def trial(tmp_path):
    trial = Trial(tmp_path, shapes(12, list(CLASSES)))
    yield trial
    trial.close()


@pytest.fixture
def fixed(tmp_path):
    """A trial with fixed classes."""
    trial = Trial(tmp_path, shapes(12))
    yield trial
    trial.close()


@pytest.fixture
def shared(tmp_path):
    """A trial with a page that other machines can reach."""
    trial = Trial(tmp_path, shapes(12), host="0.0.0.0")
    yield trial
    trial.close()


def asked(trial, browser, index=range(10), **fields):
    """Ask for these images, and wait until the page shows them."""
    trial.ask(list(index), **fields)
    until(lambda: browser.sync()["state"] == "ask")


# What the page shows and does.


def test_a_batch_is_answered_into_the_store(trial):
    browser = Browser(trial)
    assert browser.sync()["state"] == "working"
    assert browser.sync()["round"] == 3
    asked(trial, browser, range(4))
    view = browser.sync()
    assert [image["index"] for image in view["images"]] == [0, 1, 2, 3]
    assert view["images"][0]["id"] == "photos/0000.png"
    assert view["classes"] == list(CLASSES)
    assert "classes" not in browser.sync(classes=4)
    for i, label in enumerate(("circle", None, "diamond", "circle")):
        view = browser.answer((i, label)).json
    assert view["state"] == "working"
    trial.wait()
    assert trial.store.answers() == {0: 0, 1: CANNOT_TELL, 2: 3, 3: 0}
    assert trial.reports[0] == (0, 4)
    assert trial.reports[-1] == (4, 4)
    answer = read(trial.folder / NAME)[0]
    assert (answer.item, answer.label, answer.purpose, answer.round, answer.who) == (
        "photos/0000.png", "circle", "query", 2, "Ann",
    )  # fmt: skip


def test_counts_are_those_of_the_ledger_and_this_batch(trial):
    trial.ledger.write(np.array([10]), np.array([1]), Source.FIRST, 0)
    trial.ledger.write(np.array([11]), np.array([1]), Source.AUTO, 1)
    browser = Browser(trial)
    asked(trial, browser, range(4), answered=2)
    assert browser.sync()["counts"] == {"hand": 3, "auto": 1, "unlabeled": 8, "estimate": 0.0123}
    view = browser.answer((0, "circle")).json
    assert view["counts"] == {"hand": 4, "auto": 1, "unlabeled": 7, "estimate": 0.0123}
    assert (view["answered"], view["total"]) == (3, 6)
    assert trial.reports[0] == (2, 6)


def test_a_request_that_is_repeated_is_done_once(trial):
    browser = Browser(trial)
    asked(trial, browser)
    first = browser.answer((0, "circle"), number=7).json
    again = browser.answer((0, "circle"), number=7).json
    assert (first["late"], again["late"]) == ([], [])
    assert again["undo"] == 1
    browser.answer((1, "square"))
    assert browser.change("undo", number=9).json["back"] == [1]
    assert browser.change("undo", number=9).json["back"] == [1]
    assert trial.store.answers() == {0: 0}
    browser.change("skip", images=[1], number=10)
    browser.change("skip", images=[1], number=10)
    assert browser.sync()["undo"] == 2
    assert len(read(trial.folder / NAME)) == 1


def test_an_answer_whose_reply_was_lost_with_the_server_is_not_doubled(trial):
    trial.store.answer(3, 1, Source.QUERY, 2, "Ann")  # before the trial was killed
    browser = Browser(trial)
    assert browser.answer((3, "square")).json["late"] == [], "before anything is asked"
    assert browser.answer((4, "square")).status_code == 503, "it is sent again later"
    asked(trial, browser)
    assert 3 not in [image["index"] for image in browser.sync()["images"]]
    assert browser.answer((3, "square")).json["late"] == []
    assert browser.answer((3, "circle")).json["late"] == [3], "the one that stands is kept"
    assert trial.store.answers() == {3: 1}


def test_who_comes_too_late_hears_of_it(trial):
    ann, ben = Browser(trial), Browser(trial, "Ben", "1" * 32)
    asked(trial, ann)
    ben.sync()
    ann.answer((0, "circle"))
    view = ben.answer((0, "square"), (9, "circle")).json
    assert view["late"] == [0]
    assert trial.store.answers() == {0: 0, 9: 0}
    assert view["others"] == [{"who": "Ann", "answered": 1}]


def test_an_answer_to_the_first_question_is_none_to_the_second(trial):
    browser = Browser(trial)
    asked(trial, browser, range(3), again=True)
    assert browser.answer((0, "circle"), again=False).status_code == 400
    assert browser.answer((0, "circle"), again=True).status_code == 200
    assert (trial.store.answers(), trial.store.answers(again=True)) == ({}, {0: 0})


def test_undo_is_over_when_the_batch_is(trial):
    browser = Browser(trial)
    asked(trial, browser, [5])
    browser.answer((5, "circle"))
    assert browser.change("undo").json["back"] == []
    trial.wait()
    assert trial.store.answers() == {5: 0}


def test_an_undone_answer_is_given_anew(trial):
    browser = Browser(trial)
    asked(trial, browser, [5, 6])
    browser.answer((5, "circle"))
    assert browser.change("undo").json["images"][0]["index"] == 5
    assert trial.store.answers() == {}
    browser.answer((5, "square"))
    browser.answer((6, "square"))
    trial.wait()
    assert trial.store.answers() == {5: 1, 6: 1}
    assert (2, 2) in trial.reports


def test_a_pause_gives_the_images_to_others(trial):
    ann, ben = Browser(trial), Browser(trial, "Ben", "1" * 32)
    asked(trial, ann, range(4))
    view = ann.sync(here=False)
    assert (view["state"], view["images"]) == ("paused", [])
    assert len(ben.sync()["images"]) == 4
    ben.post("/api/leave")
    assert len(ann.sync()["images"]) == 4


def test_a_request_that_arrives_after_the_page_was_closed_holds_no_images(trial):
    ann, ben = Browser(trial), Browser(trial, "Ben", "1" * 32)
    asked(trial, ben, range(4))
    assert len(ben.sync()["images"]) == 4
    ben.post("/api/leave")
    assert ben.sync()["images"] == []
    assert ben.answer((0, "square")).json["images"] == []
    assert trial.store.answers() == {0: 1}, "but its answer counts"
    assert [image["index"] for image in ann.sync()["images"]] == [1, 2, 3]


def test_a_page_that_is_open_again_keeps_its_images(trial):
    ann = Browser(trial)
    asked(trial, ann, range(4))
    ann.visit = 2
    ann.sync()
    ann.post("/api/leave", {"visit": 1})  # it was sent first but arrives last
    assert len(ann.sync()["images"]) == 4
    assert len(Browser(trial, "Ben", "1" * 32).sync()["images"]) == 2, "Ann is still here, and shares"


def test_a_class_is_added_where_they_are_open(trial):
    browser = Browser(trial)
    asked(trial, browser)
    view = browser.post("/api/class", {"name": "  hexagon "}).json
    assert view["classes"][-1] == "hexagon"
    assert view["open"] is True
    browser.answer((0, "hexagon"))
    assert trial.store.answers() == {0: 4}
    assert browser.post("/api/class", {"name": "(cannot tell)"}).status_code == 400


def test_fixed_classes_stay_as_they_are(fixed):
    browser = Browser(fixed)
    asked(fixed, browser)
    assert browser.sync()["open"] is False
    assert browser.post("/api/class", {"name": "hexagon"}).json == {"error": "the classes are fixed"}
    assert browser.answer((0, "hexagon")).status_code == 400
    assert list(fixed.pool.classes) == list(CLASSES)


def test_guesses_are_told_on_request_with_their_probability(trial):
    browser = Browser(trial)
    trial.ledger.guess[1] = -1
    trial.ledger.checked[2] = True  # people must not see what they check
    asked(trial, browser)
    assert "guess" not in json.dumps(browser.sync())
    trial.ledger.guess[:] = 0  # the model is learning: what it guessed when it asked is what people see
    reply = browser.post("/api/guess", {"images": [0, 1, 2]})
    assert reply.json["guesses"] == [
        {"index": 0, "label": CLASSES[trial.pool.truth[0]], "probability": pytest.approx(0.9)}
    ]


@pytest.mark.parametrize("again", [False, True])
def test_an_audit_tells_no_guess(trial, again):
    browser = Browser(trial)
    asked(trial, browser, purpose=Source.AUDIT, again=again)
    assert browser.post("/api/guess", {"images": [0]}).status_code == 403
    view = browser.sync()
    assert view["blind"] is True
    assert not {"guess", "probability", "doubt"} & set(re.findall("[a-z]+", json.dumps(view | {"words": ""})))
    trial.ledger.guess[:] = (trial.ledger.guess + 1) % 4
    trial.ledger.doubt[:] = -1
    after = browser.sync()
    assert {k: v for k, v in after.items() if k != "version"} == {k: v for k, v in view.items() if k != "version"}, (
        "nothing depends on it"
    )


def test_pages_hear_of_the_end(tmp_path):
    trial = Trial(tmp_path, shapes(12))
    browser = Browser(trial)
    asked(trial, browser)
    trial.web._room.end()
    view = browser.sync()
    assert view["state"] == "done"
    assert "stopped" in view["words"]
    trial.close()
    trial.web.close()  # a second time is harmless


# Who may talk to the page.


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8765", "127.0.0.1:1", "127.1.2.3", "[::1]:8765", "LOCALHOST."]
)
def test_this_machine_is_known_by_its_own_names(trial, host):
    assert Browser(trial, host=host).get("/").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "localhost.evil", "", "a@localhost", "192.168.0.7",
     "0.0.0.0", "localhost:99999", "localhost/x", "[::1", "localhost, evil", "localhost:x", "127.0.0.1 "],
)  # fmt: skip
def test_no_other_name_leads_here(trial, host):
    browser = Browser(trial)
    browser.host = host
    for reply in (browser.get("/"), browser.get("/app.js"), browser.post("/api/sync")):
        assert reply.status_code == 421
        assert "photos" not in reply.text


def test_further_names_are_configured_and_need_the_token(tmp_path):
    trial = Trial(tmp_path, shapes(4), names=("label.example.org",))
    try:
        browser = Browser(trial, host="label.example.org")
        assert browser.get("/").status_code == 200
        assert browser.post("/api/sync").status_code == 401
        assert Browser(trial, host="other.example.org").get("/").status_code == 421
    finally:
        trial.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},  # another port is another site
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_sites_are_turned_away(trial, headers):
    browser = Browser(trial)
    asked(trial, browser)
    assert browser.post("/api/sync", **headers).status_code == 403
    assert browser.post("/api/class", {"name": "x"}, **headers).status_code == 403
    assert browser.get("/image/0", **headers).status_code == 403
    assert trial.store.answers() == {}


def test_the_page_itself_may_be_linked_to_and_may_talk(trial):
    browser = Browser(trial)
    assert browser.get("/", Sec_Fetch_Site="cross-site").status_code == 200
    own = {"Origin": f"http://{browser.host}", "Sec_Fetch_Site": "same-origin"}
    assert browser.post("/api/sync", **own).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_of_another_site_could_send_is_refused(trial, kind):
    assert Browser(trial).post("/api/sync", kind=kind).status_code == 415


def test_a_page_for_others_needs_the_token(shared, caplog):
    caplog.set_level(logging.DEBUG)
    link = urlsplit(shared.web.link)
    token = link.fragment
    assert len(token) >= 22
    assert token not in shared.web.where
    browser = Browser(shared, host=link.netloc)
    assert browser.get("/").status_code == 200, "the page has to come first, to send the token"
    assert browser.post("/api/sync").status_code == 401
    assert browser.get("/image/0").status_code == 401
    for wrong in ("", "x" * 32, token[:-1], token + "x"):
        assert browser.post("/login", {"token": wrong}).status_code == 401
    for bad in (5, "\ud800", "x" * 101):
        assert browser.post("/login", {"token": bad}).status_code == 400
    assert browser.post("/login", {"token": token}, Origin="http://evil.example").status_code == 403
    reply = browser.post("/login", {"token": token})
    assert reply.status_code == 204
    cookie = reply.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    asked(shared, browser)
    replies = [reply, browser.post("/api/sync"), browser.get("/"), browser.get("/image/0"), browser.get("/nothing")]
    assert [r.status_code for r in replies] == [204, 200, 200, 200, 404]
    assert not [r for r in replies if token in str(r.headers) or token.encode() in r.data]
    assert token not in caplog.text


def test_a_wrong_cookie_opens_nothing(shared):
    browser = Browser(shared)
    name = f"alearn-{urlsplit(shared.web.where).port}"
    for value in ("", "0" * 64, guard.token(shared.folder), "\x7f"):
        assert browser.post("/api/sync", Cookie=f"{name}={value}").status_code == 401


def test_a_shared_page_is_known_by_addresses_and_its_own_names(shared):
    for host in ("192.168.0.7:8765", "[fe80::1]", "localhost", socket.gethostname()):
        assert Browser(shared, host=host).get("/").status_code == 200
    assert Browser(shared, host="evil.example").get("/").status_code == 421


def test_a_page_for_this_machine_needs_no_token(trial):
    assert trial.web.link == trial.web.where
    assert Browser(trial).post("/login", {"token": ""}).status_code == 204


def test_the_token_is_kept_for_the_trial_and_for_its_owner(tmp_path):
    first = guard.token(tmp_path)
    path = tmp_path / "web.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert guard.token(tmp_path) == first
    path.chmod(0o644)
    assert guard.token(tmp_path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short")
    assert len(guard.token(tmp_path)) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert guard.token(tmp_path / "other") != guard.token(tmp_path)
    with pytest.raises(AlearnError, match=r"web\.token"):
        guard.token(tmp_path / "missing")


# What may be asked.


@pytest.mark.parametrize(
    "path",
    ["/image/../web.token", "/image/..%2fweb.token", "/web.token", "/answers.db", "//etc/passwd", "/image/",
     "/image/x", "/image/-1", "/image/1e3", "/image/11", "/image/12", "/image/99999", "/image/" + "9" * 500,
     "/image/0/", "/image/٣", "/image/0?side=5000", "/image/0?side=-1", "/page/app.js", "/api/sync",
     "/static/../app.py", "/index.html", "/.git"],
)  # fmt: skip
def test_nothing_else_is_there(trial, path):
    browser = Browser(trial)
    asked(trial, browser)  # 0 to 9 of 12
    reply = browser.get(path)
    assert reply.status_code == 404
    assert set(reply.json) == {"error"}


def test_images_are_shown_only_while_they_are_asked_about(trial):
    browser = Browser(trial)
    assert browser.get("/image/0").status_code == 404
    asked(trial, browser, [0, 1])
    reply = browser.get("/image/0?side=256")
    assert (reply.status_code, reply.mimetype) == (200, "image/png")
    assert reply.headers["Cache-Control"].startswith("private")
    browser.answer((0, "circle"))
    assert browser.get("/image/0").status_code == 200, "it may be undone"
    browser.answer((1, "circle"))
    assert browser.get("/image/0").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
def test_other_methods_are_none(trial, method):
    reply = Client(trial.web.app).open("/", method=method, headers={"Host": "localhost"})
    assert reply.status_code == 405


@pytest.mark.parametrize("path", ["/", "/app.js", "/image/0", "/nothing", "/api/sync"])
def test_every_reply_has_the_headers(trial, path):
    browser = Browser(trial)
    asked(trial, browser)
    for reply in (browser.get(path), browser.post(path, kind="text/plain"), browser.post(path)):
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert "unsafe" not in reply.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert ("no-store" in reply.headers["Cache-Control"]) is not reply.mimetype.startswith("image/p")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "5", "null", '"x"', "[" * 30000, '{"who": ' + "9" * 5000 + "}", "\x00", b"\xff\xfe", "NaN", "{}"],
    ids=range(12),
)
def test_what_is_no_request_is_refused_in_a_word(trial, body):
    for path in ("sync", "answer", "skip", "undo", "leave", "guess", "class"):
        reply = Browser(trial).post(f"/api/{path}", body=body)
        assert reply.status_code == 400
        assert len(reply.json["error"]) < 100
        assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    "fields",
    [
        {"session": "x"}, {"session": 5}, {"session": "0" * 33}, {"who": ""}, {"who": "   "}, {"who": 5}, {"who": None},
        {"who": "x" * 101}, {"who": "a\nb"}, {"who": "a\u0000b"}, {"who": "\u202eab"}, {"who": "\ud800"},
        {"want": 0}, {"want": 61}, {"want": True}, {"want": 1.5}, {"want": "8"}, {"want": 10**400},
        {"want": float("nan")}, {"grid": 1}, {"grid": None}, {"here": "yes"}, {"classes": -1}, {"classes": [4]},
        {"classes": 2**60}, {"trial": 5},
    ],
)  # fmt: skip
def test_wrong_fields_are_refused(trial, fields):
    reply = Browser(trial).post("/api/sync", fields)
    assert reply.status_code == 400
    assert len(reply.json["error"]) < 120
    if "\ud800" not in fields.values():  # which is no JSON
        assert reply.json["error"].startswith(next(iter(fields)))


def test_a_refusal_names_the_first_field_and_what_it_must_be(trial):
    browser = Browser(trial)
    assert browser.post("/api/sync", {"who": "a\nb"}).json["error"] == "who: must have only visible characters"
    assert browser.post("/api/sync", {"want": 61}).json["error"] == "want: must be less than or equal to 60"
    twice = [{"index": 3, "label": None}] * 2
    assert browser.change("answer", answers=twice).json["error"] == "answers: must not name an image twice"
    assert browser.post("/api/sync", body=browser.request() * 2).json["error"].startswith("Invalid JSON: ")


def test_of_a_field_that_comes_twice_the_last_one_counts(trial):
    browser, body = Browser(trial), Browser(trial).request()
    assert browser.post("/api/sync", body=body.replace("{", '{"want": 61, ')).status_code == 200
    assert browser.post("/api/sync", body=body.replace("}", ', "want": 61}')).status_code == 400


def test_unknown_fields_are_nothing_unless_they_are_a_bomb(trial):
    browser = Browser(trial)
    for depth, status in ((100, 200), (10_000, 400)):
        body = browser.request().replace("}", f', "more": {"[" * depth}{"]" * depth}}}')
        assert browser.post("/api/sync", body=body).status_code == status


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("answer", {"answers": []}),
        ("answer", {"answers": {}}),
        ("answer", {"answers": [[0, "circle"]]}),
        ("answer", {"answers": [{"index": 0}]}),
        ("answer", {"answers": [{"index": 0, "label": "hexagon"}]}),
        ("answer", {"answers": [{"index": 0, "label": 0}]}),
        ("answer", {"answers": [{"index": 0, "label": True}]}),
        ("answer", {"answers": [{"index": True, "label": "circle"}]}),
        ("answer", {"answers": [{"index": "0", "label": "circle"}]}),
        ("answer", {"answers": [{"index": 0.0, "label": "circle"}]}),
        ("answer", {"answers": [{"index": -1, "label": "circle"}]}),
        ("answer", {"answers": [{"index": 11, "label": "circle"}]}),
        ("answer", {"answers": [{"index": 10**30, "label": "circle"}]}),
        ("answer", {"answers": [{"index": 0, "label": "circle"}] * 2}),
        ("answer", {"answers": [{"index": 0, "label": "circle"}, {"index": 11, "label": "circle"}]}),
        ("answer", {"answers": [{"index": i, "label": "circle"} for i in range(101)]}),
        ("answer", {"answers": [{"index": 0, "label": "circle"}], "number": True}),
        ("answer", {"answers": [{"index": 0, "label": "circle"}], "number": -1}),
        ("answer", {"answers": [{"index": 0, "label": "circle"}], "again": 0}),
        ("skip", {"images": [11]}),
        ("skip", {"images": [True]}),
        ("skip", {"images": "0"}),
        ("guess", {"images": [11]}),
        ("guess", {"images": [None]}),
        ("class", {"name": "x" * 101}),
        ("class", {"name": "a\tb"}),
        ("class", {"name": ["x"]}),
        ("class", {}),
        ("answer", {"answers": [{"index": 0, "label": "circle"}], "want": 0}),
        ("class", {"name": "hexagon", "want": 0}),
    ],
)
def test_wrong_wishes_are_refused_and_change_nothing(trial, what, fields):
    browser = Browser(trial)
    asked(trial, browser)
    assert browser.change(what, **fields).status_code == 400
    assert trial.store.answers() == {}
    assert list(trial.pool.classes) == list(CLASSES)


def test_an_answer_for_another_trial_is_not_taken(trial):
    browser = Browser(trial)
    asked(trial, browser)
    assert browser.answer((0, "circle"), trial="of yesterday").status_code == 409
    assert browser.answer((0, "circle"), trial=browser.sync()["trial"]).status_code == 200


def test_a_bug_is_logged_and_not_shown(trial, monkeypatch, caplog):
    browser = Browser(trial)
    monkeypatch.setattr(trial.web._room, "view", lambda *_: 1 / 0)
    reply = browser.post("/api/sync")
    assert reply.status_code == 500
    assert "Zero" not in reply.text
    assert "ZeroDivisionError" in caplog.text


def test_a_disk_that_is_full_loses_no_answer(trial, monkeypatch):
    browser = Browser(trial)
    asked(trial, browser, [0, 1])
    keep = trial.store.answer

    def fail(index, *rest, **more):
        if index == 1:
            raise OSError("no space left")
        return keep(index, *rest, **more)

    monkeypatch.setattr(trial.store, "answer", fail)
    assert browser.answer((0, "circle"), (1, "square"), number=5).status_code == 500
    monkeypatch.undo()
    view = browser.answer((0, "circle"), (1, "square"), number=5).json
    assert view["late"] == []
    trial.wait()
    assert trial.store.answers() == {0: 0, 1: 1}


# On a real socket.


def exchange(trial, data):
    address = urlsplit(trial.web.where)
    with socket.create_connection((address.hostname, address.port), timeout=LIMIT) as line:
        line.sendall(data)
        reply = b""
        while more := line.recv(65536):
            reply += more
    return reply


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", b"4"),
        (b"GET / HTTP/1.0\r\n\r\n", b"421"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX:".ljust(16 * 1024 - 4, b"x") + b"\r\n\r\n", b"431"),  # just too much
        (b"POST /api/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
         b"Content-Length: 70000\r\n\r\n" + b" " * 70000, b"413"),
        (b"POST /api/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
         b"Content-Length: 9999999999\r\n\r\n", b"413"),
        (b"POST /api/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n11170\r\n" + b" " * 70000 + b"\r\n0\r\n\r\n", b"413"),
        (b"NONSENSE\r\n\r\n", b"400"),
    ],
    ids=["fine", "name", "two names", "no name", "proxy", "header", "body", "claimed", "chunked", "nonsense"],
)  # fmt: skip
def test_sizes_and_hosts_on_the_wire(trial, data, status):
    reply = exchange(trial, data)
    assert reply.split()[1].startswith(status), reply[:200]
    assert b"Traceback" not in reply
    assert b"photos" not in reply


def ask_until_interrupted(folder):
    trial = Trial(folder, shapes(4))
    try:
        trial.web.ask(Batch(np.arange(4), Source.QUERY, 2, False, 0), print)
    except KeyboardInterrupt:
        trial.close()
        print("closed")


@pytest.mark.slow
def test_ctrl_c_ends_the_waiting(tmp_path):
    process = Apart(ask_until_interrupted, tmp_path)
    process.until_printed(1)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert process.out == "0 4\nclosed\n"


# Where it is served.


def test_a_port_in_use_names_the_key(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AlearnError, match=rf"oracle\.port={port}: is in use"):
            Trial(tmp_path, shapes(4), port=port)


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1", "", "x" * 300, "host.invalid"])
def test_a_host_that_is_none_names_the_key(tmp_path, host):
    with pytest.raises(AlearnError, match=rf"oracle\.host={host}"):
        Trial(tmp_path, shapes(4), host=host)


def test_where_says_how_to_reach_it(shared, trial_at):
    assert shared.web.where.startswith(f"http://{socket.gethostname()}:")
    assert trial_at(host="0.0.0.0", names=("gpu7",)).web.where.startswith("http://gpu7:")
    assert trial_at(host="localhost").web.where.startswith("http://localhost:")


@pytest.fixture
def trial_at(tmp_path):
    trials = []

    def start(**where):
        folder = tmp_path / f"trial{len(trials)}"
        folder.mkdir()
        trials.append(Trial(folder, shapes(4), **where))
        return trials[-1]

    yield start
    for trial in trials:
        trial.close()


def test_the_application_reads_its_pages_at_start():
    app = App(None, None)
    assert set(app._pages) == {"/", "/app.js", "/style.css", "/icon.svg"}
    script = app._pages["/app.js"][0].decode()
    assert "innerHTML" not in script
    assert "http://" not in script.replace('"http://', "")
