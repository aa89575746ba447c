"""Training from scratch on the labeled images. The images stay where they are, on the device, as uint8; a batch is an index into them.

Shape letters: N data set, B batch, C channels, H height, W width.
"""

from collections.abc import Generator, Iterator
from copy import deepcopy
from itertools import count
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alearn import rng
from alearn.config import Config, Train
from alearn.data.augment import AUGMENT
from alearn.errors import AlearnError
from alearn.events import Array, EpochDone, Fitted
from alearn.learn import device, models
from alearn.learn.device import Runtime

MIN_STEPS = 20


def fit(
    config: Config, runtime: Runtime, images_nchw: Tensor, index: Array, label: Array, hand: Array, classes: int, round: int  # noqa: A002
) -> Generator[EpochDone, None, Fitted]:
    """Train a new model; yields after every epoch.

    images_nchw: the whole data set, uint8, on runtime.device. index, label: int64 [n], the labeled images in the order in which they
    were labeled, and their classes. hand: bool [n], which of them a human labeled. Raises AlearnError if nothing is left for
    training or validation, or if the loss is no longer a number.
    """
    train = config.train
    held = split(train, hand, rng.generator(config.seed, round, "split"))
    for what, where in {"training": ~held, "validation": held}.items():
        if not where.any() and (what == "training" or train.validation):
            raise AlearnError(
                f"round {round}: no image is left for {what}: {len(index)} labeled images, train.validation={train.validation}. "
                "Label more first (policy.init_fraction) or change the share"
            )
    on = runtime.device
    train_i, train_y = _to(on, index[~held]), _to(on, label[~held])
    val_i, val_y = _to(on, index[held]), _to(on, label[held])

    device.seed(rng.derive(config.seed, round, "weights"))
    model = models.build(config.model, tuple(images_nchw.shape[1:]), classes).to(on)
    optimizer, schedule = build_optimizer(train, model)
    augment = AUGMENT[train.augment]

    def step(batch_i: Tensor, batch_y: Tensor) -> Tensor:
        x_bchw = augment(models.to_float(images_nchw[batch_i]))
        with runtime.autocast():
            loss = F.cross_entropy(model(x_bchw), batch_y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        return loss.detach()

    best: dict[str, Tensor] | None = None
    best_accuracy, waited, steps, samples = -1.0, 0, 0, 0
    curve: list[tuple[int, float, float | None]] = []
    for epoch in count(1):
        device.seed(rng.derive(config.seed, round, "epoch", epoch))  # so that nobody who listens in between can disturb the draws
        model.train()
        total = torch.zeros((), device=on)  # summed on the device: reading a loss in a step would stop the GPU
        seen = 0
        for batch in _batches(len(train_i), train, on):
            total += step(train_i[batch], train_y[batch]) * len(batch)
            seen, steps = seen + len(batch), steps + 1
            if steps == train.steps:
                break
        samples += seen
        loss = float(total) / seen
        if not np.isfinite(loss):
            raise AlearnError(f"round {round}, epoch {epoch}: the loss is {loss}. Try a lower train.lr, or precision=fp32")
        last = steps == train.steps
        accuracy = measure(runtime, model, images_nchw, val_i, val_y) if len(val_i) and (train.patience or last) else None
        if train.patience is not None and accuracy is not None:
            waited += 1
            if accuracy > best_accuracy:
                best_accuracy, waited, best = accuracy, 0, deepcopy(model.state_dict())
            last = waited >= train.patience
        curve.append((epoch, loss, accuracy))
        yield EpochDone(epoch, loss, accuracy, None if train.steps is None else steps / train.steps)
        if last:
            break
    if best is not None:
        model.load_state_dict(best)
    return Fitted(model, epoch, steps, samples, loss, best_accuracy if best is not None else accuracy, tuple(curve))


def split(train: Train, hand: Array, generator: np.random.Generator) -> Array:
    """bool [n]: which of the labeled images (in order of labeling) are held out for validation.

    "last": the last share of them, int(n x (1 - share)) being kept, as Keras does. "random": that share of the hand labels, drawn at
    random, for an auto label proves nothing.
    """
    held = np.zeros(len(hand), bool)
    if train.split == "last":
        held[int(len(hand) * (1 - train.validation)) :] = train.validation > 0
    else:
        known = np.flatnonzero(hand)
        held[generator.choice(known, round(len(known) * train.validation), replace=False)] = True
    return held


def build_optimizer(
    train: Train, model: nn.Module
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler | None]:
    """Optimizer and, unless the rate is constant, its schedule. Adadelta has the constants of Keras of 2019."""
    if train.optimizer == "adadelta":
        on_gpu = next(model.parameters()).is_cuda  # one kernel for all tensors pays on a GPU; on a CPU it only misses the cache
        optimizer: torch.optim.Optimizer = torch.optim.Adadelta(
            model.parameters(), train.lr, rho=0.95, eps=1e-7, weight_decay=train.weight_decay, foreach=on_gpu
        )
    else:
        optimizer = torch.optim.AdamW(model.parameters(), train.lr, weight_decay=train.weight_decay, fused=True)
    if train.schedule == "constant":
        return optimizer, None
    assert train.steps is not None
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, train.lr, train.steps, pct_start=0.2, final_div_factor=50
    )


def measure(runtime: Runtime, model: nn.Module, images_nchw: Tensor, index_n: Tensor, label_n: Tensor) -> float:
    """Share of the images that the model classifies right."""
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=index_n.device)
    with torch.inference_mode(), runtime.autocast():
        for i, y in zip(index_n.split(runtime.chunk), label_n.split(runtime.chunk), strict=True):
            right += (model(models.to_float(images_nchw[i])).argmax(1) == y).sum()
    return int(right) / len(index_n)


def _batches(total: int, train: Train, on: torch.device) -> Iterator[Tensor]:
    """One epoch: a random order of 0..total-1 in batches, the last of them smaller.

    Where the number of steps is fixed and the labels are few, an epoch is as many passes as make MIN_STEPS steps: what is done once an
    epoch (reading the loss, telling the user) must not set the pace.
    """
    passes = 1 if train.steps is None else ceil(MIN_STEPS * train.batch / total)
    yield from torch.cat([torch.randperm(total, device=on) for _ in range(passes)]).split(train.batch)


def _to(on: torch.device, array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(on)
