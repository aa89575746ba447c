import pickle

import numpy as np
import pytest
import torch

from alearn.errors import AlearnError
from alearn.ledger import Ledger, Source
from alearn.trial import checkpoint
from alearn.values import Scores


def state() -> checkpoint.State:
    ledger = Ledger.empty(5)
    ledger.write(np.array([3, 0]), np.array([1, 2]), Source.FIRST, 0)
    probs = torch.tensor([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    scores = Scores(np.array([2, 4]), np.array([2, 0]), np.log([0.3, 0.4]), np.array([0.5, 0.3]), probs=probs)
    ledger.note(scores, 1)
    return checkpoint.State(ledger, [{"round": 1, "loss": 0.1 + 0.2, "val": None}], {"w": torch.randn(2, 3)})


def test_what_is_saved_comes_back(config, tmp_path):
    saved = state()
    checkpoint.save(tmp_path, config().digest(), saved)
    found = checkpoint.load(tmp_path, config().digest(), 5)
    for name, column in saved.ledger.arrays().items():
        np.testing.assert_array_equal(column, found.ledger.arrays()[name])
        assert column.dtype == found.ledger.arrays()[name].dtype
    assert found.ledger.arrays().keys() == saved.ledger.arrays().keys() >= {"probs"}
    assert found.history == saved.history
    assert torch.equal(found.model["w"], saved.model["w"])
    found.ledger.write(np.array([1]), np.array([0]), Source.QUERY, 1)  # the labeling can continue


def test_nothing_saved_is_a_fresh_start(config, tmp_path):
    found = checkpoint.load(tmp_path, config().digest(), 7)
    assert (len(found.ledger), found.history, found.model) == (7, [], None)
    assert not found.ledger.source.any()


def test_another_config_size_or_version_is_refused(config, tmp_path, monkeypatch):
    checkpoint.save(tmp_path, config().digest(), state())
    with pytest.raises(AlearnError, match="another config"):
        checkpoint.load(tmp_path, config("seed=1").digest(), 5)
    with pytest.raises(AlearnError, match="another config"):
        checkpoint.load(tmp_path, config().digest(), 6)
    monkeypatch.setattr(checkpoint, "__version__", "9.9")
    with pytest.raises(AlearnError, match=r"written by alearn 0\.1\.0, but this is alearn 9\.9"):
        checkpoint.load(tmp_path, config().digest(), 5)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_file_is_named(config, tmp_path, damage):
    path = tmp_path / checkpoint.NAME
    checkpoint.save(tmp_path, config().digest(), state())
    path.write_bytes({"cut": path.read_bytes()[:500], "garbage": b"hello", "empty": b""}[damage])
    with pytest.raises(AlearnError, match=r"checkpoint\.pt cannot be read .*damaged"):
        checkpoint.load(tmp_path, config().digest(), 5)


class Evil:
    def __reduce__(self):
        return print, ("owned",)


def test_no_code_in_it_is_run(config, tmp_path, capsys):
    (tmp_path / checkpoint.NAME).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(AlearnError):
        checkpoint.load(tmp_path, config().digest(), 5)
    torch.save({"version": Evil()}, tmp_path / checkpoint.NAME)
    with pytest.raises(AlearnError):
        checkpoint.load(tmp_path, config().digest(), 5)
    assert "owned" not in capsys.readouterr().out
