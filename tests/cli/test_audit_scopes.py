"""Run `alearn audit` with its options until the end: each audit ends with a certificate that verifies and is true."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from alearn.audit import bounds, verify
from alearn.cli.exit_codes import DONE, WAITING
from tests.command import alearn

pytestmark = pytest.mark.usefixtures("quick_plans")

NAMES = ("cat", "dog", "owl")


def call(*args: object) -> str:
    """Run the command, which must succeed, and return what it printed."""
    code, out, err = alearn("audit", *args)
    assert (code, err) == (DONE if "proof: " in out else WAITING, "")
    return out


def answer(path: Path, answers: dict[str, str]) -> int:
    """Fill in a sheet, and return the number of items that it asked about."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    asked = [line for line in lines if not line["answer"]]
    for line in asked:
        line["answer"] = answers[line["item"]]
    with path.open("w", newline="") as file:
        write = csv.DictWriter(file, ["item", "answer"])
        write.writeheader()
        write.writerows(lines)
    return len(asked)


def to_the_end(folder: Path, first: dict[str, str], again: dict[str, str], *args: object) -> dict:
    for _ in range(30):
        call(*args)
        if (folder / "certificate.json").exists():
            return verify.verify(folder)
        for name, answers in (("sheet.csv", first), ("again.csv", again), ("rest.csv", again)):
            if (folder / "questions" / name).exists():
                answer(folder / "questions" / name, answers)
    raise AssertionError("no end")


def delivered(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def made(tmp_path):
    """Write 3,000 labels of three classes, of which 1% are wrong where the model is unsure. Return also the truth."""
    random = np.random.default_rng(4)
    truth = random.integers(3, size=3000)
    confidence = 1 - 10 ** -random.uniform(0.3, 4, 3000)
    wrong = random.random(3000) < 0.06 * (1 - confidence) ** 0.5
    given = np.where(wrong, (truth + 1) % 3, truth)
    path = tmp_path / "labels.csv"
    rows = "".join(f"{i}.png,{NAMES[given[i]]},{confidence[i]:.9f}\n" for i in range(3000))
    path.write_text(f"id,label,confidence\n{rows}")
    return path, {f"{i}.png": NAMES[truth[i]] for i in range(3000)}


@pytest.mark.parametrize("kind", ["single", "staged", "sequential"])
def test_each_kind_of_audit_ends_with_labels_that_are_right_enough(made, kind):
    path, truth = made
    folder = path.with_name("out")
    args = (path, "--target-error", 0.02, "--kind", kind, "--seed", 1, "--out", folder)
    certified = to_the_end(folder, truth, truth, *args)
    (group,) = certified["groups"]
    assert len(group["stages"]) in {"single": (1,), "staged": (1, 5), "sequential": range(10, 100)}[kind]
    assert sum(line["label"] != truth[line["id"]] for line in delivered(folder)) <= group["wrong_at_most"] == 60


def test_each_class_has_a_bound_of_its_own_at_a_third_of_the_risk(made):
    path, truth = made
    folder = path.with_name("out")
    args = (path, "--target-error", 0.05, "--scope", "class", "--seed", 1, "--out", folder)
    certified = to_the_end(folder, truth, truth, *args)
    assert [group["name"] for group in certified["groups"]] == list(NAMES)
    assert "for all 3 classes at once with 95 % confidence" in call(*args)
    was = {line["id"]: line["label"] for line in csv.DictReader(path.read_text().splitlines())}
    for group in certified["groups"]:
        mine = [line for line in delivered(folder) if was[line["id"]] == group["name"]]
        assert group["wrong_at_most"] == int(0.05 * group["items"]) == int(0.05 * len(mine))
        assert sum(line["label"] != truth[line["id"]] for line in mine) <= group["wrong_at_most"]
        size, tolerated, allowed = group["stages"][0]
        assert bounds.tail(group["items"], allowed + 1 + tolerated, size, tolerated) <= 0.05 / 3

    changed = json.loads((folder / "certificate.json").read_text())
    changed["groups"][0], changed["groups"][1] = changed["groups"][1], changed["groups"][0]
    (folder / "certificate.json").write_text(json.dumps(changed))
    with pytest.raises(verify.NotValidError, match="names of the groups"):
        verify.verify(folder)


@pytest.mark.slow
def test_above_a_fixed_cut_the_share_is_one_of_the_model_s_own_labels(made):
    path, truth = made
    folder = path.with_name("out")
    args = (path, "--target-error", 0.04, "--scope", "auto", "--cut", 0.9, "--seed", 1, "--out", folder)
    certified = to_the_end(folder, truth, truth, *args)
    lines = delivered(folder)
    auto = [line for line in lines if line["source"] == "auto"]
    assert all(float(line["confidence"]) > 0.9 for line in auto)
    assert len(auto) == certified["auto"] == certified["items"] - certified["groups"][0]["audited"] > 1000
    assert sum(line["label"] != truth[line["id"]] for line in auto) <= 0.04 * len(auto)
    assert f"of the {len(auto):,} labels that are the model's" in certified["statement"]
    assert certified["hand"]["rest"] == 3000 - certified["items"], "below the cut"


def test_slips_of_a_hasty_human_are_caught_by_a_second_answer(made):
    """One first answer in ten is wrong. Without a second answer, it would count as an error of the model."""
    path, truth = made
    folder, names = path.with_name("out"), list(truth)
    hasty = truth | {name: NAMES[(NAMES.index(truth[name]) + 1) % 3] for name in names[::10]}
    args = (path, "--target-error", 0.02, "--answers", 2, "--seed", 1, "--out", folder)
    certified = to_the_end(folder, hasty, truth, *args)
    assert certified["asked_twice"] > 10 > certified["groups"][0]["errors"]
    assert "of them asked twice" in certified["statement"]
    text = (folder / "audit.csv").read_text()
    line = next(line for line in text.splitlines()[1:] if not line.endswith(","))
    for other in (line[: line.rindex(",")] + ",", line.rsplit(",", 2)[0] + ",,"):
        (folder / "audit.csv").write_text(text.replace(line, other))
        changed = json.loads((folder / "certificate.json").read_text())
        changed["audit_sha256"] = verify.sha256((folder / "audit.csv").read_bytes()).hexdigest()
        (folder / "certificate.json").write_text(json.dumps(changed))
        with pytest.raises(verify.NotValidError, match=r"audit.csv: line \d+: item .*: has too few answers"):
            verify.verify(folder)


def test_a_folder_of_a_model_s_predictions_is_shown_without_its_class_folders(tmp_path):
    """6 of 800 files are in the wrong class folder. The sheet for the human does not reveal the folder."""
    root, truth = tmp_path / "predicted", {}
    for i in range(800):
        name, stated = NAMES[i % 3], NAMES[(i % 3 + (i % 133 == 0)) % 3]
        path = root / stated / ("deep" if i % 2 else ".") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{i} is {name}".encode())
        truth[path.relative_to(root).as_posix()] = name
    (root / "cat" / ".hidden").write_text("no image")
    folder, seen = tmp_path / "out", {}
    for _ in range(30):
        call(root, "--target-error", 0.03, "--out", folder)
        if (folder / "certificate.json").exists():
            break
        for sheet in (folder / "questions").glob("*.csv"):
            for line in csv.DictReader(sheet.read_text().splitlines()):
                assert not any(name in line["item"] for name in NAMES)
                shown = folder / "questions" / line["item"]
                assert not shown.is_symlink(), "a link would tell"
                seen[line["item"]] = shown.read_text().split()[-1]
            answer(sheet, seen)
    certified = verify.verify(folder)
    assert certified["total"] == 800
    assert sum(line["label"] != truth[line["id"]] for line in delivered(folder)) <= 24
    assert {line["id"] for line in delivered(folder)} == set(truth)
    assert all(line["confidence"] in ("", "1") for line in delivered(folder)), (
        "the confidence of the model is not known"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--scope", "class", "--target-error", 0.001), "to prove at a risk of 0.01667 per class that at most"),
        (("--cut", 0.99999, "--target-error", 0.02), "--cut 0.99999: no label of"),
        (("--target-error", 0.0001), "label them all, or allow more errors"),
    ],
)
def test_what_cannot_be_had_is_said_before_anything_is_frozen(made, args, message):
    path, _ = made
    code, _, err = alearn("audit", path, *args)
    assert code == 1
    assert message in err
    assert not path.with_name("labels.csv.audit").exists()


def test_a_folder_without_class_folders_is_refused(tmp_path):
    (tmp_path / "image.png").write_text("x")
    code, _, err = alearn("audit", tmp_path, "--target-error", 0.02)
    assert code == 1
    assert "has no files in class folders" in err


@pytest.mark.parametrize(("name", "changed"), [("audit.json", "{}"), ("frozen.csv", "item,label\n1.png,cat\n")])
def test_a_damaged_audit_is_one_message(made, name, changed):
    path, _ = made
    folder = path.with_name("out")
    call(path, "--target-error", 0.02, "--out", folder)
    (folder / name).write_text(changed)
    code, _, err = alearn("audit", path, "--target-error", 0.02, "--out", folder)
    assert code == 1
    assert err.startswith(f"error: {folder / name}: ")
