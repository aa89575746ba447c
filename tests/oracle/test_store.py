import sqlite3
import threading

import numpy as np
import pytest

from alearn import loop
from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.oracle.people import People
from alearn.oracle.store import Answer, Store, read
from tests.apart import Apart

IDS = tuple(f"photo {i}.jpg" for i in range(6))


def test_answers_stand_until_they_are_withdrawn(tmp_path):
    classes = ["cat", "dog"]
    with Store(tmp_path / "answers.db", IDS, classes) as store:
        assert store.answer(3, 1, Source.FIRST, 0, "Ada")
        assert not store.answer(3, 0, Source.FIRST, 0, "Bob"), "there is one already"
        assert store.answer(3, 0, Source.AUDIT, 2, "Bob", again=True), "a second question has an answer of its own"
        assert store.answer(4, CANNOT_TELL, Source.QUERY, 1, "Ada")
        assert store.answer(5, 0, Source.QUERY, 1, "Ada")
        store.withdraw(5)
        store.withdraw(0)
        assert store.answers() == {3: 1, 4: CANNOT_TELL}
        assert store.answers(again=True) == {3: 0}
        assert store.answer(5, 1, Source.QUERY, 1, "Ada")
        assert store.givers() == {3: "Ada", 4: "Ada", 5: "Ada"}
        assert store.givers(again=True) == {3: "Bob"}
        assert store.to_rounds(0) == {3: 1}
        assert store.to_rounds(1) == {3: 1, 4: CANNOT_TELL, 5: 1}
        with pytest.raises(ValueError, match="not a class: 2"):
            store.answer(0, 2, Source.QUERY, 1, "Ada")
    answers = read(tmp_path / "answers.db")
    assert [(a.item, a.label, a.purpose, a.round, a.who, a.again) for a in answers] == [
        ("photo 3.jpg", "dog", "first", 0, "Ada", False),
        ("photo 3.jpg", "cat", "audit", 2, "Bob", True),
        ("photo 4.jpg", None, "query", 1, "Ada", False),
        ("photo 5.jpg", "dog", "query", 1, "Ada", False),
    ]
    assert all(a.at.endswith("Z") and a.at[:4] >= "2026" for a in answers)
    assert isinstance(answers[0], Answer)
    withdrawn = sqlite3.connect(tmp_path / "answers.db").execute("SELECT count(withdrawn), count(*) FROM answer")
    assert withdrawn.fetchone() == (1, 5), "what was withdrawn is kept"


def test_an_answer_that_the_trial_has_taken_is_not_withdrawn(tmp_path):
    with Store(tmp_path / "answers.db", IDS, ["cat"]) as store:
        store.answer(0, 0, Source.QUERY, 1, "Ada")
        assert store.to_rounds(1) == {0: 0}
        store.answer(1, 0, Source.QUERY, 1, "Ada")
        store.answer(0, 0, Source.AUDIT, 1, "Ada", again=True)
        assert (store.withdraw(0), store.withdraw(0, again=True), store.withdraw(1)) == (False, True, True)
        store.answer(2, 0, Source.QUERY, 1, "Ada")
        store.take()
        assert not store.withdraw(2)
        assert store.answers() == {0: 0, 2: 0}


def test_another_process_finds_answers_and_added_classes(tmp_path):
    path, classes = tmp_path / "answers.db", ["cat"]
    with Store(path, IDS, classes) as store:
        assert (store.add_class("dog"), store.add_class("cat")) == (1, 0)
        store.answer(0, 1, Source.FIRST, 0, "Ada")
    later = ["cat"]
    with Store(path, (*IDS[2:], IDS[0]), later) as store:
        assert later == ["cat", "dog"]
        assert store.answers() == {4: 1}, "by the image's name, wherever it is now"
        with pytest.raises(AlearnError, match="another trial uses these answers"):
            Store(path, IDS, ["cat"])
    with pytest.raises(AlearnError, match="its class 0 is cat, not horse as in the data set"):
        Store(path, IDS, ["horse"])
    with pytest.raises(AlearnError, match="its class dog is none of cat"):
        Store(path, IDS, ("cat",))
    with Store(path, IDS, ("cat", "dog", "horse")) as store, pytest.raises(ValueError, match="fixed"):
        store.add_class("cow")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "(cannot tell)", " cat"])
def test_no_class_can_have_such_a_name(tmp_path, name):
    with Store(tmp_path / "answers.db", IDS, []) as store, pytest.raises(ValueError, match="class name"):
        store.add_class(name)


def test_a_file_that_is_none_of_ours_is_named(tmp_path):
    path = tmp_path / "answers.db"
    path.write_text("these are no answers, but they are long enough to be taken for something" * 20)
    with pytest.raises(
        AlearnError, match=r"answers\.db: cannot be used as a store of answers \(file is not a database"
    ):
        Store(path, IDS, [])
    with pytest.raises(AlearnError, match=r"answers\.db: cannot be read"):
        read(path)
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("PRAGMA user_version=99")
    with pytest.raises(AlearnError, match="another version of alearn"):
        Store(other, IDS, [])


def test_an_audit_draws_once(tmp_path):
    path = tmp_path / "answers.db"
    for seed in ("one", "two"):
        with Store(path, IDS, ["cat"]) as store:
            assert store.keep_draw("labels", lambda seed=seed: seed) == "one"
            with pytest.raises(
                AlearnError, match=r"for other labels or terms .* Restore the checkpoint\.pt of that audit"
            ):
                store.keep_draw("other labels", lambda: "three")


def test_a_store_that_has_no_room_for_a_draw_gets_it(tmp_path):
    path = tmp_path / "answers.db"
    with Store(path, IDS, ["cat"]) as store:
        store.answer(0, 0, Source.FIRST, 0, "Ada")
    base = sqlite3.connect(path)
    base.executescript("DROP TABLE draw; PRAGMA user_version=1")  # as it was written before audits kept their draw
    base.close()
    with Store(path, IDS, ["cat"]) as store:
        assert store.answers() == {0: 0}
        assert store.keep_draw("labels", lambda: "one") == "one"


def test_many_threads_answer_each_image_once(tmp_path):
    ids = tuple(map(str, range(200)))
    with Store(tmp_path / "answers.db", ids, ["a", "b"]) as store:
        taken = [[] for _ in range(4)]

        def person(number):
            for i in range(200):
                if store.answer(i, number % 2, Source.FIRST, 0, f"person {number}"):
                    taken[number].append(i)

        threads = [threading.Thread(target=person, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(i for images in taken for i in images) == list(range(200))
        assert store.answers() == {i: n % 2 for n, images in enumerate(taken) for i in images}


MANY = tuple(map(str, range(100_000)))


def answer_all(path):
    store = Store(path, MANY, ["a", "b"])
    for i in range(len(MANY)):
        store.answer(i, i % 2, Source.FIRST, 0, "Ada")
        print(i)


@pytest.mark.slow
def test_what_was_answered_outlives_kill_9(tmp_path):
    path = tmp_path / "answers.db"
    process = Apart(answer_all, path)
    process.until_printed(50)
    process.kill()
    answered = process.out.count("\n")
    with Store(path, MANY, ["a", "b"]) as store:
        assert {i: i % 2 for i in range(answered)}.items() <= store.answers().items()


class Silent:
    where = link = "nowhere"

    def ask(self, batch, report):
        raise AssertionError("nothing is to be asked")

    def close(self):
        pass


def test_answers_to_what_a_resumed_round_does_not_ask_again_count_all_the_same(tmp_path):
    """This happens when a trial is resumed on another GPU, where its queries differ."""
    ledger = Ledger.empty(6)
    ledger.write(np.array([0]), np.array([0]), Source.FIRST, 0)
    ledger.write(np.array([1, 2]), np.array([1, 1]), Source.AUTO, 2)
    store = Store(tmp_path / "answers.db", IDS, ["cat", "dog"])
    for index, purpose, number in (
        (0, Source.FIRST, 0),
        (2, Source.QUERY, 2),
        (3, Source.QUERY, 3),
        (4, Source.AUDIT, 2),
    ):
        store.answer(index, 0, purpose, number, "Ada")
    people = People(store, Silent(), ledger, lambda done, total: None)
    loop.adopt(ledger, people.answered(2), 2)
    assert ledger.source.tolist() == [2, 1, 3, 0, 0, 0], (
        "only the answer to the query of round 2, not those to later questions"
    )
    assert ledger.label[2] == 0
    assert people.label(np.array([0, 2, 3]), Source.QUERY).tolist() == [0, 0, 0]
    people.close()
