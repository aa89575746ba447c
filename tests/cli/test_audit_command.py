"""Run `alearn audit` for a file of another tool: fill in its sheets, and check the certificate at the end."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from alearn.audit import rules, verify
from alearn.cli.exit_codes import DONE, WAITING
from tests.command import Outcome, alearn

pytestmark = pytest.mark.usefixtures("quick_plans")

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


def call(path: Path, *args: object) -> str:
    """Run the command, which must succeed, and return what it printed."""
    code, out, err = _audit(path, *args)
    assert (code, err) == (DONE if "proof: " in out else WAITING, "")
    return out


def refused(path: Path, *args: object) -> str:
    """Run the command, which must fail, and return its message."""
    code, _, err = _audit(path, *args)
    assert code == 1
    assert err.startswith("error: ")
    return err


def _audit(path: Path, *args: object) -> Outcome:
    columns = ["--id-column", "file", "--label-column", "class", "--confidence-column", "p"]
    target = [] if "--target-error" in args else ["--target-error", TARGET]
    return alearn("audit", path, *columns, *target, *args)


def fill(path: Path, answers: dict[str, str], limit: int | None = None) -> list[str]:
    """Fill in a sheet, and return the items that it asked about."""
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


def finish(path, truth, *args) -> Path:
    folder = Path(f"{path}.audit")
    for _ in range(10):
        call(path, *args)
        if (folder / "certificate.json").exists():
            return folder
        for name in ("sheet.csv", "rest.csv"):
            if (folder / "questions" / name).exists():
                fill(folder / "questions" / name, truth)
    raise AssertionError("no end")


def test_what_the_human_cannot_tell_counts_as_wrong_and_gets_no_label(made):
    path, truth, _ = made
    plain = verify.verify(finish(path, truth, "--seed", "1", "--out", f"{path}.audit"))
    with Path(f"{path}.audit", "audit.csv").open(newline="") as file:
        right = [line["item"] for line in csv.DictReader(file) if line["answer"] == line["label"]][:2]
    path = path.rename(path.with_name("again.csv"))
    folder = finish(path, truth | dict.fromkeys(right, "(cannot tell)"), "--seed", "1")
    certificate = verify.verify(folder)
    assert certificate["groups"][0]["errors"] >= plain["groups"][0]["errors"] + 2
    assert certificate["aside"] == 2
    assert certificate["statement"].endswith("; 2 images have no label, for the human could not tell.")
    with (folder / "labels.csv").open(newline="") as file:
        lines = {line["id"]: line for line in csv.DictReader(file)}
    assert [(lines[item]["label"], lines[item]["source"]) for item in right] == [("", "hand")] * 2
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace(f"{right[0]},,hand", f"{right[0]},cat,hand"))
    with pytest.raises(verify.NotValidError, match=r"labels\.csv"):
        verify.verify(folder)


def test_it_ends_with_labels_and_a_certificate_that_hold(made):
    path, truth, wrong = made
    folder = finish(path, truth, "--seed", "1")
    certified = verify.verify(folder)
    assert certified["statement"] in call(path, "--seed", "1"), "the command prints it again"
    with (folder / "labels.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == list(truth), "the order of the file"
    left = sum(line["label"] != truth[line["id"]] for line in lines)
    assert 0 < left <= certified["groups"][0]["wrong_at_most"] == 40 < wrong, "this draw is none of the unlucky ones"
    assert certified["hand"]["first"] == 100
    assert sum(certified["hand"].values()) == sum(line["source"] == "hand" for line in lines)


def test_an_answer_is_never_lost_and_half_a_sheet_is_asked_again(made):
    path, truth, _ = made
    folder = Path(f"{path}.audit")
    call(path)
    state = (folder / "audit.json").read_text()
    first = fill(folder / "questions" / "sheet.csv", truth, limit=5)
    assert f"{len(first) - 5:,} items to label" in call(path)
    assert fill(folder / "questions" / "sheet.csv", truth, limit=0) == first[5:]
    assert (folder / "audit.json").read_text() == state, "nothing is drawn anew"
    (folder / "questions" / "sheet.csv").write_text(
        (folder / "questions" / "sheet.csv").read_text().replace(first[6] + ",", first[6] + ",cow")
    )
    message = "sheet.csv: line 8: answer=cow: must be one of '(cannot tell)', 'cat', 'dog, small', 'owl'"
    assert message in refused(path)


def test_labels_that_changed_are_another_audit(made):
    path, _, _ = made
    call(path)
    assert "holds an audit of other labels, or for another target, risk or scope" in refused(path, "--risk", "0.1")
    path.write_text(path.read_text().replace("img 500", "img x"))
    assert "holds an audit of other labels" in refused(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("img 7.png", "img 8.png", "line 10: file=img 8.png occurs twice"),
        ("class", "kind", "has no column class; there are file, kind, p, source"),
        ("p,source", "q,source", "has no column p"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(made, old, new, message):
    path, _, _ = made
    path.write_text(path.read_text().replace(old, new, 1))
    assert message in refused(path)
    assert not Path(f"{path}.audit").exists()


@pytest.mark.parametrize("confidence", ["-0.1", "1.5", "nan", "high"])
def test_a_confidence_that_is_none_is_refused(tmp_path, confidence):
    path = tmp_path / "labels.csv"
    path.write_text(f"file,class,p\na,x,0.5\nb,y,{confidence}\n")
    assert f"line 3: p={confidence}: must be a number from 0 to 1, or empty" in refused(path)


TAMPERED = {
    "frozen.csv": lambda text: text.replace("cat", "owl", 1),
    "audit.csv": lambda text: text[: text.rindex(",")] + ",owl\n",
    "labels.csv": lambda text: text.replace(",auto,", ",hand,", 1),
}


@pytest.mark.parametrize("rehash", [False, True])
@pytest.mark.parametrize("name", TAMPERED)
def test_a_file_that_was_changed_is_found_even_if_its_hash_was_changed_with_it(made, name, rehash):
    path, truth, _ = made
    folder = finish(path, truth, "--seed", "1")
    changed = TAMPERED[name]((folder / name).read_text())
    assert changed != (folder / name).read_text()
    (folder / name).write_text(changed)
    if rehash:
        certified = json.loads((folder / "certificate.json").read_text())
        certified[f"{name.removesuffix('.csv')}_sha256"] = verify.sha256(changed.encode()).hexdigest()
        (folder / "certificate.json").write_text(json.dumps(certified))
    with pytest.raises(verify.NotValidError):
        verify.verify(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "2"), ("risk", 0.01), ("target_error", 0.01), ("total", 1999), ("items", 5), ("scope", "auto"),
        ("scope", "class"), ("scope", "x"), ("answers", 2), ("asked_twice", 1), ("number", 1), ("number", -1),
        ("statement", "All is well."), ("hand", {"first": 100, "query": 0, "audit": 1, "rest": 0}), ("auto", 3),
        ("frozen_sha256", "0"), ("groups", []), ("groups", "x"), ("groups.cut", 1900), ("groups.errors", 0),
        ("groups.audited", 1), ("groups.wrong_at_most", 41), ("groups.stages", [[10, 0]]), ("groups.stages", "x"),
        ("groups.stages", []), ("groups.stages", [[-1, 0], [3, 9]]), ("groups.stages", [[90, 0], [160, 10**12]]),
        ("groups.audited", -480), ("groups.audited", True), ("number", 10**40), ("answers", None), ("answers", []),
        ("target_error", True), ("target_error", 0.0), ("risk", "x"), ("total", 2000.0), ("more", 1),
        ("commitment_sha256", "0"), ("groups.errors_accepted", -1), ("groups.items", 7), ("groups.name", "cat"),
    ],
)  # fmt: skip
def test_a_number_that_was_changed_is_found(made, key, value):
    path, truth, _ = made
    folder = finish(path, truth, "--seed", "1")
    certified = json.loads((folder / "certificate.json").read_text())
    *outer, key = key.split(".")
    inside = certified["groups"][0] if outer else certified
    assert key == "more" or type(inside[key]) is not type(value) or inside[key] != value
    inside[key] = value
    (folder / "certificate.json").write_text(json.dumps(certified))
    code, out, err = alearn("verify", folder)
    assert (code, out) == (1, "")
    assert err.startswith("NOT VALID: ")


def not_valid(folder: Path, match: str, **changed: str) -> None:
    """Replace files and their hashes, and check that the certificate is no longer valid. Then restore the files."""
    names = {"frozen": "frozen.csv", "audit": "audit.csv", "labels": "labels.csv", "certificate": "certificate.json"}
    before = {name: (folder / name).read_bytes() for name in names.values()}
    for key, text in changed.items():
        (folder / names[key]).write_bytes(text.encode())
    if "certificate" not in changed or changed["certificate"].startswith("{"):
        certified = json.loads((folder / "certificate.json").read_text())
        for key in changed.keys() - {"certificate"}:
            certified[f"{key}_sha256"] = verify.sha256((folder / names[key]).read_bytes()).hexdigest()
        (folder / "certificate.json").write_text(json.dumps(certified))
    with pytest.raises(verify.NotValidError, match=match):
        verify.verify(folder)
    for name, content in before.items():
        (folder / name).write_bytes(content)


def test_files_that_another_reader_could_read_differently_are_not_valid(made):
    path, truth, _ = made
    folder = finish(path, truth, "--seed", "1")
    certified = json.loads((folder / "certificate.json").read_text())
    labels, answers = (folder / "labels.csv").read_text(), (folder / "audit.csv").read_text()
    header, *rows = labels.splitlines()
    twice = "\n".join([f"{header},label", *(f"{row},owl" for row in rows)]) + "\n"
    not_valid(folder, "labels.csv: its columns", labels=twice)
    not_valid(folder, "labels.csv: line 2: must have 7 fields, has 8", labels=labels.replace(rows[0], rows[0] + ",x"))
    not_valid(folder, "labels.csv: line 2: its index", labels="\n".join([header, *rows[1:], rows[0]]) + "\n")
    longer = answers.replace("\n", ",x\n").replace(",x\n", "\n", 1)
    not_valid(folder, "audit.csv: line 2: must have 4 fields, has 5", audit=longer)
    row = next(row for row in rows if ",audit," in row)
    moved = certified["hand"] | {"audit": certified["hand"]["audit"] - 1, "rest": certified["hand"]["rest"] + 1}
    not_valid(
        folder,
        "label, source and purpose of item",
        labels=labels.replace(row, row.replace(",audit,", ",rest,")),
        certificate=json.dumps(certified | {"hand": moved}),
    )
    not_valid(folder, "is not JSON", certificate="[" * 100_000)
    not_valid(folder, "is empty", frozen="")
    assert verify.verify(folder) == certified, "all is as it was"


def test_ids_and_labels_are_any_printable_text(tmp_path):
    """A character that only some readers take for a line end is part of a name; blanks around a name are not."""
    rows = "".join(f"a\u00e9 {i}, dog ,0.{900 + i % 99}\n" for i in range(200))
    path = tmp_path / "labels.csv"
    path.write_text(f"id,label,confidence\n{rows}")
    for _ in range(10):
        assert alearn("audit", path, "--target-error", 0.05).code in (DONE, WAITING)
        folder = Path(f"{path}.audit")
        if (folder / "certificate.json").exists():
            break
        fill(folder / "questions" / "sheet.csv", {f"a\u00e9 {i}": "dog" for i in range(200)})
    assert verify.verify(folder)["groups"][0]["errors"] == 0


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\x0bb", "a\rb", "a\tb", " ", ""])
def test_a_name_that_no_sheet_can_hold_is_refused(tmp_path, name):
    path = tmp_path / "labels.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "label", "confidence"), ("x", "cat", 1), (name, "dog", 0.5)])
    code, _, err = alearn("audit", path, "--target-error", 0.05)
    assert code == 1
    assert "must be text, without control characters" in err


def test_what_a_human_did_to_a_sheet_is_kept_or_named(made):
    path, truth, _ = made
    folder = Path(f"{path}.audit")
    call(path)
    sheet = folder / "questions" / "sheet.csv"
    header, first, *rest = sheet.read_text().splitlines()
    noted = [f'{first}"{truth[first[:-1]]}",easy', *(f"{row}," for row in reversed(rest))]
    sheet.write_text("\n".join([f"{header},note", *noted]) + "\n")
    call(path)
    written = list(csv.reader(sheet.read_text().splitlines()))
    assert written == list(csv.reader([f"{header},note", *noted])), "own columns and another order stay"
    for bad, message in (
        ("img 1.png.bak,cat,", "item=img 1.png.bak: is none of the items; did a spreadsheet change its name?"),
        (f"{first}cat,\n{first}owl,", "has two answers"),
    ):
        sheet.write_text("\n".join([f"{header},note", *noted[1:], bad]) + "\n")
        assert message in refused(path)
    sheet.write_text("\n".join([f"{header},note", f"{first}cat,not sure, it is small", *noted[1:]]) + "\n")
    assert "line 2: must have 3 fields, has 4; quote fields that hold a comma" in refused(path)
    sheet.write_text("item;answer\na;b\n")
    assert "are they separated by commas?" in refused(path)


def test_a_seed_may_be_chosen_after_the_hash_is_public_and_only_once(made):
    path, _, _ = made
    folder = Path(f"{path}.audit")
    for args in (["--seed", "wait"], ["--seed", "wait"], []):
        code, out, err = _audit(path, *args)
        assert code != DONE
        published = f"{out}{err}".split("SHA-256, ")[1][:64]
        assert not (folder / "questions" / "sheet.csv").exists()
    call(path, "--seed", "noon")
    with (folder / "frozen.csv").open(newline="") as file:
        frozen = [line["item"] for line in csv.DictReader(file)]
    with (folder / "questions" / "sheet.csv").open(newline="") as file:
        asked = [line["item"] for line in csv.DictReader(file)]
    drawn = rules.draw(published, "noon", len(frozen))
    assert asked == [frozen[place] for place in drawn[: len(asked)]]
    call(path)  # the seed is not needed again
    assert "--seed one: the draw was made with the seed noon already" in refused(path, "--seed", "one")


def test_to_wait_for_a_seed_is_no_error(made):
    code, out, err = _audit(made[0], "--seed", "wait")
    assert (code, err) == (WAITING, "")
    assert "SHA-256, " in out


@pytest.mark.parametrize("args", [["--out", "labels.csv"], ["--out", "labels.csv/below"], ["--source-column", "who"]])
def test_what_cannot_be_written_or_read_is_one_message(made, args):
    path, _, _ = made
    message = refused(path, *(path.parent / arg if arg.startswith("labels") else arg for arg in args))
    assert message.count("\n") == 1


def test_small_risks_are_not_rounded_away_in_words(made):
    path, truth, _ = made
    folder = finish(path, truth, "--risk", "0.00004")
    assert "with 99.996 % confidence" in verify.verify(folder)["statement"]


@pytest.mark.parametrize("name", ["certificate.json", "frozen.csv", "audit.csv", "labels.csv"])
def test_a_file_that_is_missing_is_named(made, name):
    path, truth, _ = made
    folder = finish(path, truth)
    (folder / name).unlink()
    with pytest.raises(verify.NotValidError, match=f"{name}: cannot be read"):
        verify.verify(folder)


def test_a_later_version_takes_half_of_the_risk_that_was_left_and_only_if_some_was(made, tmp_path):
    path, truth, _ = made
    once = tmp_path / "once"
    call(shutil.copy(path, tmp_path / "other.csv"), "--out", once)
    assert "took all of the risk of 0.05" in refused(path, "--out", tmp_path / "again", "--after", once)
    assert not (tmp_path / "again").exists()

    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder, options in zip(folders, (["--repeatable"], *(["--after", f] for f in folders)), strict=False):
        call(path, "--out", folder, *options)
    states = [json.loads((folder / "audit.json").read_text()) for folder in folders]
    assert [state["terms"]["number"] for state in states] == [1, 2, 3]
    assert len({state["seed"] for state in states}) == 3, "a fresh draw each"
    assert states[0]["stages"][0][1] < states[1]["stages"][0][1] < states[2]["stages"][0][1]
    message = refused(path, "--out", tmp_path / "x", "--after", folders[0])
    assert f"it has a successor, {folders[1]}" in message, "the same risk is not taken twice"
    assert "--risk 0.1: must be 0.05" in refused(path, "--out", tmp_path / "x", "--after", folders[2], "--risk", "0.1")

    for _ in range(10):
        call(path, "--out", folders[1])
        if (folders[1] / "certificate.json").exists():
            break
        for name in ("sheet.csv", "rest.csv"):
            if (folders[1] / "questions" / name).exists():
                fill(folders[1] / "questions" / name, truth)
    certified = verify.verify(folders[1])
    assert (certified["risk"], certified["number"]) == (0.05, 2)
    (folders[1] / "certificate.json").write_text(json.dumps(certified | {"number": 3}))
    with pytest.raises(verify.NotValidError, match=r"accept too much for a risk of 0\.0062"):
        verify.verify(folders[1])


def test_a_parquet_file_has_the_certificate_of_the_csv_file(made):
    path, truth, _ = made
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    table = {name: [line[name] for line in lines] for name in ("file", "class", "source")}
    table |= {"p": [float(line["p"]) for line in lines], "image": [b"a picture"] * ITEMS}
    rows = path.with_suffix(".parquet")
    parquet.write_table(pa.table(table), rows)
    ours, theirs = (verify.verify(finish(labels, truth, "--seed", "1")) for labels in (path, rows))
    assert theirs["groups"] == ours["groups"]
    assert theirs["statement"] == ours["statement"]
    assert (Path(f"{rows}.audit") / "labels.csv").read_bytes() == (Path(f"{path}.audit") / "labels.csv").read_bytes()
    parquet.write_table(pa.table({"name": ["a"]}), rows.with_name("other.parquet"))
    assert "has no column file; there are name" in refused(rows.with_name("other.parquet"))
    rows.with_name("damaged.parquet").write_bytes(b"no")
    assert "damaged.parquet: cannot be read as a Parquet file (" in refused(rows.with_name("damaged.parquet"))
