"""Train a pretrained network: where its head starts, and how fast its layers learn.

Shape letters: N data set, n labeled images, F features.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from alearn.config import Finetune, Head
from alearn.learn import score
from alearn.learn.device import Runtime
from alearn.learn.head import fit_head
from alearn.learn.training_set import TrainingSet
from alearn.models import pretrained
from alearn.models.backbone import Backbone
from alearn.models.classifier import Classifier
from alearn.values import Array, Images


def start(
    model: nn.Module,
    images_nchw: Images,
    index: Array,
    label: Array,
    classes: int,
    *,
    runtime: Runtime,
    seed: int,
    round: int,  # noqa: A002
) -> None:
    """Fit the head of a classifier to the features of its body, as train=head does.

    A random head would spoil the pretrained layers before it has learned anything itself (Kumar et al., "Fine-Tuning
    can Distort Pretrained Features and Underperform Out-of-Distribution", 2022).

    Args:
        model: A `Classifier`, on runtime.device.
        images_nchw: The whole data set, uint8, on runtime.device.
        index: int64 [n], images with a hand label.
        label: int64 [n], their classes.
        classes: The number of classes.
        runtime: The device and the precision.
        seed: As in `fit_head`.
        round: As in `fit_head`.
    """
    assert isinstance(model, Classifier)
    features_nf = score.features(runtime, model, images_nchw, torch.from_numpy(index).to(runtime.device))
    answers = TrainingSet(np.arange(len(index)), label, np.ones(len(index), bool), np.empty(0, np.int64))
    head = fit_head(Head(), features_nf, answers, classes, runtime=runtime, seed=seed, round=round).model
    assert isinstance(head, Classifier)
    model.head.load_state_dict(head.head.state_dict())


def groups(train: Finetune, model: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters of a classifier for an optimizer: those of the body by layer, and those of the head.

    Biases and the parameters of norms do not decay.
    """
    assert isinstance(model, Classifier)
    assert isinstance(model.body, Backbone)
    body = pretrained.groups(model.body, train.lr, train.layer_decay, train.weight_decay)
    decays = {"weight": train.weight_decay, "bias": 0.0}
    head = [{"params": [each], "weight_decay": decays[name]} for name, each in model.head.named_parameters()]
    return [*body, *head]
