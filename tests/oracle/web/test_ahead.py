"""People answer while the model learns."""

from itertools import count
from threading import Thread

import numpy as np
import pytest

from alearn.errors import AlearnError
from alearn.journal import Round
from alearn.ledger import Source
from alearn.oracle.store import NAME, Store, read
from alearn.oracle.web import desk
from tests.oracle.web.desks import Browser
from tests.oracle.web.rolling import AHEAD, Gate, Rolling, StopError, answer, during_fit, right, settings
from tests.scripted import TRUTH, script
from tests.waiting import LIMIT, until


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch):
    """Let nobody count as gone because the machine is slow."""
    monkeypatch.setattr(desk, "SILENT", LIMIT)


@pytest.fixture
def gate(monkeypatch):
    script(monkeypatch)
    made = Gate()
    during_fit(monkeypatch, made.train)
    return made


@pytest.fixture
def started(gate, tmp_path):
    """Start a trial whose trainings wait at the gate. At the end of the test, let them end and answer everything."""
    trials = []

    def start(*words):
        trials.append(Rolling(tmp_path, settings(*words)))
        trials[-1].start()
        return trials[-1]

    yield start
    gate.shut()
    for trial in trials:
        trial.close()


def asking(browser):
    """Wait until the page shows images, and return its view."""
    return until(lambda: view if (view := browser.sync()).get("images") else None)


def to_first_round(trial, gate):
    """Answer the first images and let round 1 decide. Return the browser."""
    ann = Browser(trial)
    asking(ann)
    answer(ann, 20)
    gate.begun()
    assert ann.sync()["state"] == "working", "the first images wait for all answers"
    gate.open()
    asking(ann)
    return ann


def queue(view):
    return [image["index"] for image in view["images"]]


def test_people_answer_while_the_model_learns_and_get_new_questions_behind_those_they_see(started, gate):
    trial = started()
    ann = to_first_round(trial, gate)
    view = ann.sync()
    assert (view["answered"], view["total"], view["learning"], view["round"]) == (0, 10, False, 2)
    first = queue(view) + queue(ann.sync(want=60))[8:]
    assert len(first) == 10 + AHEAD
    answer(ann, 10)
    gate.begun()  # the second training, which lasts
    view = ann.sync()
    assert (view["state"], view["learning"], view["answered"], view["total"]) == ("ask", True, 10, 10)
    assert queue(view) == first[10:], "they are still there"
    early = answer(ann)
    assert early == first[10:11]
    assert trial.ledger.paid == 30, "the ledger does not change while the model learns"
    assert trial.store.answers()[early[0]] == TRUTH[early[0]], "but the answer is safe"
    seen = queue(ann.sync())[:2]
    gate.open()
    view = until(lambda: view if (view := ann.sync())["round"] == 3 else None)
    assert (view["answered"], view["total"], view["learning"]) == (1, 10, False), "it counts for this round"
    assert trial.ledger.round[early[0]] == 2
    assert trial.ledger.source[early[0]] == Source.QUERY
    now = queue(ann.sync(want=60))
    assert now[:2] == seen == queue(view)[:2]
    wanted = [i for i in trial.ledger.unlabeled if i in now]
    assert len(now) == len(set(now)) == 9 + AHEAD
    assert set(now[2:]) <= set(wanted)
    assert first[13] not in now, "nobody saw it, and there are better ones by now"
    reply = ann.answer((first[13], right(first[13])))
    assert reply.status_code == 400
    assert "needs no answer" in reply.json["error"]
    assert first[13] not in trial.store.answers()
    assert ann.get(f"/image/{first[13]}").status_code == 404


def test_the_counts_and_the_estimate_move_when_a_round_is_decided(started, gate):
    trial = started("policy.auto.rule=threshold", "policy.threshold=0.9")
    ann = to_first_round(trial, gate)
    counts = ann.sync()["counts"]
    autos = int(trial.ledger.auto.sum())
    assert autos > 0
    assert counts == {"hand": 20, "auto": autos, "unlabeled": 980 - autos, "estimate": 0.02}
    answer(ann, 12)
    gate.begun()
    assert ann.sync()["counts"] == counts | {"hand": 32, "unlabeled": 968 - autos}
    gate.open()
    view = until(lambda: view if (view := ann.sync())["round"] == 3 else None)
    assert (view["counts"]["hand"], view["counts"]["estimate"]) == (32, 0.032)
    assert view["counts"]["auto"] == int(trial.ledger.auto.sum()) > autos


def test_who_answers_everything_waits_for_the_next_images(started, gate):
    trial = started()
    ann = to_first_round(trial, gate)
    answer(ann, 10)
    gate.begun()
    answer(ann, AHEAD)
    assert ann.sync()["state"] == "working"
    gate.open()
    view = asking(ann)
    assert (view["answered"], view["total"]) == (AHEAD, 10)
    assert trial.ledger.paid == 20 + 10 + AHEAD


def test_an_answer_can_be_undone_until_the_model_learns_from_it(started, gate):
    trial = started()
    ann = to_first_round(trial, gate)
    slip = answer(ann)[0]
    assert ann.change("undo").json["back"] == [slip]
    answer(ann, 10)
    gate.begun()
    view = ann.sync()
    assert view["undo"] == 0, "the model learns from these"
    assert ann.change("undo").json["back"] == []
    slip = answer(ann)[0]
    assert ann.sync()["undo"] == 1
    assert ann.change("undo").json["back"] == [slip]
    assert slip not in trial.store.answers()
    again = answer(ann, 2)
    assert again[0] == slip
    gate.open()
    view = until(lambda: view if (view := ann.sync())["round"] == 3 else None)
    assert (view["undo"], view["answered"]) == (0, 2)
    assert ann.change("undo").json["back"] == []
    assert set(again) <= trial.store.answers().keys()


def test_two_people_and_a_grid_keep_what_they_see(started, gate):
    trial = started()
    ann = to_first_round(trial, gate)
    ben = Browser(trial, "Ben", "1" * 32)
    answer(ann, 9)
    grid = queue(ben.sync(grid=True, want=3))
    one = queue(ann.sync())
    assert not set(grid) & set(one)
    assert len(grid) == 2, "a fair share of the 5 that are open"
    answer(ann)
    gate.begun()
    ann.sync()
    gate.open()
    view = until(lambda: view if (view := ben.sync(grid=True, want=3))["round"] == 3 else None)
    assert queue(view) == grid
    mine = queue(ann.sync())
    assert mine[0] == one[1]
    assert not set(mine) & set(grid)


def test_people_who_never_stop_and_change_their_minds_exceed_no_budget(tmp_path, monkeypatch):
    script(monkeypatch)
    trial = Rolling(tmp_path, settings("policy.hand_budget=90"))
    refused = []

    def hurry(who, session):
        browser = Browser(trial, who, session)
        for number in count():
            view = browser.sync()
            if view["state"] == "done" or not trial.running:
                return
            for image in queue(view)[:1] if "images" in view else ():
                reply = browser.answer((image, right(image)))
                refused.extend([reply.json["error"]] if reply.status_code == 400 else [])
                if number % 3 == 0:
                    browser.change("undo")

    trial.start()
    people = [Thread(target=hurry, args=(f"{i}", f"{i}" * 32)) for i in range(3)]
    for person in people:
        person.start()
    for person in people:
        person.join(LIMIT)
    trial.close()
    checked(tmp_path, trial, budget=90)
    assert trial.ledger.rounds <= 8
    assert refused == []


class Eager:
    """A person who answers from within the trial's own thread: whenever it reports, commits or trains.

    pause: how many images she answers during a training.
    steps: how many steps there have been. stop: the step at which the process is killed, if it is.
    """

    def __init__(self, pause):
        self.pause = pause
        self.browser = None
        self.steps = 0
        self.stop = None

    def step(self):
        """Take a step. Raise StopError if it is the last one: the process is killed there."""
        if self.steps == self.stop:
            raise StopError
        self.steps += 1

    def told(self):
        """Answer an image."""
        if self.browser.sync().get("images"):
            self.step()
            answer(self.browser)
            self.step()

    def trains(self):
        """Answer some images while the model trains."""
        for _ in range(self.pause):
            self.told()
        self.step()


def run(folder, config, eager, saved=None, **options):
    """Run a trial until it ends or is killed."""
    trial = Rolling(folder, config, saved, told=eager.told, **options)
    eager.browser = Browser(trial)
    try:
        trial.label()
    finally:
        trial.close()
    return trial


@pytest.fixture
def eager(monkeypatch):
    """A person who answers three images during every training."""
    trainings = script(monkeypatch)
    made = Eager(3)
    during_fit(monkeypatch, made.trains)
    made.trainings = trainings
    return made


def checked(folder, trial, budget=60):
    """Check a trial that has ended: each answer was asked for, is in the ledger, and is counted once."""
    answers = trial.store._answers[0]
    ledger = trial.ledger
    hand = np.flatnonzero(ledger.hand)
    assert answers == {i: TRUTH[i] for i in hand.tolist()}
    assert ledger.paid == len(read(folder / NAME)) == budget
    assert not len(ledger.unlabeled)


@pytest.mark.parametrize("pause", [0, 1, 3, 4, 50])
def test_the_budget_and_the_sizes_of_the_rounds_are_kept(tmp_path, eager, pause):
    eager.pause = pause
    trial = run(tmp_path, settings(), eager)
    checked(tmp_path, trial)
    rounds = [entry for entry in trial.entries if isinstance(entry, Round)]
    sizes = np.bincount(trial.ledger.round[trial.ledger.hand]).tolist()
    assert len(rounds) == 5, "four rounds of ten, and one that only learns"
    if pause <= AHEAD:
        assert sizes == [20, 10, 10, 10, 10]
        assert [len(labels) for _, labels, _, _ in eager.trainings] == [20, 30, 40, 50, 60]
    assert len(eager.trainings[-1][1]) == 60, "the model has learned from all"
    assert all(answered <= total <= 20 for answered, total in trial.counted)


def test_what_a_round_has_counted_it_also_learns_from(tmp_path, eager, monkeypatch):
    """If an answer could be undone at the last moment, a round could be left with none, which would end the trial."""
    read_answers = Store.to_rounds

    def undone_before(store, last):
        eager.browser.change("undo")
        return read_answers(store, last)

    monkeypatch.setattr(Store, "to_rounds", undone_before)
    eager.pause = 0
    trial = run(tmp_path, settings(), eager)
    assert np.bincount(trial.ledger.round[trial.ledger.hand]).tolist() == [20, 10, 10, 10, 10]


def test_an_open_question_is_closed_when_the_trial_asks_no_more(tmp_path, eager):
    """Answers that came while it learned are not lost: one more round learns from them."""
    trial = run(tmp_path, settings("policy.stop_rounds=2"), eager)
    checked(tmp_path, trial, budget=20 + 10 + AHEAD)
    assert trial.ledger.rounds == 3
    assert len(eager.trainings[-1][1]) == 30 + AHEAD


@pytest.mark.parametrize(("finish", "paid"), [("hand", 70), ("auto", 41)])
def test_open_questions_are_closed_at_the_end_and_the_rest_waits_for_all_answers(tmp_path, eager, finish, paid):
    eager.pause = 0
    words = (f"policy.finish={finish}", "policy.hand_budget=70", "policy.stop_fraction=0.965")
    trial = run(tmp_path, settings(*words), eager)
    checked(tmp_path, trial, paid)
    assert trial.ledger.rounds == 2, "less than 96.5% is left after 20 + 2 * 10"
    late = read(tmp_path / NAME)[40]
    assert (late.purpose, late.round) == ("query", 2), "this one came after the last round"
    assert trial.ledger.count(Source.QUERY) == 21
    assert trial.ledger.count(Source.REST) == paid - 41


def test_an_audit_is_asked_as_always(tmp_path, eager):
    words = ("policy.finish=audit", "policy.audit.target_error=0.2", "policy.audit.seed=1", "policy.audit.answers=2")
    trial = run(tmp_path, settings("policy.hand_budget=null", *words), eager)
    assert trial.ledger.count(Source.AUDIT) > 0
    assert any(answer.again for answer in read(tmp_path / NAME))
    queries = [answer for answer in read(tmp_path / NAME) if answer.purpose in ("first", "query")]
    assert len(queries) == trial.ledger.count(Source.FIRST, Source.QUERY)
    assert not len(trial.ledger.unlabeled)


@pytest.mark.slow
def test_a_killed_trial_loses_no_answer_and_asks_only_what_is_unanswered(tmp_path, eager):
    """It is killed before and after every answer and after every training, and resumed."""
    run(tmp_path, settings(), eager)
    total = eager.steps
    assert total > 80
    for last in range(0, total, 3):
        folder = tmp_path / str(last)
        folder.mkdir()
        eager.steps, eager.stop = 0, last
        killed = run(folder, settings(), eager)
        before = read(folder / NAME)
        assert eager.steps == last
        eager.stop = None
        trial = run(folder, settings(), eager, killed.saved)
        checked(folder, trial)
        assert read(folder / NAME)[: len(before)] == before, "nothing is asked again"


@pytest.mark.slow
def test_a_trial_that_loses_its_checkpoint_still_asks_nothing_twice(tmp_path, eager):
    eager.stop = 100
    run(tmp_path, settings(), eager)
    before = read(tmp_path / NAME)
    eager.stop = None
    trial = run(tmp_path, settings(), eager)
    checked(tmp_path, trial)
    assert read(tmp_path / NAME)[: len(before)] == before


def test_without_ahead_a_round_waits_for_all_answers(tmp_path, eager):
    trial = run(tmp_path, settings(), eager, ahead=0)
    checked(tmp_path, trial)
    assert [len(labels) for _, labels, _, _ in eager.trainings] == [20, 30, 40, 50, 60]
    assert eager.trainings[-1][1] == trial.ledger.labeled[:60].tolist(), "in the order in which they were asked"


def test_other_oracles_have_no_such_key():
    for name in ("labelstudio", "truth"):
        with pytest.raises(AlearnError, match=r"oracle\.ahead: there is no such key"):
            settings(f"oracle={name}", "+oracle.ahead=4")
    assert settings("oracle=web", "oracle.ahead=4").oracle.ahead == 4
    with pytest.raises(AlearnError, match=r"oracle\.ahead=-1"):
        settings("oracle=web", "oracle.ahead=-1")
