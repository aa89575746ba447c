import pytest

from alearn.trial.published import BEST, TABLE, comparable


def row(config):
    return comparable(config.data, config.policy)


def test_the_four_trials_are_the_published_table(config):
    assert {path: (row.init_fraction, row.threshold, row.hand_fraction) for path, row in TABLE.items()} == {
        "t1": (0.01, 0.9999, 0.01), "t2": (0.05, 0.9999, 0.01), "t3": (0.01, 0.999999, 0.01),
        "t4": (0.02, 0.9999, 0.02),
    }  # fmt: skip
    assert {path: (row.rounds, row.hand, row.auto, row.mislabeled) for path, row in TABLE.items()} == {
        "t1": (5, 4200, 55_800, 0.0193), "t2": (5, 6000, 54_000, 0.0057), "t3": (9, 6000, 54_000, 0.0041),
        "t4": (5, 6797, 53_203, 0.0043),
    }  # fmt: skip
    for name in TABLE:
        assert row(config(f"trial={name}")) == TABLE[name], "conf/ has the same settings"


def test_the_published_policy_is_compared_with_the_row_of_its_own_settings_only(config):
    assert row(config("policy=source")) == TABLE["t1"], "with any name of the trial"
    for other in ("policy.threshold=0.9", "policy.init_fraction=0.5", "policy.hand_fraction=0.5"):
        assert row(config("trial=t4", other)) is None


@pytest.mark.parametrize("policy", ["frugal", "margin", "random", "ceal", "own", "ablation/longer"])
def test_any_other_policy_is_compared_with_the_best_row(config, policy):
    assert row(config(f"policy={policy}")) == BEST == min(TABLE.values(), key=lambda row: row.mislabeled)


@pytest.mark.parametrize("preset", ["trial=t4", "policy=frugal"])
def test_only_trials_on_all_of_mnist_are_compared(config, preset):
    for other in ("data.limit=100", "data=kmnist", "data.imbalance.shape=step"):
        assert row(config(preset, other)) is None
    assert row(config(preset, "data.imbalance.factor=10")) is not None, "shape=none, so nothing is imbalanced"
