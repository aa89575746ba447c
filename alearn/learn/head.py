"""Fit a linear head to stored features of a pretrained backbone, and calibrate it on held-out answers.

Shape letters: N data set, n labeled images, F features, K classes.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alearn import rng
from alearn.config import Head
from alearn.errors import AlearnError
from alearn.journal import EpochDone, OnProgress, ignore
from alearn.learn import device
from alearn.learn.device import Runtime
from alearn.learn.training_set import TrainingSet
from alearn.models.classifier import Classifier
from alearn.values import Array, Fitted, Images

FOLDS = 5
"""Parts of the answers. Each part is held out once, to find the temperature."""

STEPS = 100
"""The most steps of L-BFGS."""

TEMPERATURES = tuple(float(t) for t in np.geomspace(0.1, 10, 81))
"""The temperatures that are tried."""

DOUBT = 1.35
"""How much less likely, in nats, a temperature may make the held-out answers than the best one does, without being
refuted by them: half the 0.9 quantile of chi-squared with one degree of freedom."""


def fit_head(
    head: Head,
    features_nf: Images,
    labeled: TrainingSet,
    classes: int,
    *,
    runtime: Runtime,
    seed: int,
    round: int,  # noqa: A002
    on_progress: OnProgress = ignore,
) -> Fitted:
    """Fit a linear head to the hand labels, and report progress when it is done.

    The head is a multinomial logistic regression with an L2 penalty. Its logits are divided by a temperature that
    held-out answers determine (Guo et al., "On Calibration of Modern Neural Networks", 2017), see `temperature`. Scale
    and temperature are folded into the weights, so the model is a plain linear layer.

    Args:
        head: The recipe.
        features_nf: The features of the whole data set, float16 [N, F], on runtime.device.
        labeled: The labeled images. Auto labels are not learned from: a linear head would only learn its own opinion.
        classes: The number of classes.
        runtime: The device.
        seed: The draw of the folds follows from the seed and the round.
        round: The number of the round.
        on_progress: Called with an `EpochDone`.

    Raises:
        AlearnError: There is no hand label.
    """
    on = runtime.device
    index = labeled.index[labeled.hand]
    if not len(index):
        raise AlearnError(f"round {round}: no image has a hand label. Label some first (policy.init_count)")
    x_nf = features_nf[torch.from_numpy(index).to(on)].float()
    y_n = torch.from_numpy(labeled.label[labeled.hand]).to(on)
    mean_f = x_nf.mean(0)
    x_nf -= mean_f
    scale = float(x_nf.square().sum(1).mean().sqrt().clamp_min(1e-6))
    z_nr, basis_rf = row_space(x_nf / scale)
    with device.one_thread():
        held_nk = held_out(z_nr, y_n, classes, head.penalty, folds(y_n, rng.generator(seed, round, "folds")))
        heat = temperature(held_nk, y_n)
        weight_kr, bias_k = regression(z_nr, y_n, classes, head.penalty)
    weight_kf = weight_kr @ basis_rf / scale
    model = Classifier(nn.Identity(), len(mean_f), classes).to(on)
    model.head.load_state_dict({"weight": weight_kf / heat, "bias": (bias_k - weight_kf @ mean_f) / heat})
    loss = float(F.cross_entropy(held_nk / heat, y_n))
    accuracy = float((held_nk.argmax(1) == y_n).float().mean())
    on_progress(EpochDone(1, loss, accuracy, 1.0))
    return Fitted(model, 1, STEPS, len(index), loss, accuracy, ((1, loss, accuracy),))


def folds(label_n: Tensor, generator: np.random.Generator) -> Array:
    """Return the fold of each answer, int64 [n]: at random, but each class is spread over the folds evenly."""
    order = generator.permutation(len(label_n))
    order = order[np.argsort(label_n.cpu().numpy()[order], kind="stable")]
    fold_n = np.empty(len(order), np.int64)
    fold_n[order] = np.arange(len(order)) % FOLDS
    return fold_n


def row_space(x_nf: Tensor) -> tuple[Tensor, Tensor]:
    """Return z [n, r] and an orthonormal basis [r, F] with x = z basis, where r is at most n.

    The weights of a regression with an L2 penalty lie in the space of the rows. If they are few, this space is much
    smaller than that of the features, and the regression on z is the same one.
    """
    n, width = x_nf.shape
    if n >= width:
        return x_nf, torch.eye(width, device=x_nf.device)
    x_64 = x_nf.double()
    value_n, vector_nn = torch.linalg.eigh(x_64 @ x_64.T)
    kept = value_n > 1e-9 * value_n[-1].clamp_min(1e-30)
    root_r = value_n[kept].sqrt()
    vector_nr = vector_nn[:, kept]
    return (vector_nr * root_r).float(), ((vector_nr / root_r).T @ x_64).float()


def regression(x_nf: Tensor, y_n: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """Fit a multinomial logistic regression: weights [K, F] and biases [K], float32.

    It minimizes the sum of the cross-entropies + penalty / 2 x the squared norm of the weights by L-BFGS, from zero. So
    nothing is drawn.
    """
    weight_kf = torch.zeros(classes, x_nf.shape[1], device=x_nf.device, requires_grad=True)
    bias_k = torch.zeros(classes, device=x_nf.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_kf, bias_k],
        max_iter=STEPS,
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-5,
        tolerance_change=1e-7,
    )
    decay = penalty / len(x_nf) / 2

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(F.linear(x_nf, weight_kf, bias_k), y_n) + decay * weight_kf.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight_kf.detach(), bias_k.detach()


def held_out(x_nf: Tensor, y_n: Tensor, classes: int, penalty: float, fold_n: Array) -> Tensor:
    """Return the logits of each answer by a regression on the other folds, [n, K]. Those of a single answer are 0."""
    logits_nk = torch.zeros(len(y_n), classes, device=x_nf.device)
    for fold in range(FOLDS if len(y_n) > 1 else 0):
        others, held = (torch.from_numpy(np.flatnonzero(at)).to(x_nf.device) for at in (fold_n != fold, fold_n == fold))
        weight_kf, bias_k = regression(x_nf[others], y_n[others], classes, penalty)
        logits_nk[held] = F.linear(x_nf[held], weight_kf, bias_k)
    return logits_nk


def temperature(logits_nk: Tensor, y_n: Tensor) -> float:
    """Return the highest temperature that held-out answers do not refute.

    The most likely temperature of a few answers is often far too low, and then the model is sure of wrong guesses.
    """
    losses = [float(F.cross_entropy(logits_nk / t, y_n, reduction="sum")) for t in TEMPERATURES]
    return max(t for t, loss in zip(TEMPERATURES, losses, strict=True) if loss <= min(losses) + DOUBT)
