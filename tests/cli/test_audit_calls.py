"""Call `alearn audit` again, with something changed in between. Nothing that is fixed changes without a word."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from alearn.audit import verify
from alearn.cli.exit_codes import DONE, ERROR, USAGE, WAITING
from tests.command import Outcome, alearn

TRUTH = {f"{i}.png": ("cat", "dog")[i % 2] for i in range(300)}


@pytest.fixture
def path(tmp_path) -> Path:
    """Write 300 labels, all of them right."""
    path = tmp_path / "labels.csv"
    rows = [f"{name},{label},0.{900 + i % 99}\n" for i, (name, label) in enumerate(TRUTH.items())]
    path.write_text("".join(["id,label,confidence\n", *rows]))
    return path


def call(path: Path, *args: object) -> Outcome:
    return alearn("audit", path, "--target-error", 0.05, *args)


def refused(path: Path, *args: object) -> str:
    """Run the command, which must fail, and return its message."""
    code, _, err = call(path, *args)
    assert code == ERROR
    assert err.count("\n") == 1
    return err


def questions(folder: Path, name: str = "sheet.csv") -> Path:
    return folder / "questions" / name


def write(sheet: Path, answers: dict[str, str]) -> None:
    """Write a sheet with these answers in the order of the sheet, and without the items that are not in `answers`."""
    with sheet.open(newline="") as file:
        items = [line["item"] for line in csv.DictReader(file)]
    rows = [f"{item},{answers[item]}\n" for item in items if item in answers]
    sheet.write_text("".join(["item,answer\n", *rows]))


def finish(path: Path, folder: Path, *args: object) -> str:
    """Answer with the truth until the certificate is there. Return what went to standard error."""
    warned = ""
    for _ in range(10):
        code, _, err = call(path, "--out", folder, *args)
        warned += err
        if code == DONE:
            return warned
        assert code == WAITING
        for sheet in (folder / "questions").glob("*.csv"):
            write(sheet, TRUTH)
    raise AssertionError("no end")


def asked(sheet: Path) -> list[str]:
    with sheet.open(newline="") as file:
        return [line["item"] for line in csv.DictReader(file)]


@pytest.mark.parametrize("seed", ["", " ", "a\nb", "\udcff"])
def test_a_seed_that_nobody_could_publish_is_refused_before_anything_is_drawn(path, seed):
    assert refused(path, "--seed", seed).startswith("error: --seed")
    assert not Path(f"{path}.audit").exists()


@pytest.mark.parametrize("option", ["--out", "--after", "--id-column", "--source-column"])
def test_a_variable_that_is_not_set_is_no_path_and_no_column(path, option):
    code, _, err = call(path, option, "")
    assert (code, err.partition(";")[0]) == (USAGE, f"error: {option}: is ''")


def test_answers_are_fixed_once_the_audit_has_used_them(path, tmp_path):
    folder = tmp_path / "out"
    call(path, "--out", folder)
    sheet = questions(folder)
    first, second, *_ = asked(sheet)
    write(sheet, dict.fromkeys(TRUTH, "") | {first: "cat"})
    assert call(path, "--out", folder).code == WAITING
    write(sheet, dict.fromkeys(TRUTH, "") | {first: "dog"})
    assert call(path, "--out", folder).code == WAITING, "half a sheet may still change"

    finish(path, folder)
    certificate, used = (folder / "certificate.json").read_bytes(), sheet.read_text()
    other = {"cat": "dog", "dog": "cat"}[TRUTH[first]]
    write(sheet, TRUTH | {first: other})
    message = refused(path, "--out", folder)
    assert f"{sheet}: item={first}: answer={other}, but it was {TRUTH[first]} when the audit used it" in message
    for lacking in (TRUTH | {second: ""}, {item: answer for item, answer in TRUTH.items() if item != second}):
        sheet.write_text(used)
        write(sheet, lacking)
        assert f"{sheet}: item={second}: has no answer, but it was {TRUTH[second]}" in refused(path, "--out", folder)
    sheet.unlink()
    assert "has no answer" in refused(path, "--out", folder)
    assert (folder / "certificate.json").read_bytes() == certificate
    sheet.write_text(used)
    assert call(path, "--out", folder).code == DONE


def test_an_answer_may_be_typed_otherwise_and_name_an_extra_class(path, tmp_path):
    folder = tmp_path / "out"
    call(path, "--out", folder)
    first, *_ = asked(questions(folder))
    write(questions(folder), TRUTH | {first: " caf\u0065\u0301 "})
    assert "answer=café: must be one of '(cannot tell)', 'cat', 'dog'; --classes adds others" in refused(
        path, "--out", folder
    )
    for _ in range(3):
        code, _, _ = call(path, "--out", folder, "--classes", "cow,caf\u00e9")
        for sheet in (folder / "questions").glob("*.csv"):
            write(sheet, TRUTH | {first: "café"})
    assert code == DONE
    with (folder / "labels.csv").open(newline="") as file:
        assert {line["id"]: line["label"] for line in csv.DictReader(file)}[first] == "café"


def test_options_that_shape_the_draw_cannot_be_added_later(path, tmp_path):
    once, first, second = (tmp_path / name for name in ("once", "first", "second"))
    call(path, "--out", once)
    assert f"--repeatable: {once} began without it" in refused(path, "--out", once, "--repeatable")
    call(path, "--out", first, "--repeatable")
    assert call(path, "--out", first).code == WAITING
    assert f"--after {first}: {once} began without --after; omit it" in refused(path, "--out", once, "--after", first)
    call(path, "--out", second, "--after", first)
    assert call(path, "--out", second).code == WAITING, "it need not be given again"
    assert call(path, "--out", second, "--after", first, "--repeatable").code == WAITING
    message = refused(path, "--out", second, "--after", once)
    assert f"--after {once}: {second} began with --after {first}; omit it" in message


def test_the_columns_stay_as_they_were(path, tmp_path):
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},who", *(f"{row},hand" for row in rows)]) + "\n")
    folder = tmp_path / "out"
    call(path, "--out", folder)
    message = refused(path, "--out", folder, "--confidence-column", "confidence")
    assert f"--confidence-column confidence: {folder} began with none" in message
    assert "every label is a human's" in refused(path, "--out", tmp_path / "b", "--source-column", "who")
    assert f"--source-column who: {folder} began with none" in refused(path, "--out", folder, "--source-column", "who")


def test_a_second_draw_from_the_same_labels_is_a_warning_that_names_the_first(path, tmp_path):
    first, second, third, fresh = (tmp_path / name for name in ("first", "second", "third", "fresh"))
    assert finish(path, first, "--repeatable") == ""
    assert finish(path, second, "--after", first) == "", "they share the risk"
    assert finish(path, third, "--after", second) == ""
    warned = finish(path, fresh)
    assert warned.count("\n") == 3, "once for each"
    assert f"warning: an audit of these labels has drawn before, in {first}. Each certificate alone" in warned
    shutil.rmtree(fresh)
    assert f"in {fresh}. " in finish(path, fresh), "the audit that is gone, too"
    path.write_text(path.read_text().replace("0.9", "0.8"))
    assert finish(path, tmp_path / "others") == ""


def test_labels_where_nobody_may_write_can_be_audited(path, tmp_path):
    Path(f"{path}.audits").mkdir()  # not even root can append to it
    assert finish(path, tmp_path / "a") == ""


def test_a_second_call_at_once_is_refused(path, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with FileLock(folder / ".lock"):
        assert f"{folder}: another call is using this audit" in refused(path, "--out", folder)
    call(path, "--out", folder, "--repeatable")
    with FileLock(folder / ".lock"):
        message = refused(path, "--out", tmp_path / "b", "--after", folder)
    assert f"{folder}: another call is using this audit" in message
    assert call(path, "--out", tmp_path / "b", "--after", folder).code == WAITING


def test_risk_that_is_left_is_taken_once_by_the_first_to_draw(path, tmp_path):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    call(path, "--out", first, "--repeatable")
    for folder in (second, third):
        call(path, "--out", folder, "--after", first, "--seed", "wait")
    assert call(path, "--out", third, "--seed", "noon").code == WAITING
    assert f"--after {first}: it has a successor, {third}; give the successor" in refused(
        path, "--out", second, "--seed", "1"
    )
    assert not (second / "questions").exists()
    (third / "audit.json").unlink()
    assert f"it has a successor, {third}" in refused(path, "--out", third, "--after", first), "not even anew"


def test_an_audit_may_not_draw_where_nobody_sees_that_it_takes_the_risk(path, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    call(path, "--out", first, "--repeatable")
    call(path, "--out", second, "--after", first, "--seed", "wait")
    first.rename(tmp_path / "moved")
    assert f"{first}: is not there any more" in refused(path, "--out", second, "--seed", "noon")
    assert not first.exists()


def test_what_a_killed_call_left_half_written_is_removed(path, tmp_path):
    folder = tmp_path / "out"
    call(path, "--out", folder)
    left = [folder / ".audit.json.7.partial", questions(folder, ".sheet.csv.7.partial")]
    for partial in left:
        partial.write_text("half")
    call(path, "--out", folder)
    assert not any(partial.exists() for partial in left)


def test_the_model_s_labels_are_out_of_sight_of_whoever_answers(path, tmp_path):
    folder = tmp_path / "out"
    call(path, "--out", folder)
    assert [file.name for file in (folder / "questions").iterdir()] == ["sheet.csv"]
    assert (folder / "frozen.csv").exists()


def test_the_classes_are_listed_when_an_audit_begins_and_twins_are_named(path, tmp_path):
    text = path.read_text().replace("\n7.png,dog", "\n7.png,Dog").replace("\n9.png,dog", "\n9.png,d\u043eg")
    path.write_text(text.replace("\n2.png,cat", "\n2.png, cat"))
    assert "line 4: label=' cat': differs from the class 'cat' only in blanks" in refused(path)
    path.write_text(text)
    code, out, err = call(path)
    assert code == WAITING
    assert "4 classes: cat (150), dog (148), Dog (1), d\u043eg (1)\n" in out
    assert err.startswith("warning: the classes 'Dog', 'dog' differ only in case, width or blanks.")
    assert err.count("\n") == 1
    code, out, err = call(path)
    assert ("classes:" in out, err) == (False, ""), "only once"
    code, _, err = call(path, "--out", tmp_path / "b", "--classes", "\uff43\uff41\uff54")
    assert "the classes 'cat', '\uff43\uff41\uff54' differ" in err


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("item,answer,answer", "has 2 columns answer; rename all but one"),
        ("item,answer,Answer", "has the columns answer and 'Answer'; rename or remove one"),
        ("item,answer, item", "has the columns item and ' item'"),
    ],
)
def test_a_sheet_with_two_columns_for_one_thing_is_refused(path, tmp_path, header, message):
    folder = tmp_path / "out"
    call(path, "--out", folder)
    sheet = questions(folder)
    sheet.write_text(sheet.read_text().replace("item,answer", header).replace(",\n", ",cat,dog\n"))
    assert f"{sheet}: {message}" in refused(path, "--out", folder)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,label,label", "has 2 columns label; rename all but one"),
        ("id,label,LABEL", "has the columns label and 'LABEL'"),
        ("id,label,Confidence", "has a column 'Confidence'; call it confidence, or something unlike it"),
        ("id,label,source ", "has a column 'source '; call it source"),
    ],
)
def test_a_label_file_with_columns_that_could_be_mistaken_is_refused(path, header, message):
    path.write_text(path.read_text().replace("id,label,confidence", header))
    assert f"{path}: {message}" in refused(path)


def test_labels_that_an_audit_has_made_can_be_audited_again(path, tmp_path):
    """One item has no label, because somebody could not tell."""
    first, second = tmp_path / "first", tmp_path / "second"
    call(path, "--out", first, "--repeatable")
    item, *_ = asked(questions(first))
    for _ in range(3):
        for sheet in (first / "questions").glob("*.csv"):
            write(sheet, TRUTH | {item: "(cannot tell)"})
        code, _, _ = call(path, "--out", first)
    assert code == DONE
    assert finish(first / "labels.csv", second, "--after", first) == ""
    certified = verify.verify(second)
    assert (certified["aside"], certified["number"]) == (1, 2)
    with (second / "labels.csv").open(newline="") as file:
        line = {line["id"]: line for line in csv.DictReader(file)}[item]
    assert (line["label"], line["source"], line["purpose"]) == ("", "hand", "first")
    by_hand = verify.verify(first)["hand"]  # to audit and, where the draw asks for it, beyond the cut
    assert sum(by_hand.values()) == json.loads((second / "certificate.json").read_text())["hand"]["first"]


def test_labels_of_a_folder_can_be_audited_again(tmp_path):
    """Their confidence is unknown, so it is empty. A class folder may have a blank at its end."""
    root, first, second = tmp_path / "predicted", tmp_path / "first", tmp_path / "second"
    for name, label in TRUTH.items():
        file = root / f"{label} " / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(label)
    args = ["--target-error", 0.05]
    for labels, folder, more in ((root, first, ["--repeatable"]), (first / "labels.csv", second, ["--after", first])):
        for _ in range(5):
            code, _, err = alearn("audit", labels, *args, "--out", folder, *more)
            assert err == ""
            if code == DONE:
                break
            sheet = questions(folder)
            items = asked(sheet)
            look = {item: sheet.parent / item for item in items}
            write(sheet, {item: look[item].read_text() if folder == first else item.split(" /")[0] for item in items})
        assert verify.verify(folder)["groups"][0]["errors"] == 0
    other = root / "cat" / "x.png"
    other.parent.mkdir()
    other.write_text("x")
    code, _, err = alearn("audit", root, *args, "--out", tmp_path / "third")
    assert code == ERROR
    assert f"{root}: folder='cat ': differs from the class 'cat' only in blanks" in err


def test_a_file_without_confidences_is_audited_unless_they_were_asked_for(path, tmp_path):
    path.write_text("\n".join(line.rpartition(",")[0] for line in path.read_text().splitlines()) + "\n")
    assert "has no column confidence; there are id, label" in refused(path, "--confidence-column", "confidence")
    assert finish(path, tmp_path / "out") == ""
    with (tmp_path / "out" / "labels.csv").open(newline="") as file:
        assert {line["confidence"] for line in csv.DictReader(file)} == {"", "1"}


def test_the_number_of_expected_errors_is_whole(path):
    assert call(path, "--expected-errors", 0).code == WAITING
    code, _, err = call(path, "--expected-errors", -1)
    assert (code, "must be 0 or more" in err) == (USAGE, True)
