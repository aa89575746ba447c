from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from alearn import rng
from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.policy import decide as decisions
from alearn.registry import AUTO_RULES, QUERIES, RegisteredAutoRule, RegisteredQuery
from alearn.values import Scores
from tests.conftest import compose

IMAGES = torch.zeros(1000, 1, 16, 16, dtype=torch.uint8)


def scores(index, guess, p_max) -> Scores:
    p = np.array(p_max)
    return Scores(np.array(index), np.array(guess), np.log1p(-p).astype(np.float32), 2 * p - 1)


def decide(policy, seen, asks, seed=0):
    return decisions.decide(policy, seen, asks, 1, rng.generator(seed, "query"), rng.generator(seed, "check"))


def first(policy, images, seed, ledger=None, count=None):
    ledger = ledger or Ledger.empty(len(images))
    return decisions.first(policy, images, seed, ledger, policy.init_size(len(images)) if count is None else count)


def test_first_labels():
    assert first(compose("trial=t1").policy, IMAGES, 0).tolist() == list(range(10))
    random = compose("policy.init=random", "policy.init_fraction=0.1").policy
    drawn = first(random, IMAGES, 3)
    assert len(set(drawn.tolist())) == 100
    assert drawn.max() > 500
    assert drawn.tolist() == first(random, IMAGES, 3).tolist() != first(random, IMAGES, 4).tolist()
    counted = compose("policy.init=random", "policy.init_fraction=null", "policy.init_count=7").policy
    assert len(first(counted, IMAGES, 0)) == 7


LEVELS = torch.tensor([20] * 900 + [120] * 80 + [220] * 20)


def kinds() -> torch.Tensor:
    noise = torch.randint(0, 10, (1000, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    return (LEVELS[:, None, None, None] + noise).to(torch.uint8)


def test_typical_first_labels_are_spread_over_the_kinds_of_images():
    """There are three kinds of images, and a random draw of three images would usually miss one of them."""
    policy = compose("policy.init=typical", "policy.init_fraction=0.003").policy
    assert sorted(LEVELS[first(policy, kinds(), 1)].tolist()) == [20, 120, 220]


@pytest.mark.parametrize("init", ["first", "random", "typical"])
def test_what_has_a_label_is_not_asked_first(init):
    ledger = Ledger.empty(1000)
    ledger.write(np.arange(950), np.zeros(950, np.int64), Source.GIVEN, 0)
    asked = first(compose(f"policy.init={init}").policy, kinds(), 1, ledger, 30)
    assert len(set(asked.tolist())) == 30
    assert asked.min() >= 950
    assert len(first(compose(f"policy.init={init}").policy, kinds(), 1, ledger, 100)) == 50


def test_typical_first_labels_are_of_kinds_that_have_none_yet():
    ledger = Ledger.empty(1000)
    ledger.write(np.array([0, 900]), np.array([0, 1]), Source.GIVEN, 0)
    assert LEVELS[first(compose("policy.init=typical").policy, kinds(), 1, ledger, 1)].tolist() == [220]


def test_images_that_are_set_aside_are_not_asked_about_again():
    ledger, policy = Ledger.empty(1000), compose("policy.init=typical").policy
    asked = first(policy, kinds(), 1, ledger, 20)
    ledger.write(asked, np.full(20, CANNOT_TELL), Source.FIRST, 0)
    again = first(policy, kinds(), 1, ledger, 20)
    assert not set(again.tolist()) & set(asked.tolist())


def test_sizes_that_are_chosen_by_the_number_of_images():
    policy = compose("policy=own").policy
    sizes = {n: (policy.init_size(n), policy.round_size(n), policy.budget(n)) for n in (12, 300, 1000, 60_000)}
    assert sizes == {12: (12, 10, 12), 300: (20, 15, 80), 1000: (50, 50, 250), 60_000: (100, 138, 652)}
    assert compose("policy=own", "policy.finish=audit", "policy.audit.target_error=0.01").policy.budget(1000) is None
    assert compose("policy=own", "policy.hand_fraction=0.01", "policy.init_fraction=0.1").policy.budget(1000) == 140


def test_the_human_is_asked_before_anything_is_auto_labeled():
    """The threshold is below all probabilities, so the rule takes every image that the human does not get."""
    policy = compose("policy.threshold=0.1").policy
    seen = scores([3, 4, 7, 8, 9], [1, 0, 2, 1, 1], [0.9, 0.3, 0.99, 0.2, 0.8])
    decision = decide(policy, seen, 2)
    assert decision.hand.tolist() == [8, 4]
    assert (decision.auto.tolist(), decision.auto_label.tolist()) == ([3, 7, 9], [1, 2, 1])
    assert decide(policy, seen, 0).auto.tolist() == [3, 4, 7, 8, 9]


def test_diverse_queries_do_not_take_the_same_image_twice_over():
    """There are eight equally doubtful images in two clusters; the four queries come from both."""
    policy = compose("policy.query.pool=2").policy
    assert "features" in decisions.wanted(policy, stored=False, round=9)
    p = np.array([0.5] * 8 + [0.9] * 8)
    heaps = torch.tensor([[0.0, 0.0]] * 5 + [[9.0, 9.0]] * 3 + [[5.0, 0.0]] * 8) + torch.rand(16, 2) * 0.01
    seen = Scores(np.arange(16), np.zeros(16, np.int64), np.log1p(-p).astype(np.float32), 2 * p - 1, features=heaps)
    asked = decide(policy, seen, 4).hand
    assert set(asked) <= set(range(8))
    assert len(set(asked)) == 4
    assert {0, 1} == {int(i > 4) for i in asked}


def unsure_and_sure(sure: int = 300) -> Scores:
    """Return the scores of 1,000 images, of which the last `sure` are above 0.9."""
    p_max = np.concatenate([np.linspace(0.3, 0.8, 1000 - sure), np.linspace(0.91, 0.99, sure)])
    return scores(np.arange(5000, 6000), np.arange(1000) % 3, p_max)


@pytest.mark.parametrize(
    ("check", "asks", "sure", "checks"),
    [
        (0, 50, 300, 0),
        (7, 50, 300, 7),
        (7, 5, 300, 5),  # all questions
        (7, 50, 3, 3),  # the rule takes no more
        (7, 50, 0, 0),
        (7, 0, 300, 0),
        ("auto", 138, 300, 5),
        ("auto", 25, 300, 2),
        ("auto", 9, 300, 0),
    ],
)
def test_some_questions_check_what_the_rule_takes_and_the_others_are_the_strategy_s(check, asks, sure, checks):
    policy = compose(
        "policy=quick", "policy.query.cover=0", "policy.threshold=0.9", f"policy.auto.check={check}"
    ).policy
    decision = decide(policy, unsure_and_sure(sure), asks)
    assert len(decision.checked) == checks
    assert (decision.checked >= 6000 - sure).all()
    assert decision.hand.tolist() == [*range(5000, 5000 + asks - checks), *decision.checked], "the most doubtful"
    assert sorted([*decision.auto, *decision.checked]) == list(range(6000 - sure, 6000))


def test_checks_are_drawn_evenly_though_the_strategy_wants_some_of_them():
    """The rule takes all 1,000 images, so the 50 most doubtful ones are among those that are drawn."""
    policy = compose("policy=quick", "policy.query.cover=0", "policy.threshold=0.1", "policy.auto.check=20").policy
    seen = unsure_and_sure()
    drawn = [decide(policy, seen, 50, seed) for seed in range(200)]
    assert all(len(set(decision.hand)) == 50 for decision in drawn)
    place = np.concatenate([decision.checked for decision in drawn]) - 5000
    assert kstest(place / 1000, "uniform").pvalue > 0.01
    assert (place < 50).mean() == pytest.approx(0.05, abs=0.015)
    again = decide(policy, seen, 50, 7)
    assert again.checked.tolist() == drawn[7].checked.tolist()


@pytest.mark.parametrize("rule", ["threshold", "class_threshold", "entropy", "count"])
def test_what_the_answers_speak_against_is_left_out_whatever_the_rule(rule):
    policy = compose("policy=quick", "policy.query.cover=0", "policy.threshold=0.9", f"policy.auto.rule={rule}",
                     "policy.auto.per_round=300", "policy.auto.entropy=3").policy  # fmt: skip
    seen = unsure_and_sure()
    probs = np.stack([-np.expm1(seen.doubt), *np.tile(np.exp(seen.doubt) / 2, (2, 1))], 1)
    seen = replace(seen, probs=torch.from_numpy(probs))
    ledger = Ledger.empty(6000)
    ledger.note(seen, 1)
    decision = decide(policy, seen, 0)
    assert len(decision.auto) >= 300
    assert decisions.trusted(policy, decision, ledger) is decision, "no answers, no doubts"
    index = np.arange(20)
    ledger.check(index)
    ledger.guess[index] = 1
    ledger.doubt[index] = np.log(np.where(index < 8, 0.09, 0.04))
    ledger.write(index, np.where(index < 8, 0, 1), Source.QUERY, 1)
    kept = decisions.trusted(policy, decision, ledger)
    assert kept.threshold == pytest.approx(0.95)
    assert kept.auto.tolist() == [i for i in decision.auto if ledger.doubt[i] < np.log(0.05)]
    assert (kept.auto_label == ledger.guess[kept.auto]).all()
    assert 100 < len(kept.auto) < 200
    ledger.label[index] = 0
    off = decisions.trusted(policy, decision, ledger)
    assert (off.threshold, len(off.auto), len(off.auto_label)) == (1, 0, 0)


@pytest.mark.parametrize("key", ["init_fraction", "hand_fraction"])
def test_a_share_must_hold_an_image(key):
    decisions.check(compose(f"policy.{key}=0.01").policy, 100)
    with pytest.raises(AlearnError, match=rf"policy\.{key}=0\.001: .* 100 images; must be at least 0\.01"):
        decisions.check(compose(f"policy.{key}=0.001").policy, 100)


def test_counts_must_fit_the_data_and_the_budget():
    with pytest.raises(AlearnError, match=r"policy\.init_count=100: there are only 60 images"):
        decisions.check(compose("policy=quick").policy, 60)
    with pytest.raises(AlearnError, match=r"policy\.hand_budget=50: the 100 first images"):
        decisions.check(compose("policy=quick", "policy.hand_budget=50").policy, 1000)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy.init_fraction=null"], "init_fraction and init_count are both null"),
        (["policy.hand_fraction=null"], "hand_fraction and hand_per_round are both null"),
        (["policy.auto.rule=count"], r"policy\.auto: rule=count needs per_round"),
        (
            ["policy.query.strategy=cleverest"],
            r"policy\.query\.strategy=cleverest: must be one of badge, .*, typiclust",
        ),
        (["policy.auto.rule=treshold"], r"policy\.auto\.rule=treshold: must be one of .*; did you mean threshold\?"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides, message):
    with pytest.raises(AlearnError, match=message):
        compose(*overrides)


@pytest.mark.parametrize(
    ("overrides", "by_hand", "by_model"),
    [
        (["policy.finish=hand"], [5, 6, 7], []),
        (["policy.finish=auto"], [], [5, 6, 7]),
        (["policy.finish=hand", "policy.hand_budget=8"], [5, 6, 7], []),
        (["policy.finish=hand", "policy.hand_budget=7"], [6, 5], [7]),
        (["policy.finish=hand", "policy.hand_budget=5"], [], [5, 6, 7]),
    ],
)
def test_the_rest_goes_to_the_human_as_far_as_the_budget_goes(overrides, by_hand, by_model):
    ledger = Ledger.empty(8)
    ledger.write(np.arange(5), np.zeros(5, np.int64), Source.FIRST, 0)
    ledger.scored[5:], ledger.doubt[5:] = 1, [-2, -1, -3]
    shares = decisions.finish(compose(*overrides).policy, ledger)
    assert [share.tolist() for share in shares] == [by_hand, by_model]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([0, 0], r"but returned int64 \(2,\): \[0 0\]"),
        ([0, 3], "must return 2 different positions below 3"),
        ([-1, 0], "must return 2 different positions below 3"),
        ([0], r"returned int64 \(1,\)"),
        ([0.0, 1.0], r"returned float64 \(2,\)"),
    ],
)
def test_a_strategy_that_returns_no_positions_is_named(monkeypatch, returned, message):
    monkeypatch.setitem(QUERIES._records, "theirs", RegisteredQuery(lambda scores, count, draw: np.array(returned)))
    policy = compose("policy.query.strategy=theirs").policy
    with pytest.raises(AlearnError, match=f"^policy.query.strategy=theirs: .*{message}"):
        decide(policy, scores([4, 5, 6], [0, 0, 1], [0.5, 0.6, 0.7]), 2)


def test_a_rule_that_returns_no_choice_is_named_and_what_it_returns_is_not_changed(monkeypatch):
    returned = np.ones(2, bool)
    monkeypatch.setitem(AUTO_RULES._records, "theirs", RegisteredAutoRule(lambda scores, limits: returned))
    policy = compose("policy.auto.rule=theirs").policy
    decision = decide(policy, scores([4, 5], [0, 1], [0.5, 0.6]), 1)
    assert (decision.hand.tolist(), decision.auto.tolist(), returned.tolist()) == ([4], [5], [True, True])
    with pytest.raises(AlearnError, match=r"^policy\.auto\.rule=theirs: must return bool \(3,\), but returned bool"):
        decide(policy, scores([4, 5, 6], [0, 0, 1], [0.5, 0.6, 0.7]), 2)


def test_rules_and_strategies_say_what_they_need():
    assert decisions.wanted(compose("policy.query.strategy=margin").policy, stored=False, round=9) == frozenset()
    assert decisions.wanted(compose("policy.query.strategy=coreset").policy, stored=False, round=9) == {"features"}
    assert decisions.wanted(compose("policy.auto.rule=entropy").policy, stored=False, round=9) == {"probs"}
    assert decisions.wanted(
        compose("policy.query.strategy=margin", "policy.query.pool=2").policy, stored=False, round=9
    ) == {"features"}
    diverse = compose("policy.query.strategy=margin", "policy.query.pool=2").policy
    assert decisions.wanted(diverse, stored=True, round=9) == frozenset(), "stored features need not be computed"
    with pytest.raises(AlearnError, match="needs=logits: must be one of probs, features, information"):
        RegisteredQuery(lambda scores, count, draw: None, needs={"logits"})
