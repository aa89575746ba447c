"""Label the user's own folder from start to end: with given labels, with Label Studio's files, and with `auto` keys."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from alearn.cli.exit_codes import WAITING
from alearn.errors import AlearnError, WaitingError
from alearn.report.reporters import run_shown
from tests.command import alearn
from tests.conftest import compose, shapes

pytestmark = pytest.mark.slow

IMAGES = shapes(150)
KIND = [IMAGES.classes[k] for k in IMAGES.truth]
OVERRIDES = (
    "data=folder", "policy=own", "train=frugal", "train.steps=30", "train.batch=32", "precision=fp32", "device=cpu",
    "model=small_cnn", "model.width=4", "train.augment=none",
    "policy.init_count=20", "policy.hand_per_round=10", "policy.hand_budget=40",
    "policy.auto.rule=none", "policy.memory_from=1", "policy.stop_yield=null",
)  # fmt: skip


@pytest.fixture
def root(tmp_path) -> Path:
    """Write images. Every tenth one is in the folder of its class, so it has a label; the others are in `unlabeled`."""
    for i, image in enumerate(IMAGES.images[:, 0].numpy()):
        path = tmp_path / "photos" / (KIND[i] if i % 10 == 0 else "unlabeled") / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (tmp_path / "photos" / "unlabeled" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return tmp_path / "photos"


def config(root, *overrides):
    return compose(*OVERRIDES, f"data.root='{root}'", f"data.cache='{root.parent / 'cache'}'", *overrides)


def kind(item: str) -> str:
    return KIND[int(Path(item).stem)]


def annotate(folder: Path, number: int) -> list[str]:
    """Label the tasks of labelstudio/tasks.json as a team would, and write the export. Return the items."""
    tasks = json.loads((folder / "labelstudio" / "tasks.json").read_text())
    for task in tasks:
        choice = {
            "type": "choices",
            "from_name": "label",
            "to_name": "image",
            "value": {"choices": [kind(task["data"]["item"])]},
        }
        task["annotations"] = [{"id": number, "completed_by": {"email": "ada@example.org"}, "result": [choice]}]
    (folder / "labelstudio" / f"annotations-{number}.json").write_text(json.dumps(tasks))
    return [task["data"]["item"] for task in tasks]


def one_round(settings, folder: Path) -> None:
    """Run a trial until it asks the questions of its second round."""
    for number in range(2):
        with pytest.raises(WaitingError):
            run_shown(settings, folder)
        annotate(folder, number)
    with pytest.raises(WaitingError):
        run_shown(settings, folder)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_given_labels_and_label_studio_by_files(root, tmp_path, capsys):
    folder, settings, asked, messages = tmp_path / "trial", config(root, "oracle=labelstudio"), [], []
    for number in range(10):
        try:
            row = run_shown(settings, folder)
            break
        except WaitingError as waiting:
            messages.append(str(waiting))
            assert not (folder / "failed.json").exists(), "waiting is not a failure"
            asked += annotate(folder, number)
    assert all("tasks.json" in message for message in messages)
    assert len(asked) == len(set(asked)) == 40
    assert all(item.startswith("unlabeled/") for item in asked), "the trial does not ask about images with a label"
    assert (row["hand"], row["given"], row["first"], row["aside"]) == (40, 15, 5, 0)
    assert row["wrong_auto"] is None
    assert row["estimated_mislabeled_auto"] < 0.2
    labels = rows(folder / "labels.csv")
    by = {
        purpose: {line["id"] for line in labels if line["purpose"] == purpose}
        for purpose in ("given", "first", "query")
    }
    assert by["given"] == {line["id"] for line in labels if not line["id"].startswith("unlabeled/")}
    assert by["first"] | by["query"] == set(asked)
    assert all(line["label"] == kind(line["id"]) for line in labels if line["source"] == "hand")
    assert sum(line["label"] != kind(line["id"]) for line in labels) <= 10
    assert [line["path"] for line in rows(folder / "skipped.csv")] == ["unlabeled/broken.png"]
    out = capsys.readouterr().out
    for text in (
        "data.size=20: the images are 20 x 20",
        "3 folders are taken as classes: a, b, c",
        "1 file is skipped",
    ):
        assert text in out
    assert "mislabeled (of auto, estimated)" in out


def test_a_folder_that_has_changed_is_named_on_resume(root, tmp_path):
    folder = tmp_path / "trial"
    settings = config(root, "data.layout=unlabeled", "data.classes=[a,b,c]", "oracle=labelstudio")
    one_round(settings, folder)
    (root / "unlabeled" / "001.png").rename(root / "unlabeled" / "new.png")
    with pytest.raises(
        AlearnError, match=r"150 images, and data\.root=.* 1 added \(unlabeled/new\.png\), 1 removed \(unlabeled/001"
    ):
        run_shown(settings, folder)
    (root / "unlabeled" / "new.png").rename(root / "unlabeled" / "001.png")
    with pytest.raises(WaitingError):
        run_shown(settings, folder)


def test_a_table_in_another_order_or_with_another_class_is_refused_on_resume(root, tmp_path):
    folder, table = tmp_path / "trial", root / "labels.csv"
    lines = [f"unlabeled/{i:03}.png,{KIND[i] if i < 30 else ''}" for i in range(150) if i % 10]
    settings = config(root, "data.labels=labels.csv", "oracle=labelstudio")

    def write(lines):
        table.write_text("\n".join(["path,label", *lines]) + "\n")

    write(lines)
    one_round(settings, folder)
    write(lines[::-1])
    with pytest.raises(AlearnError, match="another order"):
        run_shown(settings, folder)
    write([lines[0].replace(f",{KIND[1]}", ",aa"), *lines[1:]])
    with pytest.raises(AlearnError, match="began with the classes a, b, c, and now they are a, aa, b, c"):
        run_shown(settings, folder)
    write(lines)
    with pytest.raises(WaitingError):
        run_shown(settings, folder)


def test_what_was_chosen_stays_when_the_files_change(root, tmp_path):
    """A new colour image would change the choice of data.channels, if the trial chose again."""
    folder = tmp_path / "trial"
    settings = config(root, "data.layout=unlabeled", "data.classes=[a,b,c]", "oracle=labelstudio")
    with pytest.raises(WaitingError):
        run_shown(settings, folder)
    assert "channels: 1" in (folder / "config.yaml").read_text()
    Image.new("RGB", (20, 20), "red").save(root / "unlabeled" / "150.png")
    with pytest.raises(WaitingError):
        run_shown(settings, folder)
    assert "channels: 1" in (folder / "config.yaml").read_text()


def test_the_command_waits_and_goes_on_from_anywhere(root, tmp_path):
    overrides = [*OVERRIDES, "data.root=photos", "data.cache=cache", "oracle=labelstudio", "hydra.run.dir=trial"]
    code, out, err = alearn(*overrides, cwd=tmp_path)
    assert code == WAITING, err
    assert "alearn resume=" in out
    first = annotate(tmp_path / "trial", 0)
    (tmp_path / "else").mkdir()
    code, _, err = alearn(f"resume={tmp_path}/trial", cwd=tmp_path / "else")
    assert code == WAITING, err
    assert not set(annotate(tmp_path / "trial", 1)) & set(first), "it has trained, and asks about other images"
    code, _, err = alearn("-m", *overrides[:-1], "seed=0,1", cwd=tmp_path)
    assert code == 1
    assert "oracle=labelstudio: people answer one trial, not a sweep" in err


def test_people_are_needed_where_nobody_knows_the_truth(root, tmp_path):
    with pytest.raises(
        AlearnError, match="oracle=truth: these images have no true labels to answer with; oracle=web asks"
    ):
        run_shown(config(root), tmp_path / "trial")
