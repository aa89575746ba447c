"""Compare estimates with the numbers that generated the data."""

import numpy as np
import pytest

from alearn.audit import profiles
from alearn.audit.profiles import Known


def error_profile(doubt, known=None):
    return profiles.error_profiles(doubt, known)[0]


def test_without_answers_confidences_are_taken_at_their_word():
    doubt = np.log(np.array([1e-9, 0.01, 0.5]))
    mean = np.exp(doubt).mean()
    np.testing.assert_allclose(error_profile(doubt), 0.97 * np.exp(doubt) + 0.03 * mean, rtol=1e-6)
    assert np.isfinite(error_profile(np.array([-np.inf, 0.0, np.nan]))).all()
    assert error_profile(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(("shift", "slope"), [(-0.7, 1.3), (0.5, 1.1)])
def test_answers_that_the_model_did_not_know_teach_how_often_it_is_wrong(shift, slope):
    """20,000 answers are drawn with a known shift and slope, and the profile recovers them."""
    random = np.random.default_rng(0)
    odds = random.uniform(-6, 1, 20_000)
    doubt = -np.logaddexp(0, -odds)
    wrong = random.random(20_000) < 1 / (1 + np.exp(-(shift + slope * odds)))
    at = np.linspace(-6, 1, 20)
    expected = 1 / (1 + np.exp(-(shift + slope * at)))
    profile = error_profile(-np.logaddexp(0, -at), Known(doubt, wrong, np.ones(20_000)))
    np.testing.assert_allclose(profile, 0.97 * expected + 0.03 * expected.mean(), rtol=0.15)


def test_what_counts_less_teaches_less():
    doubt, wrong = np.log(np.full(200, 0.5)), np.arange(200) < 150
    often = error_profile(doubt[:1], Known(doubt, wrong, np.ones(200)))[0]
    hardly = error_profile(doubt[:1], Known(doubt, wrong, np.full(200, 1e-4)))[0]
    assert often == pytest.approx(0.75, abs=0.02)
    assert hardly == pytest.approx(0.5, abs=0.02)


def test_the_trend_is_the_power_by_which_wrong_labels_fall():
    hand = np.array([100.0, 1000, 10_000])
    assert profiles.decay(hand, 1e6 * hand**-0.5) == pytest.approx(0.5, abs=0.05), "well seen over two decades"
    assert profiles.decay(hand[:1], hand[:1]) == profiles.DECAY, "nothing seen yet"
    close = np.array([1000.0, 1010])
    assert profiles.decay(close, np.array([50.0, 80])) == pytest.approx(profiles.DECAY, abs=0.1), "noise"


def test_more_hand_labels_take_the_end_of_the_order_and_leave_fewer_wrong_before_it():
    likely = np.linspace(0.01, 0.2, 1000)
    then = profiles.after_more(likely, 400, 100, 2.0)
    assert len(then) == 900
    assert then.sum() == pytest.approx(likely.sum() * 0.64)
    np.testing.assert_allclose(then / then[0], likely[:900] / likely[0])
    assert len(profiles.after_more(likely, 400, 2000, 2.0)) == 0


def test_without_answers_confidences_may_be_too_low():
    """The second profile has twice the log-odds: 0.01 becomes 0.0001."""
    right, low = profiles.error_profiles(np.log(np.array([0.01, 0.5])))
    assert right[0] == pytest.approx(0.97 * 0.01 + 0.03 * 0.255, rel=1e-6)
    assert low[0] == pytest.approx(0.97 * 0.01**2 / (0.01**2 + 0.99**2) + 0.03 * 0.25, rel=1e-3)
    assert (
        len(profiles.error_profiles(np.log(np.array([0.01, 0.5])), Known(np.zeros(1), np.ones(1, bool), np.ones(1))))
        == 1
    )


@pytest.mark.parametrize("expected", [0.5, 30, 900])
def test_profiles_have_as_many_errors_as_are_expected(expected):
    doubt = np.log(np.linspace(1e-6, 0.4, 1000)[::-1])
    for one in profiles.error_profiles(doubt, expected=expected):
        assert one.sum() == pytest.approx(expected, rel=1e-6)
        assert one.max() <= 1
    unknown = profiles.error_profiles(np.full(1000, np.nan), expected=expected)
    np.testing.assert_allclose(unknown[0], expected / 1000)
