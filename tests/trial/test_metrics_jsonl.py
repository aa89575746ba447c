import json

from alearn.trial import metrics_jsonl

ROUNDS = [{"round": number, "x": None} for number in (1, 2, 3)]


def test_a_line_a_round_and_a_resumed_trial_drops_what_was_not_saved(tmp_path):
    metrics_jsonl.write(tmp_path, [])
    metrics_jsonl.append(tmp_path, ROUNDS[0])
    metrics_jsonl.append(tmp_path, ROUNDS[1])
    torn = (tmp_path / "metrics.jsonl").read_text() + '{"round": 3, "x'  # killed while writing
    (tmp_path / "metrics.jsonl").write_text(torn)
    assert metrics_jsonl.load(tmp_path) == ROUNDS[:2], "complete lines can be read"
    assert metrics_jsonl.load(tmp_path / "nowhere") == []
    metrics_jsonl.write(tmp_path, ROUNDS[:1])
    metrics_jsonl.append(tmp_path, ROUNDS[1])
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == ROUNDS[:2]
