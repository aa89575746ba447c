"""Training from scratch on the labeled images.

The images stay where they are, on the device, as uint8; a batch is an index into them.

Shape letters: N data set, B batch, C channels, H height, W width.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import islice
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from alearn import rng
from alearn.config import Train
from alearn.data.augment import AUGMENT
from alearn.errors import AlearnError
from alearn.journal import EpochDone, OnProgress, ignore
from alearn.learn import device
from alearn.learn.consistency import Consistency
from alearn.learn.device import Runtime
from alearn.learn.training_set import TrainingSet
from alearn.models.classifier import to_float
from alearn.values import Array, Fitted, Images

MIN_STEPS = 20


Network = Callable[[tuple[int, int, int], int], nn.Module]
"""Makes a freshly initialised model from (the shape of an image [C, H, W], the number of classes). Its weights follow
torch's global generator. A model maps float images in [0, 1], [B, C, H, W], to fp32 logits [B, K]."""


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
    on_progress: OnProgress = ignore,
) -> Fitted:
    """Train a new model and report after every epoch.

    images_nchw: the whole data set, uint8, on runtime.device. Raises AlearnError if nothing is left for training or
    validation, or if the loss is no longer a number.
    """
    held = split(train, labeled.hand, rng.generator(seed, round, "split"))
    for what, where in {"training": ~held, "validation": held}.items():
        if not where.any() and (what == "training" or train.validation):
            raise AlearnError(
                f"round {round}: no image is left for {what}: {len(labeled)} are labeled and train.validation="
                f"{train.validation}. Label more first (policy.init_fraction), or change that share"
            )
    on = runtime.device
    train_i, train_y = _to(on, labeled.index[~held]), _to(on, labeled.label[~held])
    val_i, val_y = _to(on, labeled.index[held]), _to(on, labeled.label[held])

    device.seed(rng.derive(seed, round, "weights"))
    channels, height, width = images_nchw.shape[1:]
    model = network((channels, height, width), classes).to(on)
    consistent = None
    if train.consistency and len(labeled.pool):
        consistent = Consistency(train, runtime, model, _to(on, labeled.pool))
    budget = train.budget(int(labeled.hand.sum()))
    step = Step(train, runtime, model, budget, consistent)

    best: dict[str, Tensor] | None = None
    best_accuracy, waited, steps, samples = -1.0, 0, 0, 0
    curve: list[tuple[int, float, float | None]] = []
    for epoch, batches in enumerate(epochs(train, _to(on, labeled.hand[~held])), start=1):
        device.seed(rng.derive(seed, round, "epoch", epoch))  # whatever a listener drew since the last one
        model.train()
        total = torch.zeros((), device=on)  # summed on the device: reading a loss in a step would stop the GPU
        seen = 0
        for batch in batches:
            total += step(images_nchw, train_i[batch], train_y[batch]) * len(batch)
            seen, steps = seen + len(batch), steps + 1
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
                best_accuracy, waited, best = accuracy, 0, deepcopy(model.state_dict())
            last = waited >= train.patience
        curve.append((epoch, loss, accuracy))
        on_progress(EpochDone(epoch, loss, accuracy, None if budget is None else steps / budget))
        if last:
            break
    if best is not None:
        model.load_state_dict(best)
    return Fitted(model, epoch, steps, samples, loss, best_accuracy if best is not None else accuracy, tuple(curve))


def split(train: Train, hand: Array, generator: np.random.Generator) -> Array:
    """bool [n]: which of the labeled images (in order of labeling) are held out for validation.

    "last": the last share of them, int(n x (1 - share)) being kept, as Keras does. "random": that share of the hand
    labels, drawn at random, for an auto label proves nothing.
    """
    held = np.zeros(len(hand), bool)
    if train.split == "last":
        held[int(len(hand) * (1 - train.validation)) :] = train.validation > 0
    else:
        known = np.flatnonzero(hand)
        held[generator.choice(known, round(len(known) * train.validation), replace=False)] = True
    return held


class Step:
    """One training step, with all that lasts from step to step: optimizer and learning rate schedule, which ends after
    `steps` steps if it has an end.

    It never waits for the device. Adadelta has the constants of Keras of 2019: rho 0.95, epsilon 1e-7.
    """

    def __init__(
        self,
        train: Train,
        runtime: Runtime,
        model: nn.Module,
        steps: int | None,
        consistency: Consistency | None = None,
    ) -> None:
        self._consistency = consistency
        self._model, self._runtime, self._augment = model, runtime, AUGMENT[train.augment]
        parameters, lr, decay = list(model.parameters()), train.lr, train.weight_decay
        self._optimizer: torch.optim.Optimizer
        if train.optimizer == "adadelta":
            at_once = runtime.device.type == "cuda"  # all tensors at once pays on a GPU; a CPU's cache is too small
            self._optimizer = torch.optim.Adadelta(parameters, lr, 0.95, 1e-7, decay, foreach=at_once)
        else:
            self._optimizer = torch.optim.AdamW(parameters, lr, weight_decay=decay, fused=True)
        self._schedule = None
        if train.schedule == "one_cycle":
            assert steps is not None
            self._schedule = OneCycleLR(self._optimizer, lr, steps, pct_start=0.2, final_div_factor=50)

    def __call__(self, images_nchw: Images, index_b: Tensor, label_b: Tensor) -> Tensor:
        """Train on the images `index_b`; returns the mean loss before the step, a scalar on the device."""
        x_bchw = self._augment(to_float(images_nchw[index_b]))
        with self._runtime.autocast():
            loss: Tensor = F.cross_entropy(self._model(x_bchw), label_b)
        if self._consistency is not None:
            loss = loss + self._consistency(images_nchw)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        return loss.detach()


def measure(runtime: Runtime, model: nn.Module, images_nchw: Images, index_n: Tensor, label_n: Tensor) -> float:
    """Share of the images that the model classifies right."""
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=index_n.device)
    with torch.inference_mode(), runtime.autocast():
        for i, y in zip(torch.split(index_n, runtime.chunk), torch.split(label_n, runtime.chunk), strict=True):
            right += (model(to_float(images_nchw[i])).argmax(1) == y).sum()
    return int(right) / len(index_n)


def epochs(train: Train, hand_n: Tensor) -> Iterator[Iterator[Tensor]]:
    """Epochs without end, each of them its batches: positions among the n training images.

    hand_n: bool [n], on the device. Nothing is drawn before an epoch's first batch is asked for. Without a fixed number
    of steps an epoch is a random order of all images, its last batch smaller. With one, all batches are full,
    `train.hand_share` of each is drawn from the hand labels and the rest from the others (each in random orders, one
    after the other), and an epoch has at least MIN_STEPS batches: what is done once an epoch, reading the loss, must
    not set the pace.
    """
    total, on = len(hand_n), hand_n.device
    if train.steps is None:
        while True:
            yield _shuffled(total, train.batch, on)
    everything, hand, others = (mask.nonzero().squeeze(1) for mask in (hand_n | True, hand_n, ~hand_n))
    fixed = round(train.batch * train.hand_share) if len(hand) and len(others) else 0
    parts = [_cycle(hand, fixed), _cycle(others, train.batch - fixed)] if fixed else [_cycle(everything, train.batch)]
    stream = (torch.cat(batch) for batch in zip(*parts, strict=True))
    while True:
        yield islice(stream, max(MIN_STEPS, ceil(total / train.batch)))


def _shuffled(total: int, size: int, on: torch.device) -> Iterator[Tensor]:
    """0..total-1 in random order, `size` at a time, the last time fewer."""
    yield from torch.split(torch.randperm(total, device=on), size)


def _cycle(positions: Tensor, size: int) -> Iterator[Tensor]:
    """`size` of the positions at a time, without end; all come once before any comes again."""
    left = positions[:0]
    while True:
        while len(left) < size:
            left = torch.cat([left, positions[torch.randperm(len(positions), device=positions.device)]])
        yield left[:size]
        left = left[size:]


def _to(on: torch.device, array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(on)
