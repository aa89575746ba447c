"""What TensorBoard's own reader finds in a trial's folder."""

import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

from alearn.record import tensorboard
from alearn.run import run
from tests.conftest import SMALL, compose


@pytest.fixture(scope="module")
def trial(tmp_path_factory, mnist_root):
    """A small real trial: its folder, its row, its rounds and its events."""
    folder = tmp_path_factory.mktemp("trial")
    config = compose(
        *SMALL,
        "data.limit=600",
        f"data.root='{mnist_root}'",
        "policy.threshold=0.5",
        "policy.init_fraction=0.1",
        "policy.hand_fraction=0.1",
        "train.steps=60",
    )
    row = run(config, folder)
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "histograms": 0})
    events.Reload()
    return folder, row, [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()], events


def test_every_metric_is_a_point_a_round(trial):
    _, _, rounds, events = trial
    for tag, key in tensorboard.SCALARS.items():
        expected = [(r["round"], r[key]) for r in rounds if r[key] is not None]
        assert [(e.step, e.value) for e in events.Scalars(tag)] == [
            (s, pytest.approx(v, rel=1e-6)) for s, v in expected
        ], tag


def test_the_learning_curve_is_over_hand_labels(trial):
    _, _, rounds, events = trial
    assert [e.step for e in events.Scalars("by_hand_labels/test_accuracy")] == [r["hand"] for r in rounds]


def test_the_loss_goes_on_over_the_epochs_of_all_rounds(trial):
    _, _, rounds, events = trial
    steps = [e.step for e in events.Scalars("by_epoch/loss")]
    assert steps == list(range(1, sum(r["epochs"] for r in rounds) + 1))


def test_there_are_pictures_and_histograms(trial):
    _, _, rounds, events = trial
    tags = events.Tags()
    assert {"most_doubtful", "confident_and_wrong"} <= set(tags["images"])
    for name in ("pool/confidence", "pool/confidence_in_nines"):
        assert [h.step for h in events.Histograms(name)] == [r["round"] for r in rounds]
    first = events.Histograms("pool/confidence")[0].histogram_value
    assert first.num == 600 - 60
    assert 0.1 <= first.min <= first.max <= 1


def test_the_result_and_the_hyperparameters_are_in_the_trials_own_run(trial):
    folder, row, _, events = trial
    assert len(list(folder.rglob("events.*"))) == 1
    assert events.Scalars("result/mislabeled_total")[0].value == pytest.approx(row["mislabeled_total"], rel=1e-6)
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["threshold"].string_value == "0.5"
    assert sorted(start.hparams)[:5] == ["hand_fraction", "init_fraction", "model", "threshold", "train"], (
        "the tab shows five"
    )
    assert start.hparams["with/train.steps"].number_value == 60
    assert start.group_name.startswith("t2 ")
    end = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert plugin_data_pb2.HParamsPluginData.FromString(end).session_end_info.status == 1


def test_thresholds_stay_readable(config):
    flat = tensorboard.hyperparameters(config("policy.threshold=0.999999"))
    assert flat["threshold"] == "0.999999"
    assert flat["with/threshold_nines"] == pytest.approx(6)
    assert tensorboard.hyperparameters(config("policy.threshold=1"))["with/threshold_nines"] == math.inf
    assert None not in flat.values()
