"""A trained model labels new files. Its labels are compared with the truth, with the network itself, and with ONNX."""

import csv
import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from alearn.data import decode
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.models.build import build
from alearn.models.classifier import to_float
from alearn.trial import model_file
from tests.command import alearn
from tests.conftest import compose, fitted, shapes

CPU = Runtime(torch.device("cpu"), bf16=False)
CLASSES = ("left", "middle, upper", "right")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a network on the shapes; return a folder with its model.pt, and the network."""
    from alearn.learn.training_set import TrainingSet

    images, config = shapes(300), compose("model.width=4", "train=fast", "train.steps=80", "train.batch=32")
    known = TrainingSet(np.arange(300), images.truth, np.ones(300, bool), np.zeros(0, np.int64))
    model = fitted(config, CPU, images.images, known, 3, 1).model
    path = tmp_path_factory.mktemp("trial")
    model_file.save(path, config.model, model.state_dict(), CLASSES, (1, 20, 20))
    return path, model


@pytest.fixture
def files(tmp_path):
    """Write 60 new images as PNG files in two folders; return where they are, and their classes by path."""
    images, truth = shapes(60, seed=5), {}
    for i in range(60):
        path = tmp_path / "new" / ("a b" if i % 2 else "ü") / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.images[i, 0].numpy()).save(path)
        truth[str(path)] = CLASSES[images.truth[i]]
    (tmp_path / "new" / ".thumbs").write_text("hidden")
    return tmp_path / "new", truth


def test_new_images_get_labels_and_confidences(trained, files):
    where, truth = files
    code, out, _ = alearn("predict", trained[0], where, "--device", "cpu")
    assert code == 0
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [line["path"] for line in lines] == sorted(truth)
    assert np.mean([line["label"] == truth[line["path"]] for line in lines]) > 0.95
    for line in lines:
        pixels = torch.from_numpy(decode.decoded(line["path"], (20, 20), 1).copy())[None]
        p = trained[1].eval()(to_float(pixels)).softmax(1)[0].detach()
        assert line["label"] == CLASSES[int(p.argmax())]
        assert float(line["confidence"]) == pytest.approx(float(p.max()), abs=1e-5)


def test_a_file_that_is_no_image_costs_its_own_label_only(trained, files, tmp_path):
    where, truth = files
    (where / "ü" / "004.png").write_text("no image")
    out = tmp_path / "labels.csv"
    code, _, err = alearn("predict", trained[0], where, "--out", out)
    assert code == 1
    assert f"{where / 'ü' / '004.png'} cannot be read as an image" in err
    assert len(out.read_text().splitlines()) == len(truth)


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_model_that_is_missing_or_damaged_is_one_message(tmp_path, content):
    if content is not None:
        (tmp_path / "model.pt").write_bytes(content)
    code, _, err = alearn("predict", tmp_path, tmp_path)
    assert code == 1
    assert err.startswith(f"error: {tmp_path / 'model.pt'}")
    assert ("damaged" if content is not None else "a trial writes it when it finishes") in err


def test_code_in_a_model_file_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"about": "{}", "weights": Bomb()}, tmp_path / "model.pt")
    with pytest.raises(AlearnError, match="damaged"):
        model_file.load(tmp_path)


def test_nothing_to_do_is_said(trained):
    assert alearn("predict", trained[0]) == (2, "", "error: nothing to do: give images, or --onnx FILE\n")


def test_pretrained_networks_are_read_without_fetching_their_start(tmp_path):
    """Name pretrained weights only: nothing may fetch them if the file has trained weights."""
    config = compose("model=torchvision", "model.name=resnet18", "model.weights=DEFAULT")
    network = build(config.model, (1, 20, 20), 3, pretrained=False)
    model_file.save(tmp_path, config.model, network.state_dict(), CLASSES, (1, 20, 20))
    found = model_file.load(tmp_path)
    x = torch.rand(2, 1, 20, 20)
    torch.testing.assert_close(found.network(x), network.eval()(x))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter warns
def test_the_onnx_file_computes_the_same(trained, tmp_path):
    pytest.importorskip("onnxscript")
    import onnx
    from onnx.reference import ReferenceEvaluator

    path = tmp_path / "model.onnx"
    assert alearn("predict", trained[0], "--onnx", path).code == 0
    onnx.checker.check_model(onnx.load(path))
    for total in (1, 3):  # the batch can have any size
        x = torch.rand(total, 1, 20, 20)
        (logits,) = ReferenceEvaluator(str(path)).run(None, {"pixels": x.numpy()})
        np.testing.assert_allclose(logits, trained[1].eval()(x).detach().numpy(), rtol=1e-3, atol=1e-4)


def test_images_of_shards_get_the_labels_of_their_files_part_by_part(trained, files, tmp_path):
    where, truth = files
    code, out, _ = alearn("predict", trained[0], where, "--device", "cpu")
    expected = [(line["label"], line["confidence"]) for line in csv.DictReader(io.StringIO(out))]
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / "0.tar", "w") as tar:
        for number, path in enumerate(sorted(truth)):
            tar.add(path, f"{number:02}.png")
        tar.add(where / ".thumbs", "99.png")
    parts = []
    for number in (1, 2):
        code, _, err = alearn(
            "predict", trained[0], tmp_path / "tars", "--device", "cpu", "--shard", f"{number}/2",
            "--out", tmp_path / f"{number}.parquet",
        )  # fmt: skip
        assert (code, "0.tar/99.png cannot be read as an image" in err) == ((0, False), (1, True))[number - 1]
        parts.append(parquet.read_table(tmp_path / f"{number}.parquet"))
    assert [part.num_rows for part in parts] == [30, 30]
    table = [row for part in parts for row in part.to_pylist()]
    assert [row["path"] for row in table] == [f"{tmp_path}/tars/0.tar/{number:02}.png" for number in range(60)]
    assert [(row["label"], f"{row['confidence']:.9g}") for row in table] == expected
    assert code == 1


def test_a_url_that_cannot_be_read_is_one_message(trained):
    code, out, err = alearn("predict", trained[0], "nowhere://x")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "nowhere://x: Protocol not known: nowhere" in err
