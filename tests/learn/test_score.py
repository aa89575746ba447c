import numpy as np
import torch

from alearn.events import Scores
from alearn.learn import models
from alearn.learn.device import Runtime
from alearn.learn.score import accuracy, judge, score
from tests.conftest import drain, shapes


def test_judge_agrees_with_a_softmax_in_double_precision():
    torch.manual_seed(0)
    logits = torch.randn(2000, 10) * torch.logspace(-1, 1.3, 2000)[:, None]
    p = np.exp(logits.double().numpy() - logits.double().numpy().max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    order = np.sort(p, axis=1)
    guess, doubt, margin = (t.numpy() for t in judge(logits))
    assert (guess == p.argmax(1)).all()
    others = np.where(np.arange(10) == guess[:, None], 0, p).sum(1)
    np.testing.assert_allclose(doubt, np.log(others), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(margin, order[:, -1] - order[:, -2], atol=1e-5)
    assert doubt.dtype == np.float32
    assert doubt.min() < -30  # where 1 - p_max has long been 0 in fp32


def test_ties_and_certainty_are_finite_or_minus_infinity():
    guess, doubt, margin = judge(torch.tensor([[0.0, 0.0], [200.0, -200.0]]))
    assert doubt[0] == np.log(0.5).astype(np.float32)
    assert margin[0] == 0
    assert (guess[1], doubt[1], margin[1]) == (0, -400, 1)


def test_scores_do_not_depend_on_chunks_and_keep_the_data_sets_indices(monkeypatch):
    images = shapes(500)
    torch.manual_seed(0)
    model = models.small_cnn(1, 3, 4)
    index = np.arange(3, 500, 2)
    runtime = Runtime(torch.device("cpu"), bf16=False)
    whole = drain(score(runtime, model, images.images, index))[1]
    monkeypatch.setattr(Runtime, "chunk", 7)
    progress, chunked = drain(score(runtime, model, images.images, index))
    assert (chunked.index == index).all()
    assert (chunked.guess == whole.guess).all()
    np.testing.assert_allclose(chunked.doubt, whole.doubt, atol=1e-4)
    assert [p.done for p in progress] == [112, 224, 249]
    assert {p.total for p in progress} == {249}


def test_the_model_is_in_evaluation_mode_and_untouched():
    model = models.source_cnn(1, 20, 20, 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    runtime = Runtime(torch.device("cpu"), bf16=True)
    one, two = (drain(score(runtime, model, shapes(50).images, np.arange(50)))[1] for _ in range(2))
    assert (one.doubt == two.doubt).all(), "dropout is off"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_accuracy_reads_the_truth_at_the_data_sets_indices():
    scores = Scores(np.array([1, 3]), np.array([5, 6]), np.zeros(2), np.zeros(2))
    assert accuracy(scores, np.array([0, 5, 0, 7])) == 0.5
