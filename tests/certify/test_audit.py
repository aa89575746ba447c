"""alearn-audit as typed, for a file of another tool: sheets in, answers back, a certificate that can be checked."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from alearn.certify import audit, verify

ITEMS, TARGET = 2000, 0.02
NAMES = ["cat", "dog, small", "owl"]


@pytest.fixture
def made(tmp_path):
    """A label file with 1,900 labels of a model and 100 of a human, and the truth."""
    random = np.random.default_rng(0)
    truth = random.integers(3, size=ITEMS)
    confidence = 1 - 10 ** -random.uniform(0.3, 4, ITEMS)
    wrong = random.random(ITEMS) < 0.4 * (1 - confidence)
    wrong[:100] = False
    given = np.where(wrong, (truth + 1) % 3, truth)
    path = tmp_path / "labels.csv"
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(("file", "class", "p", "source"))
        for i in range(ITEMS):
            write((f"img {i}.png", NAMES[given[i]], confidence[i], "hand" if i < 100 else "model"))
    return path, {f"img {i}.png": NAMES[truth[i]] for i in range(ITEMS)}, int(wrong.sum())


def call(monkeypatch, path: Path, *words: str) -> None:
    columns = ["--id-column", "file", "--label-column", "class", "--confidence-column", "p"]
    target = [] if "--target-error" in words else ["--target-error", str(TARGET)]
    monkeypatch.setattr(sys, "argv", ["alearn-audit", str(path), *columns, *target, *words])
    audit.main()


def fill(path: Path, answers: dict[str, str], limit: int | None = None) -> list[str]:
    """Answer a sheet; returns what it asked."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    asked = [line["item"] for line in lines if not line["answer"]]
    for line in lines:
        assert line.keys() == {"item", "answer"}, "blind"
        if not line["answer"] and line["item"] in asked[:limit]:
            line["answer"] = answers[line["item"]]
    with path.open("w", newline="") as file:
        write = csv.DictWriter(file, ["item", "answer"])
        write.writeheader()
        write.writerows(lines)
    return asked


def finish(monkeypatch, path, truth, *words) -> Path:
    folder = Path(f"{path}.audit")
    for _ in range(10):
        call(monkeypatch, path, *words)
        if (folder / "certificate.json").exists():
            return folder
        for name in ("sheet.csv", "rest.csv"):
            if (folder / name).exists():
                fill(folder / name, truth)
    raise AssertionError("no end")


def test_it_ends_with_labels_and_a_certificate_that_hold(monkeypatch, capsys, made):
    path, truth, wrong = made
    folder = finish(monkeypatch, path, truth, "--seed", "1")
    certified = verify.verify(folder)
    assert certified["statement"] in capsys.readouterr().out
    with (folder / "labels.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == list(truth), "the order of the file"
    left = sum(line["label"] != truth[line["id"]] for line in lines)
    assert 0 < left <= certified["groups"][0]["wrong_at_most"] == 40 < wrong, "this draw is none of the unlucky ones"
    assert certified["hand"]["first"] == 100
    assert sum(certified["hand"].values()) == sum(line["source"] == "hand" for line in lines)


def test_an_answer_is_never_lost_and_half_a_sheet_is_asked_again(monkeypatch, capsys, made):
    path, truth, _ = made
    folder = Path(f"{path}.audit")
    call(monkeypatch, path)
    state = (folder / "audit.json").read_text()
    first = fill(folder / "sheet.csv", truth, limit=5)
    capsys.readouterr()
    call(monkeypatch, path)
    assert f"{len(first) - 5:,} items to label" in capsys.readouterr().out
    assert fill(folder / "sheet.csv", truth, limit=0) == first[5:]
    assert (folder / "audit.json").read_text() == state, "nothing is drawn anew"
    (folder / "sheet.csv").write_text((folder / "sheet.csv").read_text().replace(first[6] + ",", first[6] + ",cow"))
    with pytest.raises(SystemExit):
        call(monkeypatch, path)
    said = capsys.readouterr().err
    assert "sheet.csv: line 8: answer=cow: must be one of cat, dog, small, owl" in said


def test_labels_that_changed_are_another_audit(monkeypatch, capsys, made):
    path, _, _ = made
    call(monkeypatch, path)
    with pytest.raises(SystemExit):
        call(monkeypatch, path, "--risk", "0.1")
    assert "holds an audit of other labels, or for another target, risk or scope" in capsys.readouterr().err
    path.write_text(path.read_text().replace("img 500", "img x"))
    with pytest.raises(SystemExit):
        call(monkeypatch, path)
    assert "holds an audit of other labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("img 7.png", "img 8.png", "line 10: file=img 8.png is there twice"),
        ("class", "kind", "has no column class; there are file, kind, p, source"),
        ("p,source", "q,source", "has no column p"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(monkeypatch, capsys, made, old, new, message):
    path, _, _ = made
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SystemExit) as left:
        call(monkeypatch, path)
    assert left.value.code == 1
    assert message in capsys.readouterr().err
    assert not Path(f"{path}.audit").exists()


@pytest.mark.parametrize("confidence", ["", "1.5", "nan", "high"])
def test_a_confidence_that_is_none_is_refused(monkeypatch, capsys, tmp_path, confidence):
    path = tmp_path / "labels.csv"
    path.write_text(f"file,class,p\na,x,0.5\nb,y,{confidence}\n")
    with pytest.raises(SystemExit):
        call(monkeypatch, path)
    assert f"line 3: p={confidence}: must be a number from 0 to 1" in capsys.readouterr().err


TAMPERED = {
    "frozen.csv": lambda text: text.replace("cat", "owl", 1),
    "audit.csv": lambda text: text[: text.rindex(",")] + ",owl\n",
    "labels.csv": lambda text: text.replace(",auto,", ",hand,", 1),
}


@pytest.mark.parametrize("rehash", [False, True])
@pytest.mark.parametrize("name", TAMPERED)
def test_a_file_that_was_changed_is_found_even_if_its_hash_was_changed_with_it(monkeypatch, made, name, rehash):
    path, truth, _ = made
    folder = finish(monkeypatch, path, truth, "--seed", "1")
    changed = TAMPERED[name]((folder / name).read_text())
    assert changed != (folder / name).read_text()
    (folder / name).write_text(changed)
    if rehash:
        certified = json.loads((folder / "certificate.json").read_text())
        certified[f"{name.removesuffix('.csv')}_sha256"] = verify.sha256(changed.encode()).hexdigest()
        (folder / "certificate.json").write_text(json.dumps(certified))
    with pytest.raises(verify.AlearnError):
        verify.verify(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "2"), ("risk", 0.01), ("target_error", 0.01), ("total", 1999), ("items", 5), ("scope", "auto"),
        ("scope", "class"), ("scope", "x"), ("answers", 2), ("asked_twice", 1), ("number", 1), ("number", -1),
        ("statement", "All is well."), ("hand", {"first": 100, "query": 0, "audit": 1, "rest": 0}), ("auto", 3),
        ("frozen_sha256", "0"), ("groups", []), ("groups", "x"), ("groups.cut", 1900), ("groups.errors", 0),
        ("groups.audited", 1), ("groups.wrong_at_most", 41), ("groups.stages", [[10, 0]]), ("groups.stages", "x"),
        ("groups.stages", []), ("groups.errors_accepted", -1), ("groups.items", 7), ("groups.name", "cat"),
    ],
)  # fmt: skip
def test_a_number_that_was_changed_is_found(monkeypatch, capsys, made, key, value):
    path, truth, _ = made
    folder = finish(monkeypatch, path, truth, "--seed", "1")
    certified = json.loads((folder / "certificate.json").read_text())
    *outer, key = key.split(".")
    inside = certified["groups"][0] if outer else certified
    assert inside[key] != value
    inside[key] = value
    (folder / "certificate.json").write_text(json.dumps(certified))
    monkeypatch.setattr(sys, "argv", ["alearn-verify", str(folder)])
    with pytest.raises(SystemExit) as left:
        verify.main()
    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("NOT VALID: ")


@pytest.mark.parametrize("name", ["certificate.json", "frozen.csv", "audit.csv", "labels.csv"])
def test_a_file_that_is_missing_is_named(monkeypatch, made, name):
    path, truth, _ = made
    folder = finish(monkeypatch, path, truth)
    (folder / name).unlink()
    with pytest.raises(verify.AlearnError, match=f"{name}: cannot be read"):
        verify.verify(folder)


def test_a_later_version_takes_half_of_the_risk_that_was_left_and_only_if_some_was(monkeypatch, capsys, made, tmp_path):
    path, truth, _ = made
    once = tmp_path / "once"
    call(monkeypatch, path, "--out", str(once))
    with pytest.raises(SystemExit):
        call(monkeypatch, path, "--out", str(tmp_path / "again"), "--after", str(once))
    assert "took all of the risk of 0.05" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()

    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder, words in zip(folders, (["--repeatable"], *(["--after", str(f)] for f in folders)), strict=False):
        call(monkeypatch, path, "--out", str(folder), *words)
    states = [json.loads((folder / "audit.json").read_text()) for folder in folders]
    assert [state["terms"]["number"] for state in states] == [1, 2, 3]
    assert len({state["seed"] for state in states}) == 3, "a fresh draw each"
    assert states[0]["stages"][0][1] < states[1]["stages"][0][1] < states[2]["stages"][0][1]
    with pytest.raises(SystemExit):
        call(monkeypatch, path, "--out", str(tmp_path / "x"), "--after", str(folders[0]))
    assert f"it has a successor, {folders[1]}" in capsys.readouterr().err, "the same risk is not taken twice"
    with pytest.raises(SystemExit):
        call(monkeypatch, path, "--out", str(tmp_path / "x"), "--after", str(folders[2]), "--risk", "0.1")
    assert "--risk 0.1: must be 0.05" in capsys.readouterr().err

    for _ in range(10):
        call(monkeypatch, path, "--out", str(folders[1]))
        if (folders[1] / "certificate.json").exists():
            break
        for name in ("sheet.csv", "rest.csv"):
            if (folders[1] / name).exists():
                fill(folders[1] / name, truth)
    certified = verify.verify(folders[1])
    assert (certified["risk"], certified["number"]) == (0.05, 2)
    (folders[1] / "certificate.json").write_text(json.dumps(certified | {"number": 3}))
    with pytest.raises(verify.AlearnError, match=r"accept too much for a risk of 0\.0062"):
        verify.verify(folders[1])
