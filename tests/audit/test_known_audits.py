from pathlib import Path

from alearn.audit import known_audits


def test_each_other_draw_from_the_same_labels_is_a_warning(tmp_path):
    labels = tmp_path / "labels.csv"
    assert known_audits.enter(labels, "1f", tmp_path / "a, b", []) == []
    assert known_audits.enter(labels, "2e", tmp_path / "c", []) == [], "other labels"
    assert known_audits.enter(labels, "1f", tmp_path / "d", [str(tmp_path / "a, b")]) == [], "the risk is shared"
    (first, second) = known_audits.enter(labels, "1f", tmp_path / "e", [])
    assert f"in {tmp_path / 'a, b'}. " in first
    assert f"in {tmp_path / 'd'}. " in second
    lines = Path(f"{labels}.audits").read_text().splitlines()
    assert lines == [
        "sha256,folder", f'1f,"{tmp_path}/a, b"', f"2e,{tmp_path}/c", f"1f,{tmp_path}/d", f"1f,{tmp_path}/e",
    ]  # fmt: skip


def test_a_place_where_nobody_may_write_is_no_error(tmp_path):
    Path(f"{tmp_path}/labels.csv.audits").mkdir()
    assert known_audits.enter(tmp_path / "labels.csv", "1f", tmp_path / "a", []) == []
    assert known_audits.enter(tmp_path / "nowhere" / "labels.csv", "1f", tmp_path / "a", []) == []
