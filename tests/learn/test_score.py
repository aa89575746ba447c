import numpy as np
import pytest
import torch
from skactiveml.pool._bald import batch_bald
from torch import nn

from alearn import rng
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.learn.score import SAMPLES, accuracy, judge, judge_probs, score
from alearn.models.classifier import Classifier, dropouts, to_float
from alearn.models.small_cnn import SmallCnn, small_cnn
from alearn.models.source_cnn import SourceCnn, source_cnn
from alearn.values import Scores
from tests.conftest import shapes, watched

CPU = Runtime(torch.device("cpu"), bf16=False)
ALL = frozenset({"probs", "features", "information"})


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


def test_scores_of_some_of_the_images_have_the_same_fields():
    index = np.arange(4)
    scores = Scores(index, index % 2, *np.random.default_rng(0).random((2, 4), np.float32), probs=torch.rand(4, 3))
    some = scores.of(np.array([True, False, False, True]))
    assert (some.index.tolist(), some.guess.tolist(), len(some)) == ([0, 3], [0, 1], 2)
    assert (some.doubt.tolist(), some.margin.tolist()) == (
        scores.doubt[[0, 3]].tolist(),
        scores.margin[[0, 3]].tolist(),
    )
    assert torch.equal(some.probs, scores.probs[[0, 3]])
    assert some.features is some.information is None


def test_ties_and_certainty_are_finite_or_minus_infinity():
    guess, doubt, margin = judge(torch.tensor([[0.0, 0.0], [200.0, -200.0]]))
    assert doubt[0] == np.log(0.5).astype(np.float32)
    assert margin[0] == 0
    assert (guess[1], doubt[1], margin[1]) == (0, -400, 1)


def test_scores_do_not_depend_on_chunks_and_keep_the_data_sets_indices(monkeypatch):
    images = shapes(500)
    torch.manual_seed(0)
    model = small_cnn(SmallCnn(width=4), (1, 20, 20), 3)
    index = np.arange(3, 500, 2)
    runtime = Runtime(torch.device("cpu"), bf16=False)
    whole = score(runtime, model, images.images, index)
    monkeypatch.setattr(Runtime, "chunk", lambda self, shape: 7)
    progress, chunked = watched(score, runtime, model, images.images, index)
    assert (chunked.index == index).all()
    assert (chunked.guess == whole.guess).all()
    np.testing.assert_allclose(chunked.doubt, whole.doubt, atol=1e-4)
    assert [p.done for p in progress] == [112, 224, 249]
    assert {p.total for p in progress} == {249}


def test_the_model_is_in_evaluation_mode_and_untouched():
    model = source_cnn(SourceCnn(), (1, 20, 20), 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    runtime = Runtime(torch.device("cpu"), bf16=True)
    one, two = (score(runtime, model, shapes(50).images, np.arange(50)) for _ in range(2))
    assert (one.doubt == two.doubt).all(), "dropout is off"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_accuracy_reads_the_truth_at_the_data_sets_indices():
    scores = Scores(np.array([1, 3]), np.array([5, 6]), np.zeros(2), np.zeros(2))
    assert accuracy(scores, np.array([0, 5, 0, 7])) == 0.5


def test_probabilities_are_judged_as_logits_are():
    torch.manual_seed(0)
    logits = torch.randn(2000, 10) * torch.logspace(-1, 1.3, 2000)[:, None]
    for ours, theirs in zip(judge_probs(logits.softmax(1)), judge(logits), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_doubt_of_probabilities_keeps_digits_where_p_max_is_one():
    guess, doubt, margin = judge_probs(torch.tensor([[1e-20, 1.0, 2e-20], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]))
    assert guess.tolist()[:2] == [1, 2]
    np.testing.assert_allclose(doubt, [np.log(3e-20), -np.inf, np.log(0.5)], rtol=1e-6)
    assert margin.tolist() == [1, 1, 0]


def dropping(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return source_cnn(SourceCnn(), (1, 20, 20), 3)


def scored(model, want, index=None, seed=0, labeled=None) -> Scores:
    index = np.arange(300) if index is None else index
    return score(CPU, model, shapes(300).images, index, want, labeled, seed)


def test_what_is_wanted_is_there_and_changes_nothing_else():
    model, index, labeled = dropping(), np.arange(1, 300, 2), np.array([8, 2, 100])
    plain, full = scored(model, frozenset(), index), scored(model, ALL, index, labeled=labeled)
    for name in ("index", "guess", "doubt", "margin"):
        assert (getattr(plain, name) == getattr(full, name)).all()
    extra = ("probs", "features", "labeled_features", "information")
    assert [getattr(plain, name) for name in extra] == [None] * 4
    x = to_float(shapes(300).images)
    with torch.no_grad():
        expected = model.body(x)
        torch.testing.assert_close(full.probs, model.head(expected[1::2]).softmax(1))
    torch.testing.assert_close(full.features, expected[1::2])
    torch.testing.assert_close(full.labeled_features, expected[[8, 2, 100]])
    assert {t.dtype for t in (full.probs, full.features, full.labeled_features)} == {torch.float32}
    assert (full.information.dtype, full.information.shape) == (np.float32, (150,))
    full.probs.add_(1)  # must not be a tensor of inference mode, so that others can compute with it
    for name in ALL:
        one = scored(model, frozenset({name}), index)
        assert [other for other in extra if getattr(one, other) is not None] == [name]


def test_information_is_that_of_plain_monte_carlo_dropout():
    """Use the same masks with the whole model, and the formula of a library."""
    model = dropping()
    model.head.weight.data.mul_(20)  # otherwise all samples agree
    made = scored(model, frozenset({"information"}), np.arange(200), seed=5).information
    torch.manual_seed(rng.derive(5, "score", 0))
    model.eval()
    for layer in dropouts(model):
        layer.train()
    with torch.no_grad():
        x = to_float(shapes(300).images[:200])
        samples = np.stack([model(x).softmax(1).double().numpy() for _ in range(SAMPLES)])
    np.testing.assert_allclose(made, batch_bald(samples, 1)[0], atol=1e-5)
    assert made.max() > 0.1


def test_information_grows_with_dropout_and_is_never_negative():
    means = []
    for dropout in (0.01, 0.2, 0.6):
        torch.manual_seed(0)
        model = small_cnn(SmallCnn(width=8, dropout=dropout), (1, 20, 20), 3)
        made = scored(model, frozenset({"information"})).information
        assert made.min() >= 0
        means.append(made.mean())
    assert means == sorted(means)


@pytest.mark.slow
def test_it_repeats_whatever_its_listeners_draw_and_follows_the_seed(monkeypatch):
    monkeypatch.setattr(Runtime, "chunk", lambda self, shape: 5)
    model, found = dropping(), []
    for seed, noise in ((0, 0), (0, 3), (1, 0)):

        def listen(step, noise=noise):
            torch.rand(noise)  # a listener that draws from the global generator

        found.append(score(CPU, model, shapes(300).images, np.arange(300), ALL, None, seed, listen).information)
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_what_has_no_dropout_is_computed_once_a_chunk_and_stays_in_evaluation_mode(monkeypatch):
    monkeypatch.setattr(Runtime, "chunk", lambda self, shape: 64)
    torch.manual_seed(0)
    model = small_cnn(SmallCnn(width=4, dropout=0.5), (1, 20, 20), 3).train()
    runs = {"conv": 0, "dropout": 0, "head": 0}
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def count(name):
        def hook(module, args, output):
            runs[name] += 1
            assert all(not layer.training for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))

        return hook

    model.body[1].register_forward_hook(count("conv"))
    model.body[-1].register_forward_hook(count("dropout"))
    model.head.register_forward_hook(count("head"))
    scored(model, ALL)
    chunks = 5
    assert runs == {"conv": chunks, "dropout": chunks * (SAMPLES + 1), "head": chunks * (SAMPLES + 1)}
    assert not any(layer.training for layer in dropouts(model))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_layers_that_work_in_place_do_no_harm():
    """Dropout that writes in place on a shared input would drop more of it with every mask."""
    found = []
    for inplace in (False, True):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Flatten(), nn.Linear(400, 16), nn.Dropout(0.5, inplace), nn.ReLU(inplace))
        found.append(scored(Classifier(body, 16, 3), ALL))
    assert (found[0].information == found[1].information).all()
    assert torch.equal(found[0].features, found[1].features)
    assert (found[0].doubt == found[1].doubt).all()


@pytest.mark.parametrize("dropout", [0.0, None])
def test_information_of_a_model_without_dropout_is_an_error_that_says_what_to_set(dropout):
    model = small_cnn(SmallCnn(width=4), (1, 20, 20), 3) if dropout is None else dropping()
    for layer in dropouts(model):
        layer.p = 0.0
    with pytest.raises(
        AlearnError, match=r"policy\.query\.strategy: it needs a network with dropout, .* set model\.dropout=0\.25"
    ):
        scored(model, frozenset({"information"}))
