import json

from alearn.journal import RoundDone, RoundStarted
from alearn.trial.metrics_jsonl import MetricsJsonl, load


def test_a_line_a_round_and_a_resumed_trial_drops_what_was_not_saved(tmp_path):
    done = [RoundDone(i, None, None, None, None, {}, {"round": i, "x": None}) for i in (1, 2, 3)]
    sink = MetricsJsonl(tmp_path, [])
    sink.write(RoundStarted(1, 1, 1))
    sink.write(done[0])
    sink.write(done[1])
    torn = (tmp_path / "metrics.jsonl").read_text() + '{"round": 3, "x'  # killed while writing
    (tmp_path / "metrics.jsonl").write_text(torn)
    assert load(tmp_path) == [done[0].metrics, done[1].metrics], "what is whole can be read"
    assert load(tmp_path / "nowhere") == []
    again = MetricsJsonl(tmp_path, [done[0].metrics])
    again.write(done[1])
    again.close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"round": 1, "x": None}, {"round": 2, "x": None}]
