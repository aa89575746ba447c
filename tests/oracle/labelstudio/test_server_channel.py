"""The same tests with a stand-in and, if it is installed, with the real Label Studio."""

import json
import logging
from uuid import uuid4

import numpy as np
import pytest

from alearn.errors import AlearnError, WaitingError
from alearn.ledger import CANNOT_TELL, Source
from alearn.oracle.labelstudio import LabelStudioOracle, project, server_channel
from alearn.oracle.labelstudio.file_channel import Files
from alearn.oracle.labelstudio.labeling_config import labeling_config
from alearn.oracle.labelstudio.server_channel import Server
from alearn.oracle.labelstudio.task_format import annotation, prediction
from alearn.oracle.labelstudio.task_format import task as labeled
from alearn.oracle.people import Batch
from alearn.oracle.store import Store, read
from tests.conftest import shapes
from tests.oracle.labelstudio.stand_in import COMMAND, EMAIL, Deadly, Fake, Real, asking, insight, until

REAL = pytest.param(
    "real",
    marks=[
        pytest.mark.labelstudio,
        pytest.mark.skipif(COMMAND is None, reason="no Label Studio: neither ALEARN_LABEL_STUDIO nor label-studio"),
    ],
)


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    place = Real(tmp_path_factory.mktemp("label-studio"))
    yield place
    place.stop()


@pytest.fixture
def fake():
    place = Fake()
    yield place
    place.stop()


@pytest.fixture(params=["fake", REAL])
def place(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(server_channel, "SHORT", 0.02)
    monkeypatch.setattr(server_channel, "LONG", 0.05)


@pytest.fixture
def title():
    return f"trial {uuid4()}"


@pytest.fixture
def trial(tmp_path, monkeypatch, title):
    """A function that returns a channel to a place, and its store. A second call returns those of a resumed trial."""
    open_stores = []

    def make(place, guesses=None, classes=None, folder="trial", pool=None, key=None):
        for store in open_stores:
            store.close()
        open_stores.clear()
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", key or place.key)
        (tmp_path / folder).mkdir(exist_ok=True)
        pool = pool or shapes(150)
        store = Store(tmp_path / folder / "answers.db", pool.ids, classes or pool.classes)
        open_stores.append(store)
        config = LabelStudioOracle(name="labelstudio", url=place.url, project=title)
        return Server(config, pool, store, insight(150, guesses), tmp_path / folder), store

    yield make
    for store in open_stores:
        store.close()


def batch(*index, purpose=Source.QUERY, round=3, again=False, answered=0):  # noqa: A002
    return Batch(np.array(index), purpose, round, again, answered)


def task(place, title, item):
    return next(each for each in place.tasks(title) if each["data"]["item"] == f"img/{item}.png")


def test_people_answer_in_a_project_and_are_named(place, trial, title, tmp_path):
    channel, store = trial(place, {5: (2, 0.4), 7: (0, 0.75)})
    reports = []
    with asking(channel, batch(5, 7, 6, 9, answered=2), reports):
        until(lambda: place.count(title) == 4)
        tasks = place.tasks(title)
        assert [each["data"]["item"] for each in tasks] == ["img/5.png", "img/7.png", "img/6.png", "img/9.png"]
        assert {each["data"]["asked"] for each in tasks} == {"query, round 3"}
        assert all(each["data"]["image"].startswith("data:image/png;base64,iVBOR") for each in tasks)
        until(lambda: place.project(title)["model_version"] == "alearn round 3")
        place.say(tasks[0], "b")
        until(lambda: store.answers() == {5: 1})
        place.say(tasks[1], None)
        place.say(tasks[2], "c")
        until(lambda: len(store.answers()) == 3)
        place.say(tasks[3], "alearn:cannot-tell")
    assert store.answers() == {5: 1, 7: CANNOT_TELL, 6: 2, 9: CANNOT_TELL}
    said = read(tmp_path / "trial" / "answers.db")
    assert {(one.who, one.purpose, one.round, one.again) for one in said} == {(EMAIL, "query", 3, False)}
    assert reports == [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def test_tasks_show_what_the_model_thinks_where_it_does(place, trial, title):
    channel, _ = trial(place, {5: (2, 0.4), 7: (0, 0.75)})
    with asking(channel, batch(5, 6, 7)):
        until(lambda: place.count(title) == 3)
        guesses = {each["data"]["item"]: each["predictions"] for each in place.tasks(title)}
        for each in place.tasks(title):
            place.say(each, "a")
    assert guesses["img/6.png"] == []
    (guess,) = guesses["img/5.png"]
    assert guess["result"][0]["value"] == {"choices": ["c"]}
    assert (guess["score"], guess["model_version"]) == (pytest.approx(0.4), "alearn round 3")
    assert place.project(title)["sampling"] == "Uncertainty sampling"


def test_audits_are_blind_and_a_second_question_is_a_new_task(place, trial, title):
    channel, store = trial(place, {5: (2, 0.4)})
    for again in (False, True):
        with asking(channel, batch(5, purpose=Source.AUDIT, again=again)):
            until(lambda: place.count(title) == 1 + again)  # noqa: B023, it ends within the turn
            (new,) = [each for each in place.tasks(title) if not each["annotations"]]
            assert new["predictions"] == []
            assert new["data"]["asked"] == f"audit, round 3{', again' if again else ''}"
            place.say(new, "b" if again else "a")
    assert (store.answers(), store.answers(again=True)) == ({5: 0}, {5: 1})


def test_a_server_that_goes_is_waited_for_and_said_so_once(place, trial, title, caplog):
    channel, store = trial(place)
    with asking(channel, batch(1, 2, 3)):
        until(lambda: place.count(title) == 3)
        place.say(task(place, title, 1), "a")
        until(lambda: store.answers() == {1: 0})
        place.stop()
        until(lambda: "is away" in caplog.text)
        place.start()
        until(lambda: "is back" in caplog.text)
        assert place.count(title) == 3
        place.say(task(place, title, 2), "b")
        place.say(task(place, title, 3), "c")
    assert store.answers() == {1: 0, 2: 1, 3: 2}
    assert [word in caplog.text for word in (place.url, place.key)] == [True, False]
    assert caplog.text.count("is away") == caplog.text.count("is back") == 1


def test_a_resumed_trial_pushes_nothing_twice_and_has_what_was_said_meanwhile(place, trial, title):
    channel, store = trial(place)
    with asking(channel, batch(1, 2, 3, 4), Deadly()):
        until(lambda: place.count(title) == 4)
        place.say(task(place, title, 1), "a")
    place.say(task(place, title, 2), "b")
    assert store.answers() == {1: 0}, "on disk before anything else is done"
    channel, store = trial(place)
    with asking(channel, batch(2, 3, 4, answered=1)):
        until(lambda: store.answers() == {1: 0, 2: 1})
        place.say(task(place, title, 3), "c")
        place.say(task(place, title, 4), "a")
    assert place.count(title) == 4
    assert store.answers() == {1: 0, 2: 1, 3: 2, 4: 0}


def test_another_trial_in_the_same_project_has_tasks_of_its_own(place, trial, title):
    channel, _ = trial(place)
    with asking(channel, batch(1)):
        until(lambda: place.count(title) == 1)
        place.say(task(place, title, 1), "a")
    channel, store = trial(place, folder="other")
    with asking(channel, batch(1)):
        until(lambda: place.count(title) == 2)
        (new,) = [each for each in place.tasks(title) if not each["annotations"]]
        place.say(new, "b")
    assert store.answers() == {1: 1}


def test_the_first_annotation_stands(place, trial, title):
    channel, _ = trial(place)
    with asking(channel, batch(1, 2, 3), Deadly()):
        until(lambda: place.count(title) == 3)
        place.say(task(place, title, 3), "a")
    for item, choice in [(1, "b"), (1, "c"), (2, None), (2, "a")]:
        place.say(task(place, title, item), choice)
    channel, store = trial(place)
    channel.ask(batch(1, 2), lambda *_: None)
    assert store.answers() == {1: 1, 2: CANNOT_TELL, 3: 0}


def test_a_project_that_was_deleted_is_said_to_be_gone(fake, trial, title):
    channel, _ = trial(fake)
    with asking(channel, batch(1)):
        until(lambda: fake.count(title) == 1)
        fake.say(task(fake, title, 1), "a")
    fake.projects.clear()
    with pytest.raises(AlearnError, match=f"{fake.url}/projects/1: the project is gone; resume the trial"):
        channel.ask(batch(2), lambda *_: None)


def test_what_is_no_class_is_warned_of_once_and_waits_to_be_corrected(place, trial, title, caplog):
    channel, store = trial(place)
    with asking(channel, batch(1, 2)):
        until(lambda: place.count(title) == 2)
        wrong = place.say(task(place, title, 1), "zebra")
        until(lambda: "'zebra' is none of a, b, c" in caplog.text)
        place.say(task(place, title, 2), "a")
        until(lambda: 2 in store.answers())
        assert 1 not in store.answers()
        part = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["b"]}}
        place.call("PATCH", f"/api/annotations/{wrong}/", {"result": [part]})
    assert store.answers() == {1: 1, 2: 0}
    assert caplog.text.count("zebra") == 1
    assert f"task {task(place, title, 1)['id']} (img/1.png)" in caplog.text


def test_a_class_that_the_team_adds_is_one_where_classes_are_open(place, trial, title):
    channel, store = trial(place, classes=["a", "b"])
    with asking(channel, batch(0, 1)):
        until(lambda: place.count(title) == 2)
        found = place.project(title)
        config = found["label_config"].replace("</Choices>", '<Choice value="zebra" hint="striped"/></Choices>')
        place.call("PATCH", f"/api/projects/{found['id']}/", {"label_config": config})
        place.say(task(place, title, 0), "zebra")
        place.say(task(place, title, 1), "b")
    assert list(store.classes) == ["a", "b", "zebra"]
    assert store.answers() == {0: 2, 1: 1}
    store.add_class("okapi")  # by somebody else
    with asking(channel, batch(2)):
        until(lambda: place.count(title) == 3)
        config = place.project(title)["label_config"]
        place.say(task(place, title, 2), "okapi")
    assert 'hint="striped"' in config, "the team's own words stay"
    assert config.index("okapi") < config.index("cannot tell")
    assert store.answers()[2] == 3


def test_a_team_that_has_a_project_keeps_its_names(place, trial, title):
    config = (
        '<View><Header value="Which?"/><Choices name="kind" toName="pic" choice="single"><Choice value="b"/></Choices>'
        '<Image name="pic" value="$pic"/></View>'
    )
    place.call("POST", "/api/projects/", {"title": title, "label_config": config})
    channel, store = trial(place, {0: (1, 0.5)})
    with asking(channel, batch(0)):
        until(lambda: place.count(title) == 1)
        (only,) = place.tasks(title)
        assert only["data"]["pic"].startswith("data:image/")
        assert only["predictions"][0]["result"][0]["from_name"] == "kind"
        place.say(only, "b", ("kind", "pic"))
    assert store.answers() == {0: 1}
    grown = place.project(title)["label_config"]
    assert "Which?" in grown
    assert [grown.count(f'value="{name}"') for name in "abc"] == [1, 1, 1]


def test_a_project_for_something_else_is_refused(place, trial, title):
    config = (
        '<View><Text name="text" value="$text"/><Choices name="kind" toName="text"><Choice value="b"/></Choices></View>'
    )
    place.call("POST", "/api/projects/", {"title": title, "label_config": config})
    channel, _ = trial(place)
    with pytest.raises(AlearnError, match=f"oracle.project={title}: its labeling config has no <Choices>"):
        channel.ask(batch(0), lambda *_: None)


def test_a_task_that_was_deleted_is_pushed_again(place, trial, title):
    channel, store = trial(place)
    with asking(channel, batch(1, 2)):
        until(lambda: place.count(title) == 2)
        gone = task(place, title, 1)["id"]
        place.call("DELETE", f"/api/tasks/{gone}/")
        until(lambda: place.count(title) == 2)
        for each in place.tasks(title):
            place.say(each, "a")
    assert store.answers() == {1: 0, 2: 0}


def test_many_tasks_go_in_chunks_and_are_read_in_pages(place, trial, title, monkeypatch):
    monkeypatch.setattr(project, "PAGE", 40)
    channel, store = trial(place)
    with asking(channel, batch(*range(120))):
        until(lambda: place.count(title) == 120)
        assert len({each["data"]["item"] for each in place.tasks(title)}) == 120
        for each in place.tasks(title):
            place.say(each, "abc"[int(each["data"]["item"][4:-4]) % 3])
    assert store.answers() == {i: i % 3 for i in range(120)}
    assert [path for _, path in place.log if path.endswith("import")] == ["/api/projects/1/import"] * 3 or not place.log


def test_a_personal_access_token_buys_short_lived_ones(place, trial, title, caplog):
    channel, store = trial(place, key=place.refresh)
    with asking(channel, batch(1)):
        until(lambda: place.count(title) == 1)
        place.say(task(place, title, 1), "a")
    assert store.answers() == {1: 0}
    assert place.refresh not in caplog.text


def test_a_token_that_has_run_out_is_bought_anew(fake, trial, title):
    fake.lives = 2
    channel, store = trial(fake, key=fake.refresh)
    with asking(channel, batch(1)):
        until(lambda: fake.count(title) == 1)
        fake.say(task(fake, title, 1), "a")
    assert store.answers() == {1: 0}
    assert fake.bought > 1


@pytest.mark.parametrize("key", ["f" * 40, "head.body.sign"])
def test_a_wrong_key_is_named_but_not_shown(place, trial, key):
    channel, _ = trial(place, key=key)
    with pytest.raises(AlearnError, match=f"LABEL_STUDIO_API_KEY: {place.url} does not accept this key") as error:
        channel.ask(batch(1), lambda *_: None)
    assert key not in str(error.value)


def test_whoever_may_not_is_told(fake, trial):
    fake.refuse = 403
    channel, _ = trial(fake)
    with pytest.raises(AlearnError, match=r"lacks the permission for .*/api/projects/ \(You do not have permission"):
        channel.ask(batch(1), lambda *_: None)


def test_no_key_and_no_url_are_said_before_anything_is_asked(fake, trial, monkeypatch, tmp_path):
    trial(fake)
    for url, why in {
        "localhost:8080": "this is not the address of a server",
        "http://": "this is not the address",
        "http://a b": "this is not the address",
        "http://host:99999999": "this is not the address",
        "http://user:word@host": "leave out user, password",
        "user:word@host": "leave out user, password",
        "http://höst": "this is not the address",
    }.items():
        config = LabelStudioOracle(name="labelstudio", url=url, project=None)
        with pytest.raises(AlearnError, match=f"oracle.url.*{why}") as error:
            Server(config, shapes(3), None, insight(3), tmp_path)
        assert "word@" not in str(error.value)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    config = LabelStudioOracle(name="labelstudio", url=fake.url, project=None)
    with pytest.raises(AlearnError, match="LABEL_STUDIO_API_KEY: the environment has no key"):
        Server(config, shapes(3), None, insight(3), tmp_path)


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (200, {"hello": 1}, "this is not Label Studio; check"),
        (404, {"detail": "no"}, "this is not Label Studio .it answers 404"),
        (302, None, "the server redirects to None"),
        (200, None, "this is not Label Studio; /api/version does not answer JSON"),
    ],
)
def test_another_kind_of_server_is_none_of_ours(fake, trial, status, answer, why):
    fake.version = (status, answer)
    channel, _ = trial(fake)
    with pytest.raises(AlearnError, match=f"oracle.url={fake.url}: {why}"):
        channel.ask(batch(1), lambda *_: None)


def test_an_error_of_the_server_is_waited_out(fake, trial, title, caplog):
    fake.refuse = 503
    channel, store = trial(fake)
    with asking(channel, batch(1)):
        until(lambda: "is away (it answers 503" in caplog.text)
        fake.refuse = 0
        until(lambda: fake.count(title) == 1)
        fake.say(task(fake, title, 1), "a")
    assert store.answers() == {1: 0}


@pytest.mark.parametrize("trouble", [{"drop": 1}, {"limit": 20}], ids=["its answer is lost", "a proxy takes less"])
def test_an_import_in_trouble_brings_each_task_once(fake, trial, title, trouble):
    for name, value in trouble.items():
        setattr(fake, name, value)
    channel, store = trial(fake)
    with asking(channel, batch(*range(60))):
        until(lambda: fake.count(title) == 60)
        for each in fake.tasks(title):
            fake.say(each, "a")
    assert len(store.answers()) == len(fake.rows) == 60


def test_a_server_that_imports_in_the_background_is_not_pushed_to_twice(fake, trial, title):
    fake.late = 5
    channel, store = trial(fake)
    with asking(channel, batch(1, 2)):
        until(lambda: fake.count(title) == 2)
        for each in fake.tasks(title):
            fake.say(each, "a")
    assert len(store.answers()) == len(fake.rows) == 2


def test_a_trial_without_a_project_is_its_folder_s(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", fake.key)
    for folder, name in {"sweep/0": "sweep 0", "12-30-00": "12-30-00", "n" * 70: "n" * 50}.items():
        config = LabelStudioOracle(name="labelstudio", url=fake.url, project=None)
        channel = Server(config, shapes(3), None, insight(3), tmp_path / folder)
        assert channel.where == f"{fake.url}, project {name}"


def test_the_place_to_label_is_told(fake, trial, title, caplog):
    caplog.set_level(logging.INFO, "alearn.oracle")
    channel, _ = trial(fake)
    with asking(channel, batch(1)):
        until(lambda: f"1 images to label at {fake.url}/projects/1" in caplog.text)
        fake.say(task(fake, title, 1), "a")


@pytest.mark.parametrize("place", [REAL], indirect=True)
@pytest.mark.parametrize(("kind", "suffix"), [("JSON", "json"), ("JSON_MIN", "json"), ("CSV", "csv")])
def test_files_go_there_and_back(place, title, tmp_path, kind, suffix):
    names = ['a "quoted", name', " padded ", "$odd"]
    config = LabelStudioOracle(name="labelstudio", url=None, project=None)
    with Store(tmp_path / "answers.db", shapes(150).ids, names) as store:
        channel = Files(config, shapes(150), store, insight(150, {1: (2, 0.4)}), tmp_path)
        with pytest.raises(WaitingError):
            channel.ask(batch(1, 2, 3, 4, 5), lambda *_: None)
        folder = tmp_path / "labelstudio"
        new = {"title": title, "label_config": (folder / "labeling_config.xml").read_text()}
        number = place.call("POST", "/api/projects/", new)["id"]
        place.call("POST", f"/api/projects/{number}/import", json.loads((folder / "tasks.json").read_text()))
        assert [len(each["predictions"]) for each in place.tasks(title)] == [1, 0, 0, 0, 0]
        for item, choice in enumerate([*names, "alearn:cannot-tell", None], 1):
            place.say(task(place, title, item), choice)
        place.say(task(place, title, 1), names[1])
        exported = place.call("GET", f"/api/projects/{number}/export?exportType={kind}", raw=True)
        (folder / f"annotations.{suffix}").write_bytes(exported)
        if kind == "JSON":
            channel.ask(batch(1, 2, 3, 4, 5), lambda *_: None)
        else:
            with pytest.raises(WaitingError, match="1 images wait"):  # these exports leave out what was skipped
                channel.ask(batch(1, 2, 3, 4, 5), lambda *_: None)
        skipped = {5: CANNOT_TELL} if kind == "JSON" else {}
        assert store.answers() == {1: 0, 2: 1, 3: 2, 4: CANNOT_TELL} | skipped


@pytest.mark.parametrize("place", [REAL], indirect=True)
def test_a_labeled_data_set_can_be_imported(place, title):
    number = place.call("POST", "/api/projects/", {"title": title, "label_config": labeling_config(["cat", "dog"])})[
        "id"
    ]
    tasks = [
        labeled("img/1.png", "data:image/png;base64,iVBORw==", [annotation("cat")]),
        labeled("img/2.png", "https://example.org/2.png", predictions=[prediction("dog", 0.75, "alearn round 4")]),
        labeled("img/3.png", "s3://bucket/3.png", [annotation(None)]),
        labeled("img/4.png", "/data/local-files/?d=4.png", data={"split": "train"}),
    ]
    place.call("POST", f"/api/projects/{number}/import", tasks)
    there = place.tasks(title)
    assert [each["data"]["item"] for each in there] == [f"img/{i}.png" for i in (1, 2, 3, 4)]
    assert [[one["was_cancelled"] for one in each["annotations"]] for each in there] == [[False], [], [True], []]
    assert there[0]["annotations"][0]["result"][0]["value"] == {"choices": ["cat"]}
    assert [(one["score"], one["model_version"]) for one in there[1]["predictions"]] == [(0.75, "alearn round 4")]
    assert there[3]["data"]["split"] == "train"


def test_keys_are_in_no_file(place, trial, title, tmp_path):
    channel, _ = trial(place)
    with asking(channel, batch(1)):
        until(lambda: place.count(title) == 1)
        place.say(task(place, title, 1), "a")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if place.key.encode() in path.read_bytes()]
