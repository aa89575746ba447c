"""What TensorBoard reads from the folder of a trial."""

import io
import math
import re

import numpy as np
import pytest
from PIL import Image
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

from alearn.report.tensorboard import event_file, tags
from tests.conftest import setting, shapes
from tests.report.tensorboard.conftest import read


@pytest.mark.slow
def test_every_metric_is_a_point_a_round(trial):
    for tag, metric in tags.SCALARS.items():
        expected = [(r["round"], r[metric.key]) for r in trial.rounds if r[metric.key] is not None]
        if tag in tags.FINAL:
            expected.append((trial.row["rounds"] + 1, trial.row[metric.key]))
        assert [(e.step, e.value) for e in trial.events.Scalars(tag)] == [
            (s, pytest.approx(v, rel=1e-6)) for s, v in expected
        ], tag


def test_the_last_points_are_the_row(trial):
    last = {tag: trial.events.Scalars(tag)[-1].value for tag in trial.events.Tags()["scalars"]}
    assert (last["labels/hand"], last["labels/auto"], last["labels/unlabeled"]) == (
        trial.row["hand"],
        trial.row["auto"],
        0,
    )
    assert last["auto_labels/mislabeled_of_data_set"] == pytest.approx(trial.row["mislabeled_total"], rel=1e-6)
    assert last["result/rounds"] == trial.row["rounds"]
    assert last["result/seconds"] == pytest.approx(trial.row["seconds"]["total"], rel=1e-6)
    assert sorted(last)[:5] == sorted(tag for tag in last if re.match("auto_labels/|labels/(auto|hand)", tag)), (
        "these are the columns of the HParams tab"
    )


def test_every_class_has_a_curve(trial):
    for name in map(str, range(10)):
        expected = [(r["round"], r["per_class"][name]["error"]) for r in trial.rounds]
        expected.append((trial.row["rounds"] + 1, trial.row["per_class"][name]["error"]))
        found = [(e.step, e.value) for e in trial.events.Scalars(tags.of_class(name))]
        assert found == [(step, pytest.approx(error, rel=1e-6)) for step, error in expected]
    wrong = sum(one["wrong"] for one in trial.row["per_class"].values())
    assert wrong == trial.row["wrong_auto"] > 0
    assert sum(one["images"] for one in trial.row["per_class"].values()) == 600


def test_of_many_classes_there_is_the_mean_and_the_worst(tmp_path, config):
    per_class = {str(k): {"images": 3, "hand": 1, "wrong": 0, "error": 0.0} for k in range(21)}
    for names in (list(per_class), list(per_class)[:20]):
        folder = tmp_path / str(len(names))
        writer = event_file.TensorBoard(setting(folder, config(), shapes(5)))
        writer._by_class({"per_class": {name: per_class[name] for name in names}}, 1)
        writer.close()
        assert len(read(folder).Tags()["scalars"]) == (20 if len(names) == 20 else 0)


def test_the_learning_curve_is_over_hand_labels(trial):
    for tag, metric in tags.OVER_HAND.items():
        if metric.curve.hand == "hand":  # the other curves exist only if a trial ends with an audit
            found = [(e.step, e.value) for e in trial.events.Scalars(tag)]
            assert found == [(r["hand"], pytest.approx(r[metric.key], rel=1e-6)) for r in trial.rounds]


def test_the_loss_goes_on_over_the_epochs_of_all_rounds(trial):
    steps = [e.step for e in trial.events.Scalars("train/loss_by_epoch")]
    assert steps == list(range(1, sum(r["epochs"] for r in trial.rounds) + 1))


def test_there_are_pictures_of_every_round(trial):
    found = {tag: trial.events.Images(tag) for tag in trial.events.Tags()["images"]}
    names = ("asked_this_round", "confident_and_wrong", "confusion_matrix", "most_doubtful_not_asked")
    assert set(found) == {f"images/{name}" for name in names}
    for tag in ("images/asked_this_round", "images/confusion_matrix"):
        assert [image.step for image in found[tag]] == [r["round"] for r in trial.rounds]
    first = found["images/asked_this_round"][0]
    picture = Image.open(io.BytesIO(first.encoded_image_string))
    assert picture.size == (first.width, first.height)
    assert picture.mode == "L", "grey, like the images"
    assert np.asarray(picture)[:, :50].min() == 0, "digits are white on black"
    assert np.asarray(picture)[0].min() == 255, "the page is white"


def test_the_pool_has_histograms(trial):
    for name in ("pool/confidence", "pool/confidence_in_nines"):
        assert [h.step for h in trial.events.Histograms(name)] == [r["round"] for r in trial.rounds]
    first = trial.events.Histograms("pool/confidence")[0].histogram_value
    assert first.num == 600 - 60
    assert 0.1 <= first.min <= first.max <= 1


def test_config_and_row_can_be_read(trial):
    (config,) = trial.events.Tensors("config/text_summary")
    assert "threshold: 0.5" in config.tensor_proto.string_val[0].decode()
    (row,) = trial.events.Tensors("row/text_summary")
    lines = row.tensor_proto.string_val[0].decode().splitlines()
    assert lines[:2] == ["| key | value |", "| --- | --- |"]
    cells = dict(line.strip("| ").split(" | ") for line in lines)
    assert cells["threshold"] == "0.5"
    assert int(cells["hand"]) == trial.row["hand"]
    assert float(cells["mislabeled_auto"]) == trial.row["mislabeled_auto"]
    assert float(cells["seconds.total"]) == trial.row["seconds"]["total"]
    assert cells["overrides"] == "policy.threshold=0.5"
    assert not [key for key in cells if key.startswith(("config", "per_class"))]
    assert float(cells["worst_class_error"]) == trial.row["worst_class_error"]


def test_a_bar_does_not_break_the_rows_table():
    assert "| overrides | a=1\\|2 b=3 |" in event_file.table(
        {"overrides": ["a=1|2", "b=3"], "config": {}, "published": None}
    )


def test_all_is_in_the_trials_own_run(trial):
    assert [path.parent for path in trial.folder.rglob("*tfevents*")] == [trial.folder]
    content = trial.events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    assert plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.group_name.startswith("t2 ")
    end = trial.events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert plugin_data_pb2.HParamsPluginData.FromString(end).session_end_info.status == 1


@pytest.mark.parametrize(
    ("rest", "text"), [(0.59, "0.41"), (6e-5, "0.99994"), (1e-6, "0.999999"), (4e-8, "1-4e-08"), (1e-30, "1-1e-30")]
)
def test_a_probability_is_told_from_one(rest, text):
    assert event_file.probability(math.log(rest)) == text
