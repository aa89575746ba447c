import math

import pytest
from tensorboard.plugins.hparams import plugin_data_pb2

from alearn.report.tensorboard import hparams


def started(config):
    (value,) = hparams.start(config).value
    return plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info


def test_seeds_of_a_setting_are_one_group(config):
    assert started(config("seed=1")).group_name == started(config("seed=2")).group_name
    assert started(config("policy.threshold=0.5")).group_name != started(config()).group_name


def test_what_matters_comes_first(config):
    found = started(config("train.steps=60")).hparams
    assert sorted(found)[:5] == ["hand_fraction", "init_fraction", "model", "threshold", "train"], (
        "the tab shows these five"
    )
    assert found["with/train.steps"].number_value == 60
    assert "with/record.projector" not in found
    named = started(config("data=folder", "data.root=/photos", "data.classes=[cat,dog]")).hparams
    assert named["with/data.classes"].string_value == "cat, dog"


def test_thresholds_stay_readable(config):
    flat = hparams.hyperparameters(config("policy.threshold=0.999999"))
    assert flat["threshold"] == "0.999999"
    assert flat["with/threshold_nines"] == pytest.approx(6)
    assert hparams.hyperparameters(config("policy.threshold=1"))["with/threshold_nines"] == math.inf
    assert None not in flat.values()
