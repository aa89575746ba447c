"""The package in tests/outsider, installed, and used from the command line."""

import csv
import json
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from PIL import Image

from alearn import registry
from alearn.config import Model, hydra_front, packaged_conf, preset
from alearn.config.presets import names
from alearn.errors import AlearnError
from alearn.trial import model_file
from tests.command import ROOT, alearn
from tests.conftest import shapes

REGISTRIES = (registry.MODELS, registry.QUERIES, registry.AUTO_RULES, registry.ORACLES, registry.EXPORTERS)
IMAGES = shapes(80)
KIND = [IMAGES.classes[k] for k in IMAGES.truth]
POLICY = (
    "policy=source", "policy.init_fraction=0.25", "policy.hand_fraction=0.125", "policy.hand_budget=30",
    "policy.finish=auto", "policy.query.strategy=last", "policy.auto.rule=even",
)  # fmt: skip
"""20 images by hand first, 10 in the first round; labels that the model gives stay."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Install the package into a folder of its own."""
    source = tmp_path_factory.mktemp("source") / "outsider"
    shutil.copytree(ROOT / "tests" / "outsider", source)
    target = source.with_name("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    return target


@pytest.fixture
def installed(site, monkeypatch):
    """The package is there for this process, and gone afterwards."""
    monkeypatch.syspath_prepend(site)
    registry._entry_points.cache_clear()
    for kind in REGISTRIES:
        kind.own()
        monkeypatch.setattr(kind, "_records", dict(kind._records))
        monkeypatch.setattr(kind, "_origins", dict(kind._origins))
    yield
    registry._entry_points.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "outsider"]:
        del sys.modules[name]


@pytest.fixture
def trial(tmp_path):
    """A function that runs a trial of 80 images in folders of their classes, and returns its outcome and its labels."""
    for i, image in enumerate(IMAGES.images[:, 0].numpy()):
        path = tmp_path / "photos" / KIND[i] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    places = (f"data.root='{tmp_path / 'photos'}'", f"data.cache='{tmp_path}'", f"hydra.run.dir='{tmp_path / 'trial'}'")
    quick = ("data=folder", "device=cpu", "train.steps=20", "train.batch=16", "train.augment=none")

    def run(*args):
        outcome = alearn(*quick, *POLICY, *places, *args)
        if outcome.code:
            return outcome, []
        return outcome, list(csv.DictReader((tmp_path / "trial" / "labels.csv").read_text().splitlines()))

    return run


def kind(line: dict[str, str]) -> str:
    return KIND[int(Path(line["id"]).stem)]


@pytest.mark.slow
def test_what_a_package_brings_acts(installed, trial, tmp_path):
    outcome, lines = trial("model=tiny", "model.width=5", "oracle=contrary", "oracle.shift=2")
    assert outcome.code == 0, outcome.err

    body = model_file.load(tmp_path / "trial").network.body
    assert [type(layer).__name__ for layer in body] == ["Flatten", "Linear", "ReLU"]
    assert body[1].out_features == 5
    asked = [int(line["index"]) for line in lines if line["purpose"] == "query"]
    assert asked == list(range(70, 80)), "the last ones"
    by_rule = [int(line["index"]) for line in lines if line["source"] == "auto" and line["round"] == "1"]
    assert by_rule == list(range(20, 70, 2)), "the even ones of those that had no label"
    hand = [line for line in lines if line["source"] == "hand"]
    assert len(hand) == 30
    assert all("abc".index(line["label"]) == ("abc".index(kind(line)) + 2) % 3 for line in hand), "contrary"

    outcome = alearn("export", tmp_path / "trial", "--format", "tabbed", "--prefix", "s3://b/")
    assert outcome.code == 0, outcome.err
    exported = (tmp_path / "trial" / "export.tsv").read_text()
    assert exported == "".join(f"s3://b/{line['id']}\t{line['label']}\n" for line in lines)
    assert (
        "--copy: is for --format folders, not for tabbed"
        in alearn("export", tmp_path / "trial", "--format", "tabbed", "--copy").err
    )


def test_a_model_of_a_package_that_is_gone_is_named(tmp_path):
    weights = {"head.bias": torch.zeros(3)}
    model_file.save(tmp_path, Model(name="tiny", lr=0.1), weights, ("a", "b", "c"), (1, 20, 20))
    with pytest.raises(
        AlearnError,
        match=r"model\.pt cannot be read as a model: model\.name=tiny: must be one of auto, linear, pretrained, res",
    ):
        model_file.load(tmp_path)


@pytest.mark.slow
def test_an_oracle_of_another_package_answers_for_people(installed, trial, tmp_path):
    table = tmp_path / "expert.txt"
    table.write_text("".join(f"{KIND[i]}/{i:02}.png c\n" for i in range(80)))
    args = ("model=tiny", "oracle=expert", f"oracle.table='{table}'")
    outcome, lines = trial(*args)
    assert outcome.code == 0, outcome.err
    assert {line["label"] for line in lines if line["source"] == "hand"} == {"c"}
    row = json.loads((tmp_path / "trial" / "row.json").read_text())
    assert row["hand"] == 30
    moved = table.rename(tmp_path / "moved.txt")
    outcome, _ = trial("model=tiny", "oracle=expert", f"oracle.table='{moved}'")
    assert "finished already" in outcome.out, "the table's place is registered as a key that may change"
    outcome = alearn("-m", "oracle=expert", "oracle.table=x", "data.limit=100", f"hydra.sweep.dir='{tmp_path / 's'}'")
    assert "oracle=expert: people answer one trial, not a sweep" in outcome.err


def test_python_has_the_presets_of_packages(installed):
    tiny = preset("model", "tiny", width=5)
    assert (type(tiny).__name__, tiny.width) == ("Tiny", 5)
    assert tiny == hydra_front.compose("model=tiny", "model.width=5").model
    assert {"small_cnn", "tiny"} <= set(names("model"))


def test_a_package_that_fails_is_named_and_a_name_that_there_is_not_is_told_with_all_that_there_are(
    installed, tmp_path
):
    place = f"hydra.sweep.dir='{tmp_path / 'sweep'}'"
    strategies = "policy.query.strategy=last,margin,broken,lats"
    outcome = alearn("-m", "model=tiny,broken", strategies, "policy.auto.rule=evn", "data.limit=100", place)
    assert outcome.code == 1
    assert "no job was started:" in outcome.err
    broken = (
        "broken: outsider 0.3 registers it in outsider.broken, which cannot be imported (RuntimeError: outsider.broken "
        "needs a library that is not here); python -c 'import outsider.broken' shows where it fails"
    )
    assert f"model.name={broken}" in outcome.err
    assert f"policy.query.strategy={broken}" in outcome.err
    names = "badge, bald, broken, coreset, entropy, last, least_confidence, margin, random, typiclust"
    assert f"policy.query.strategy=lats: must be one of {names}; did you mean last?" in outcome.err
    assert (
        "policy.auto.rule=evn: must be one of class_threshold, count, entropy, even, none, threshold; did you mean"
        in (outcome.err)
    )
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "sweep").exists()

    outcome = alearn("model=tyni", f"hydra.run.dir='{tmp_path / 'trial'}'")
    assert outcome.code == 1
    assert "'model/tyni'" in outcome.err
    assert "tiny" in outcome.err, "Hydra lists what there is, theirs included"


def test_help_shows_what_packages_bring_and_imports_none_of_them(site):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print([m for m in ('outsider', 'torch', 'numpy') if m in sys.modules]))\n"
        "from alearn.cli.main import main\n"
        "main(['--help'])"
    )
    path = f"{ROOT}:{ROOT / 'alearn' / 'plugins'}:{site}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert "tiny" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_configs_that_are_announced_and_not_there(monkeypatch, tmp_path):
    point = EntryPoint("theirs", "nowhere.conf", "alearn.conf")
    monkeypatch.setattr(packaged_conf, "entry_points", lambda group: [point])
    assert packaged_conf.missing() == ["theirs announces configs in nowhere.conf, which does not exist"]
    outcome = alearn("model=theirs", f"hydra.run.dir='{tmp_path / 'trial'}'")
    assert outcome.code == 1
    assert "theirs announces configs in nowhere.conf" in outcome.err
