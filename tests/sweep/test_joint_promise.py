import pytest

from alearn.sweep.joint_promise import in_words


def rows(*risks, certificate="At most ..."):
    return [{"certificate": certificate, "config": {"policy.audit.risk": risk}} for risk in risks]


def test_one_certificate_needs_no_word():
    assert in_words([]) == ""
    assert in_words([*rows(0.05), *rows(0.05, 0.05, certificate=None), {"config": {}}]) == ""


def test_a_few_certificates_hold_at_once():
    assert in_words([*rows(0.05, 0.05, 0.05), *rows(0.05, certificate=None)]) == (
        "3 trials have a certificate. Each certificate alone holds with its own confidence. All of them hold at once "
        "with at least 85 % confidence, so that is the confidence in one that you choose by its result. With "
        "policy.audit.risk=0.0166 you could choose freely among 3 trials, with 95 % confidence."
    )


def test_of_many_nothing_can_be_said():
    assert in_words(rows(*[0.05] * 20)) == (
        "20 trials have a certificate. Each certificate alone holds with its own confidence. Nothing can be said of "
        "all of them at once, because their risks add up to 1, and nothing of one that you choose by its result. With "
        "policy.audit.risk=0.0025 you could choose freely among 20 trials, with 95 % confidence."
    )


@pytest.mark.parametrize(
    ("risks", "words"),
    [
        ((0.01, 0.1), ("at least 89 %", "policy.audit.risk=0.05 ", "with 90 % confidence.")),
        ((0.05 / 3,) * 3, ("at least 95 %", "policy.audit.risk=0.00555 ", "with 98.3333 % confidence.")),
        ((1e-9, 1e-9), ("at least 99.9999 %", "policy.audit.risk=5E-10 ")),
        ((0.5, 0.6), ("add up to 1.1,",)),
    ],
)
def test_no_number_says_more_than_is_true(risks, words):
    assert [word for word in words if word not in in_words(rows(*risks))] == []
