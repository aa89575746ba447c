"""Train a network on the labeled images, from scratch or from pretrained weights.

The images stay on the device as uint8. A batch is an index into them.

Shape letters: N data set, B batch, C channels, H height, W width.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from alearn import rng
from alearn.config import Finetune, Train
from alearn.data.augment import AUGMENT
from alearn.errors import AlearnError
from alearn.journal import EpochDone, OnProgress, ignore
from alearn.learn import batches, device, finetune
from alearn.learn.consistency import Consistency
from alearn.learn.device import Runtime
from alearn.learn.replay import Passes, Replay
from alearn.learn.training_set import TrainingSet
from alearn.models.classifier import to_float
from alearn.values import Array, Fitted, Images, Weights

Network = Callable[[tuple[int, int, int], int], nn.Module]
"""A function that makes a freshly initialised model from the shape of an image (C, H, W) and the number K of classes.
torch's global generator draws the weights. A model maps float images in [0, 1], [B, C, H, W], to fp32 logits [B, K].
"""


def fit(
    train: Train,
    network: Network,
    images_nchw: Images,
    labeled: TrainingSet,
    classes: int,
    *,
    runtime: Runtime,
    seed: int,
    round: int,  # noqa: A002
    start: Weights | None = None,
    on_progress: OnProgress = ignore,
) -> Fitted:
    """Train a model, and report progress after every epoch.

    Args:
        train: The recipe.
        network: Makes the model.
        images_nchw: The whole data set, uint8, on runtime.device.
        labeled: The images to train on, and their labels.
        classes: The number of classes.
        runtime: The device and the precision.
        seed: Every random draw follows from the seed and the round.
        round: The number of the round.
        start: The weights of the round before, for train.warm_start; None if there are none.
        on_progress: Called with an `EpochDone` after every epoch.

    Raises:
        AlearnError: No image is left for training or validation, or the loss is not a finite number.
    """
    held = split(train, labeled.hand, rng.generator(seed, round, "split"))
    for what, where in {"training": ~held, "validation": held}.items():
        if not where.any() and (what == "training" or train.validation):
            raise AlearnError(
                f"round {round}: no image is left for {what}: {len(labeled)} are labeled and train.validation="
                f"{train.validation}. Label more first (policy.init_fraction), or change that share"
            )
    on = runtime.device
    train_i = _to(on, labeled.index[~held])
    train_y = _to(on, labeled.label[~held])
    val_i = _to(on, labeled.index[held])
    val_y = _to(on, labeled.label[held])

    device.seed(rng.derive(seed, round, "weights"))
    channels, height, width = images_nchw.shape[1:]
    model = network((channels, height, width), classes).to(on)
    if isinstance(train, Finetune):
        known = labeled.hand & ~held
        answers = labeled.index[known], labeled.label[known]
        finetune.start(model, images_nchw, *answers, classes, runtime=runtime, seed=seed, round=round)
    warm = start if train.warm_start else None
    if warm is not None:
        go_on(model, warm)
    consistent = None
    if train.consistency and len(labeled.pool):
        if labeled.hand.all():
            train = batches.without_auto_labels(train)
        consistent = Consistency(
            train, runtime, model, _to(on, labeled.pool), batches.drawn(train, labeled, labeled.pool, on)
        )
    budget = train.budget(int(labeled.hand.sum()), warm=warm is not None)
    resident = isinstance(images_nchw, Tensor)  # others are gathered on the CPU
    step = Step(train, runtime, model, budget, consistent, replay=runtime.cuda_graphs and resident)

    best: dict[str, Tensor] | None = None
    best_accuracy = -1.0
    waited = 0
    steps = 0
    samples = 0
    curve: list[tuple[int, float, float | None]] = []
    auto = labeled.index[~held & ~labeled.hand]
    parts = batches.epochs(train, _to(on, labeled.hand[~held]), batches.drawn(train, labeled, auto, on))
    for epoch, steps_of_epoch in enumerate(parts, start=1):
        device.seed(rng.derive(seed, round, "epoch", epoch))  # listeners may have drawn numbers meanwhile
        model.train()
        total = torch.zeros((), device=on)  # summed on the device: reading the loss of a step would wait for the GPU
        seen = 0
        for batch in steps_of_epoch:
            total += step(images_nchw, train_i[batch], train_y[batch]) * len(batch)
            seen += len(batch)
            steps += 1
            if steps == budget:
                break
        samples += seen
        loss = float(total) / seen
        if not np.isfinite(loss):
            raise AlearnError(
                f"round {round}, epoch {epoch}: the loss is {loss}. Try a lower train.lr, or precision=fp32"
            )
        last = steps == budget
        accuracy = None
        if len(val_i) and (train.patience or last):
            accuracy = measure(runtime, model, images_nchw, val_i, val_y)
        if train.patience is not None and accuracy is not None:
            waited += 1
            if accuracy > best_accuracy:
                best_accuracy = accuracy
                waited = 0
                best = deepcopy(model.state_dict())
            last = waited >= train.patience
        curve.append((epoch, loss, accuracy))
        on_progress(EpochDone(epoch, loss, accuracy, None if budget is None else steps / budget))
        if last:
            break
    if best is not None:
        model.load_state_dict(best)
    return Fitted(model, epoch, steps, samples, loss, best_accuracy if best is not None else accuracy, tuple(curve))


def go_on(model: nn.Module, start: Weights) -> None:
    """Give a new model the weights of an earlier round. Classes that people have added since keep their new weights."""
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            before = start[name]
            (weight[: len(before)] if weight.shape != before.shape else weight).copy_(before)


def split(train: Train, hand: Array, generator: np.random.Generator) -> Array:
    """Return which of the n labeled images are held out for validation, bool [n].

    If train.split is "last", the last images in the order of labeling are held out, and the first int(n x (1 - share))
    are kept for training, as Keras does. If it is "random", that share of the hand labels is drawn at random. Auto
    labels are not drawn, because agreeing with them proves nothing.

    Args:
        train: Holds the split, and the share as `validation`.
        hand: bool [n], in the order of labeling, whether a human labeled the image.
        generator: Draws the random split.
    """
    held = np.zeros(len(hand), bool)
    if train.split == "last":
        held[int(len(hand) * (1 - train.validation)) :] = train.validation > 0
    else:
        known = np.flatnonzero(hand)
        held[generator.choice(known, round(len(known) * train.validation), replace=False)] = True
    return held


class Step:
    """One training step. The object keeps the optimizer and the learning rate schedule from step to step.

    A step never waits for the device. Adadelta has the constants that Keras had in 2019: rho 0.95, epsilon 1e-7. steps:
    the number of steps after which a schedule ends; None only if there is no schedule. replay: whether to replay the
    passes as a CUDA graph; the images must be on the GPU, and the same in each step.
    """

    def __init__(
        self,
        train: Train,
        runtime: Runtime,
        model: nn.Module,
        steps: int | None,
        consistency: Consistency | None = None,
        *,
        replay: bool = False,
    ) -> None:
        self._consistency = consistency
        self._model = model
        self._runtime = runtime
        self._augment = AUGMENT[train.augment]
        self._passes: Passes = self._loss_and_gradients
        if replay:
            self._passes = Replay(self._passes, list(model.parameters()))
        parameters: list[Any] = list(model.parameters())
        if isinstance(train, Finetune):
            parameters = finetune.groups(train, model)
        lr = train.lr
        decay = train.weight_decay
        self._optimizer: torch.optim.Optimizer
        if train.optimizer == "adadelta":
            at_once = runtime.device.type == "cuda"  # all tensors together: faster on a GPU, too much for a CPU's cache
            self._optimizer = torch.optim.Adadelta(parameters, lr, 0.95, 1e-7, decay, foreach=at_once)
        else:
            self._optimizer = torch.optim.AdamW(parameters, lr, weight_decay=decay, fused=True)
        self._schedule = None
        if train.schedule == "one_cycle":
            assert steps is not None
            peaks = [group["lr"] for group in self._optimizer.param_groups]
            self._schedule = OneCycleLR(self._optimizer, peaks, steps, pct_start=0.2, final_div_factor=50)

    def __call__(self, images_nchw: Images, index_b: Tensor, label_b: Tensor) -> Tensor:
        """Train on the images `index_b`. Return the mean loss before the step, a scalar on the device."""
        self._optimizer.zero_grad()
        loss = self._passes(images_nchw, index_b, label_b)
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        return loss

    def _loss_and_gradients(self, images_nchw: Images, index_b: Tensor, label_b: Tensor) -> Tensor:
        """Run the forward and the backward pass, and return the loss."""
        x_bchw = self._augment(to_float(images_nchw[index_b]))
        with self._runtime.autocast():
            loss: Tensor = F.cross_entropy(self._model(x_bchw), label_b)
        if self._consistency is not None:
            loss = loss + self._consistency(images_nchw)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def measure(runtime: Runtime, model: nn.Module, images_nchw: Images, index_n: Tensor, label_n: Tensor) -> float:
    """Return the share of the images `index_n` for which the model predicts `label_n`."""
    model.eval()
    chunk = runtime.chunk(images_nchw.shape[1:])
    right = torch.zeros((), dtype=torch.int64, device=index_n.device)
    with torch.inference_mode(), runtime.autocast():
        for i, y in zip(torch.split(index_n, chunk), torch.split(label_n, chunk), strict=True):
            right += (model(to_float(images_nchw[i])).argmax(1) == y).sum()
    return int(right) / len(index_n)


def _to(on: torch.device, array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(on)
