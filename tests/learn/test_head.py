"""The head on features: its regression compared with scikit-learn's, and its temperature."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from alearn.config import Head
from alearn.errors import AlearnError
from alearn.journal import EpochDone
from alearn.learn import head
from alearn.learn.device import Runtime
from alearn.learn.training_set import TrainingSet
from tests.conftest import watched

CPU = Runtime(torch.device("cpu"), bf16=False)
CLASSES = 4


def points(total: int, width: int, apart: float = 2.0, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Return clouds of features, float16 [total, width], and the class of each, int64 [total]."""
    random = np.random.default_rng(seed)
    truth = random.integers(CLASSES, size=total)
    centre = np.random.default_rng(99).normal(size=(CLASSES, width)) * apart / width**0.5
    return torch.from_numpy(centre[truth] + random.normal(size=(total, width)) / width**0.5).half(), truth


def training(label: np.ndarray, index: np.ndarray | None = None, hand: np.ndarray | None = None) -> TrainingSet:
    index = np.arange(len(label)) if index is None else index
    return TrainingSet(index, label, np.ones(len(label), bool) if hand is None else hand, np.zeros(0, np.int64))


def fitted(features, labeled, classes=CLASSES, penalty=0.01, seed=0, number=1):
    options = {"runtime": CPU, "seed": seed, "round": number}
    return watched(head.fit_head, Head(penalty=penalty), features, labeled, classes, **options)


def parameters(made) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in made.model.state_dict().values())


@pytest.mark.parametrize(("total", "width"), [(30, 80), (200, 20), (40, 40)])
@pytest.mark.parametrize("penalty", [0.1, 2.0])
def test_the_regression_is_that_of_scikit_learn(total, width, penalty):
    """In the space of the rows, if they are few, it is the same one as in the space of the features."""
    features, truth = points(total, width)
    x = features.float() - features.float().mean(0)
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(x.double().numpy(), truth)
    z, basis = head.row_space(x)
    weight, bias = head.regression(z, torch.from_numpy(truth), CLASSES, penalty)
    assert z.shape[1] == (width if total >= width else total - 1), "centred rows are linearly dependent"
    apart = (weight @ basis).double().numpy() - theirs.coef_
    assert np.linalg.norm(apart) < 0.01 * np.linalg.norm(theirs.coef_)
    ours, expected = bias - bias.mean(), theirs.intercept_ - theirs.intercept_.mean()  # a constant changes nothing
    np.testing.assert_allclose(ours.numpy(), expected, atol=0.01)

    def objective(weight: np.ndarray, bias: np.ndarray) -> float:
        logits = F.linear(x.double(), torch.from_numpy(weight).double(), torch.from_numpy(bias).double())
        wrong = F.cross_entropy(logits, torch.from_numpy(truth), reduction="sum")
        return float(wrong) + penalty / 2 * float((weight**2).sum())

    least = objective(theirs.coef_, theirs.intercept_)
    assert objective((weight @ basis).numpy(), bias.numpy()) == pytest.approx(least, rel=1e-4)


@pytest.mark.parametrize(("total", "width"), [(30, 80), (80, 30), (5, 5), (1, 7)])
def test_the_space_of_the_rows_has_the_same_rows(total, width):
    x = torch.randn(total, width, generator=torch.Generator().manual_seed(0))
    z, basis = head.row_space(x)
    torch.testing.assert_close(z @ basis, x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), rtol=1e-4, atol=1e-4)
    assert z.shape == (total, len(basis))
    assert len(basis) <= max(total, width)


def test_equal_rows_need_one_dimension_only():
    z, basis = head.row_space(torch.ones(6, 9))
    assert (z.shape, basis.shape) == ((6, 1), (1, 9))
    torch.testing.assert_close(z @ basis, torch.ones(6, 9))


def test_the_head_is_the_regression_on_scaled_features_divided_by_its_temperature():
    """Put together from scikit-learn and the parts that other tests check; it takes features as they are stored."""
    features, truth = points(120, 16, apart=3)
    _, made = fitted(features, training(truth))
    x = features.double().numpy()
    scaled = x - x.mean(0)
    scaled /= np.sqrt((scaled**2).sum(1).mean())
    theirs = LogisticRegression(C=1 / 0.01, tol=1e-10, max_iter=10_000).fit(scaled, truth)
    logits = theirs.decision_function(scaled)
    with torch.no_grad():
        ours = made.model(features.float()).double().numpy()
    ours -= ours.mean(1, keepdims=True)
    heats = logits / ours
    heat = float(np.median(heats))
    assert any(abs(heat - t) < 0.02 * t for t in head.TEMPERATURES)
    np.testing.assert_allclose(ours * heat, logits, atol=0.02 * np.abs(logits).max())
    assert made.model.body(features) is features
    assert made.model.head.weight.shape == (CLASSES, 16)


def test_it_learns_and_knows_how_sure_it_may_be():
    """Compare with new points: the held-out accuracy is theirs, and the probabilities are not too high."""
    features, truth = points(300, 32, apart=2.5)
    new, expected = points(4000, 32, apart=2.5, seed=1)
    steps, made = fitted(features, training(truth))
    with torch.no_grad():
        probs = made.model(new.float()).softmax(1).numpy()
    right = probs.argmax(1) == expected
    assert right.mean() > 0.8
    assert made.val_accuracy == pytest.approx(right.mean(), abs=0.06)
    assert probs.max(1).mean() == pytest.approx(right.mean(), abs=0.06)
    assert made.loss == pytest.approx(-np.log(probs[np.arange(4000), expected]).mean(), abs=0.15)
    assert (made.epochs, made.samples, made.curve) == (1, 300, ((1, made.loss, made.val_accuracy),))
    assert steps == [EpochDone(1, made.loss, made.val_accuracy, 1.0)]


def test_folds_are_as_large_as_each_other_and_so_are_their_shares_of_each_class():
    label = torch.from_numpy(np.repeat([2, 0, 1], [11, 40, 3]))
    fold = head.folds(label, np.random.default_rng(0))
    assert fold.dtype == np.int64
    for kind in range(3):
        counts = np.bincount(fold[label.numpy() == kind], minlength=head.FOLDS)
        assert counts.max() - counts.min() <= 1
    counts = np.bincount(fold, minlength=head.FOLDS)
    assert counts.max() - counts.min() <= 1
    assert not np.array_equal(fold, head.folds(label, np.random.default_rng(1)))


def test_held_out_answers_are_not_learned_from():
    features, truth = points(100, 12)
    x, y = features.float(), torch.from_numpy(truth)
    fold = np.arange(100) % head.FOLDS
    logits = head.held_out(x, y, CLASSES, 0.1, fold)
    for part in range(head.FOLDS):
        kept = torch.from_numpy(fold != part)
        weight, bias = head.regression(x[kept], y[kept], CLASSES, 0.1)
        torch.testing.assert_close(logits[~kept], F.linear(x[~kept], weight, bias))


def calibrated(total: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits whose probabilities are right, and answers drawn by them."""
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(size=(total, CLASSES)) * 2).float()
    probs = logits.double().softmax(1).numpy()
    return logits, torch.from_numpy((probs.cumsum(1) < random.random((total, 1))).sum(1).clip(max=CLASSES - 1))


@pytest.mark.parametrize("factor", [0.25, 1, 3])
def test_the_temperature_mends_logits_that_are_a_factor_too_large(factor):
    logits, answers = calibrated(20_000)
    found = head.temperature(logits * factor, answers)
    assert found == pytest.approx(factor, rel=0.1)
    assert found >= factor, "the highest one that is not refuted"


def test_the_temperature_is_the_bound_of_a_likelihood_ratio():
    logits, answers = calibrated(300)
    found = head.temperature(logits, answers)
    losses = {t: float(F.cross_entropy(logits / t, answers, reduction="sum")) for t in head.TEMPERATURES}
    least = min(losses.values())
    assert losses[found] - least <= head.DOUBT
    assert all(loss - least > head.DOUBT for t, loss in losses.items() if t > found)


def test_fewer_answers_give_a_higher_temperature():
    found = [np.mean([head.temperature(*calibrated(total, seed)) for seed in range(20)]) for total in (20, 200, 2000)]
    assert found[0] > found[1] > found[2] > 1
    few, answers = torch.full((3, 2), -5.0), torch.zeros(3, dtype=torch.int64)
    few[:, 0] = 5
    assert head.temperature(few, answers) > 5, "three right answers say little"


def test_auto_labels_are_not_learned_from():
    features, truth = points(100, 12)
    hand = np.arange(100) % 2 == 0
    wrong = np.where(hand, truth, (truth + 1) % CLASSES)
    _, mixed = fitted(features, training(wrong, hand=hand))
    _, alone = fitted(features, training(truth[hand], index=np.flatnonzero(hand)))
    assert parameters(mixed) == parameters(alone)
    assert mixed.samples == 50


def test_classes_without_an_answer_are_never_guessed_and_one_answer_is_enough():
    features, truth = points(60, 12, apart=8)
    label = np.where(truth == 3, 0, truth)
    lone = int(np.flatnonzero(truth == 3)[0])
    label[lone] = 3
    keep = np.flatnonzero((truth != 3) | (np.arange(60) == lone))
    _, made = fitted(features, training(label[keep], index=keep), classes=6)
    new, expected = points(500, 12, apart=8, seed=1)
    with torch.no_grad():
        guess = made.model(new.float()).argmax(1).numpy()
    assert set(guess) <= set(range(CLASSES))
    assert (guess[expected != 3] == expected[expected != 3]).mean() > 0.9
    assert (guess[expected == 3] == 3).mean() > 0.5
    assert made.model.head.out_features == 6


@pytest.mark.parametrize("total", [1, 2])
def test_hardly_any_answers(total):
    features, _ = points(10, 12)
    _, made = fitted(features, training(np.arange(total), index=np.arange(total)))
    with torch.no_grad():
        assert made.model(features.float()).isfinite().all()
    assert np.isfinite(made.loss)


def test_without_an_answer_there_is_a_message():
    features, truth = points(10, 12)
    with pytest.raises(
        AlearnError, match=r"^round 3: no image has a hand label\. Label some first \(policy\.init_count\)"
    ):
        fitted(features, training(truth, hand=np.zeros(10, bool)), number=3)


def test_it_is_repeatable_whatever_else_is_drawn():
    features, truth = points(80, 200)
    _, first = fitted(features, training(truth))
    torch.rand(7)
    np.random.random(3)  # noqa: NPY002
    _, again = fitted(features, training(truth))
    assert parameters(first) == parameters(again)
    assert first.loss == again.loss
    _, other = fitted(features, training(truth), seed=1)
    assert other.loss != first.loss, "other folds"
    _, later = fitted(features, training(truth), number=2)
    assert later.loss not in (first.loss, other.loss)


def test_the_scale_of_the_features_does_not_matter():
    features, truth = points(80, 24)
    _, small = fitted(features.float(), training(truth))
    _, large = fitted(features.float() * 1000 + 5, training(truth))
    with torch.no_grad():
        a, b = (m.model(x) for m, x in ((small, features.float()), (large, features.float() * 1000 + 5)))
    torch.testing.assert_close(a.softmax(1), b.softmax(1), rtol=0, atol=5e-3)


def test_a_higher_penalty_gives_smaller_weights_before_the_temperature():
    features, truth = points(80, 24)
    x, y = features.float(), torch.from_numpy(truth)
    norms = [float(head.regression(x, y, CLASSES, penalty)[0].norm()) for penalty in (0.01, 0.1, 1, 10)]
    assert norms == sorted(norms, reverse=True)
    assert norms[0] > 3 * norms[-1]
