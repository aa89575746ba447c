"""A trial with people that is made again from their answers alone goes on with its draw, or draws nothing."""

import sqlite3

import numpy as np
import pytest

from alearn.audit.protocol import commitment, terms
from alearn.errors import AlearnError, WaitingError
from alearn.ledger import Source
from tests import scripted
from tests.conftest import compose
from tests.scripted import Channel, run_people, script

pytestmark = pytest.mark.usefixtures("quick_plans")

WORDS = ("policy.finish=audit", "policy.audit.target_error=0.2", "policy.stop_rounds=2", "policy.threshold=0.9")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch):
    script(monkeypatch)


@pytest.fixture
def asked(monkeypatch) -> list[Source]:
    """What people are asked for, in order."""
    purposes = []

    class Listening(Channel):
        def ask(self, batch, report):
            purposes.append(batch.purpose)
            super().ask(batch, report)

    monkeypatch.setattr(scripted, "Channel", Listening)
    return purposes


def draws(folder) -> list[tuple[str, str]]:
    base = sqlite3.connect(folder / "answers.db")
    kept = base.execute("SELECT commitment, seed FROM draw").fetchall()
    base.close()
    return kept


def test_the_same_labels_keep_their_draw(tmp_path, asked):
    config = compose(*WORDS)
    first, names = run_people(config, tmp_path)
    seed = first.audit.seed.tobytes().decode()
    assert draws(tmp_path) == [(commitment(terms(config.policy), names, first), seed)]
    asked.clear()
    for more in ((), ("policy.audit.seed=wait",), ("policy.audit.seed=other",)):
        again, _ = run_people(compose(*WORDS, *more), tmp_path)
        assert again.audit.seed.tobytes().decode() == seed
        np.testing.assert_array_equal(again.label, first.label)
    assert not asked
    assert len(draws(tmp_path)) == 1


def test_the_draw_is_kept_before_anything_is_asked(tmp_path, monkeypatch):
    class Leaving(Channel):
        def ask(self, batch, report):
            if batch.purpose is Source.AUDIT:
                raise WaitingError
            super().ask(batch, report)

    with monkeypatch.context() as patch:
        patch.setattr(scripted, "Channel", Leaving)
        with pytest.raises(WaitingError):
            run_people(compose(*WORDS), tmp_path)
    ((_, seed),) = draws(tmp_path)
    ledger, _ = run_people(compose(*WORDS), tmp_path)
    assert ledger.audit.seed.tobytes().decode() == seed


def test_other_labels_get_no_second_draw(tmp_path, asked, monkeypatch):
    run_people(compose(*WORDS), tmp_path)
    kept = draws(tmp_path)
    asked.clear()
    learned = scripted.probabilities
    monkeypatch.setattr(scripted, "probabilities", lambda number: learned(number + 7))  # as on another machine
    for more in ((), ("policy.audit.seed=wait",), ("policy.audit.seed=other",)):
        with pytest.raises(AlearnError, match=r"answers\.db: an audit has drawn its sample already, for other labels"):
            run_people(compose(*WORDS, *more), tmp_path)
    assert Source.AUDIT not in asked
    assert draws(tmp_path) == kept


def test_a_seed_that_is_still_to_come_is_not_kept(tmp_path):
    with pytest.raises(WaitingError):
        run_people(compose(*WORDS, "policy.audit.seed=wait"), tmp_path)
    assert draws(tmp_path) == []
    ledger, _ = run_people(compose(*WORDS, "policy.audit.seed=noon"), tmp_path)
    assert ledger.audit.seed.tobytes() == b"noon"
    assert draws(tmp_path)[0][1] == "noon"
