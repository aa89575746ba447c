"""Compare the draw with a second implementation of its definition, and groups and outcomes with results by hand."""

from hashlib import sha256

import numpy as np
import pytest

from alearn.audit import rules
from alearn.audit.bounds import Stage
from alearn.audit.rules import Group, Terms


def test_the_draw_can_be_repeated_with_nothing_but_sha256():
    frozen, seed = rules.digest(["a", "b"], ["0", "1"]), "public"
    keys = {place: sha256(f"{frozen}:{seed}:{place}".encode()).hexdigest() for place in range(500)}
    drawn = rules.draw(frozen, seed, 500)
    assert drawn.tolist() == sorted(keys, key=keys.__getitem__)
    assert drawn.tolist() != rules.draw(frozen, "other", 500).tolist()
    assert drawn.tolist() != rules.draw(rules.digest(["a", "b"], ["0", "0"]), seed, 500).tolist()


def test_the_draw_is_uniform():
    """Each of 10 places comes first in about a tenth of 3,000 draws: chi-squared with 9 degrees of freedom, 99.9 %."""
    first = [int(rules.draw("frozen", str(seed), 10)[0]) for seed in range(3000)]
    counts = np.bincount(first, minlength=10)
    assert ((counts - 300) ** 2 / 300).sum() < 27.9


def test_what_is_frozen_cannot_be_read_in_two_ways():
    assert "".join(rules.frozen_text(["1", 'a,"b'], ["x", "y"])) == 'item,label\n1,x\n"a,""b",y\n'
    assert rules.digest(["1,2"], ["3"]) != rules.digest(["1"], ["2,3"])
    assert rules.digest(["1", "2"], ["3", "3"]) != rules.digest(["2", "1"], ["3", "3"])


def group(items: int, stages, allowed: int = 2, whole: bool = False, place=None) -> Group:
    place = np.arange(items) if place is None else place
    return Group("", place, tuple(Stage(*stage, allowed) for stage in stages), whole)


def test_an_outcome_accepts_up_to_the_first_error_too_many():
    one = group(10, ((3, 0), (5, 1)))
    places, wrong = np.array([7, 2, 9, 4, 0]), np.array([True, False, False, True, False])
    assert rules.outcome(one, places[:3], wrong[:3]) == rules.Outcome(0, 3, 1, 0, 2, 7)
    assert rules.outcome(one, places, wrong) == rules.Outcome(1, 5, 2, 1, 2, 7)
    assert rules.outcome(one, places, np.zeros(5, bool)) == rules.Outcome(1, 5, 0, 0, 2, 10)
    with pytest.raises(ValueError, match="4 answers"):
        rules.outcome(one, places[:4], wrong[:4])


def test_a_group_that_is_accepted_as_a_whole_or_not_at_all_has_no_cut_between():
    one = group(10, ((3, 0), (5, 1)), whole=True)
    places, wrong = np.array([7, 2, 9, 4, 0]), np.array([True, False, False, True, False])
    assert rules.outcome(one, places, wrong) == rules.Outcome(1, 5, 2, 0, 2, 0)
    assert rules.outcome(one, places, wrong & (places == 7)) == rules.Outcome(1, 5, 1, 1, 2, 10)


def test_the_outcome_of_a_class_counts_within_it():
    one = group(4, ((3, 0),), place=np.array([2, 5, 6, 9]))
    drawn = one.drawn(np.array([9, 1, 0, 5, 2, 3, 8, 6, 7, 4]))
    assert drawn.tolist() == [9, 5, 2, 6], "in the order of the draw"
    wrong = np.array([False, False, True])
    assert rules.outcome(one, np.array([9, 5, 6]), wrong) == rules.Outcome(0, 3, 1, 0, 2, 2), "6 is third of the class"


def test_groups_are_all_labels_or_one_a_class():
    label, names = np.array([2, 0, 2, 1, 0]), ["cat", "dog", "Owl", "eel"]
    found = rules.places("class", label, names)
    assert [(name, place.tolist()) for name, place in found.items()] == [("Owl", [0, 2]), ("cat", [1, 4]), ("dog", [3])]
    for scope in ("total", "auto"):
        found = rules.places(scope, label, names)
        assert {name: place.tolist() for name, place in found.items()} == {"": [0, 1, 2, 3, 4]}
        assert rules.places(scope, label[:0], names) == {}


def test_keys_that_begin_alike_are_sorted_by_their_other_bytes(monkeypatch):
    class Coarse:
        """SHA-256 whose first 8 bytes have 2 bits: nearly all places tie in them."""

        def __init__(self, text: bytes = b"") -> None:
            self.state = sha256(text)

        def copy(self) -> "Coarse":
            other = Coarse()
            other.state = self.state.copy()
            return other

        def update(self, text: bytes) -> None:
            self.state.update(text)

        def digest(self) -> bytes:
            whole = self.state.digest()
            return bytes([whole[0] & 3, *bytes(7), *whole[8:]])

    monkeypatch.setattr(rules, "sha256", Coarse)
    rules.draw.cache_clear()
    order = rules.draw("c", "s", 200).tolist()
    rules.draw.cache_clear()
    prefix = Coarse(b"c:s:")

    def key(place: int) -> bytes:
        state = prefix.copy()
        state.update(str(place).encode())
        return state.digest()

    assert order == sorted(range(200), key=key)


def test_what_may_be_wrong_is_a_share_of_what_the_scope_says_and_classes_share_the_risk():
    for scope, allowed in (("total", 100), ("class", 6), ("auto", 5)):
        assert Terms(0.01, 0.05, scope).claim(10_000, 600).allowed(100) == allowed
    assert Terms(0.01, 0.05, "class").group_risk(10) == 0.005
    assert Terms(0.01, 0.05, number=2).group_risk(1) == 0.0125, "a second audit of two or more"
    assert [Terms(0.01, 0.05, scope).claim(1, 1).whole for scope in ("total", "class", "auto")] == [0, 0, 1]


def test_the_labels_to_ask_again_are_a_share_of_all_and_more_of_them_for_a_greater_share():
    few, many = ({place for place in range(20_000) if rules.repeated("c", "s", place, share)} for share in (0.05, 0.2))
    assert few < many
    assert len(few) / 20_000 == pytest.approx(0.05, abs=0.006)
    assert len(many) / 20_000 == pytest.approx(0.2, abs=0.01)
    assert not any(rules.repeated("c", "s", place, 0.0) for place in range(1000))
    assert few != {place for place in range(20_000) if rules.repeated("c", "t", place, 0.05)}, "another seed"
