"""Replace each `auto` of the config by a value, by looking at a sample of the images and at the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from alearn.config import (
    AnyTrain,
    Auto,
    AutoTrain,
    Data,
    Features,
    Finetune,
    Folder,
    Head,
    Model,
    Oracle,
    Policy,
    Train,
)
from alearn.data import choose
from alearn.data.choose import SMALL
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.models import build

PRETRAINED, LINEAR = "pretrained", "linear"

AHEAD = 8
"""Queries that stay open while a head is fitted: what a fast person answers in the seconds of a round."""

LARGE, CHEAP = 224, 128
"""Pixels a side of images for a pretrained network. CHEAP is for CPUs without bf16."""


@dataclass(frozen=True)
class Settled:
    """The sections of the config without any `auto`. notes: for the user, what was chosen and why."""

    data: Data
    model: Model
    train: Train | Head
    policy: Policy
    notes: Sequence[str]

    def sections(self) -> dict[str, Any]:
        """Return the sections by their names in the config."""
        return {"data": self.data, "model": self.model, "train": self.train, "policy": self.policy}


def settle(data: Data, model: Model, train: AnyTrain, policy: Policy, runtime: Runtime) -> Settled:
    """Choose a value for each `auto`: in data, for the model, for the training, and for the pace of the policy.

    If nothing is auto, no image is read. Labels play no part. The same files give the same values on the same machine.

    Args:
        data: Where the images are.
        model: A network, or the networks to choose from.
        train: The recipe, or the two recipes to choose from.
        policy: How to label.
        runtime: What there is to compute with.

    Raises:
        AlearnError: The folder holds no images, the weights of a network are not available, or the recipe does not suit
            the network.
    """
    notes: list[str] = []
    sample = cache(partial(choose.sample, data))  # no image is read before it is needed
    if isinstance(data, Folder):
        data, about = choose.contents(data, sample)
        notes += about
    elif data.augment == "auto":
        raise AlearnError(f"data.augment=auto: is for data=folder; leave it out for data={data.name}")
    if isinstance(data, Features) != (model.network == LINEAR):
        raise AlearnError(_unsuited(data, model))
    if isinstance(model, Auto):
        plain = choose.plain(data, sample)
        model, about = network(model, train, plain, choose.is_small(data, sample), runtime)
    else:
        model, about = build.settle(model)
    notes += about
    train = recipe(train, model)
    if isinstance(data, Folder):
        side = pretrained_side(runtime) if model.network == PRETRAINED else None
        data, about = choose.sized(data, sample, side, runtime.device.type == "cuda")
        notes += about
    if isinstance(train, Train) and train.augment == "auto":
        train = train.model_copy(update={"augment": data.augment})
    return Settled(data, model, train, paced(policy, train), notes)


def recipe(train: AnyTrain, model: Model | None) -> Train | Head:
    """Return how to train a network, or a module of the user (None). Raise AlearnError if the recipe is unfit."""
    pretrained = model is not None and model.network == PRETRAINED
    linear = model is not None and model.network == LINEAR
    if isinstance(train, AutoTrain):
        return train.head if pretrained or linear else train.network
    if linear:
        if not isinstance(train, Head):
            raise AlearnError(f"train={train.name}: trains on pixels, and data=features has none; give train=head")
        return train
    if isinstance(train, Head | Finetune) and not pretrained:
        name = "the model" if model is None else f"model={called(model)}"
        raise AlearnError(
            f"train={train.name}: needs a pretrained network, and {name} is none; give "
            "model=pretrained, or train=frugal"
        )
    return train


def _unsuited(data: Data, model: Model) -> str:
    """Return why a network does not suit a data set: one has features, and the other wants pixels."""
    if isinstance(data, Features):
        return f"model={called(model)}: wants pixels, and data=features has none; it must be model=linear"
    return f"model=linear: wants features, and data={data.name} has pixels; give data=features, or another model"


def unhurried(oracle: Oracle, train: Train | Head) -> Oracle:
    """Return an oracle with its choice made how many queries stay open while the model learns."""
    if getattr(oracle, "ahead", None) != "auto":
        return oracle
    return oracle.model_copy(update={"ahead": AHEAD if isinstance(train, Head) else 0})


def paced(policy: Policy, train: Train | Head) -> Policy:
    """Return a policy with its pace chosen, and without questions that a head does not need.

    Held-out answers set the confidence of a head in every round, and it does not learn from its own guesses.
    """
    head = isinstance(train, Head)
    changes: dict[str, Any] = {}
    if policy.pace == "auto":
        changes["pace"] = "seconds" if head else "minutes"
    if policy.auto.check == "auto" and head:
        changes["auto"] = policy.auto.model_copy(update={"check": 0})
    if head:
        changes["query"] = policy.query.model_copy(update={"cover": 0})
    return policy.model_copy(update=changes)


def network(auto: Auto, train: AnyTrain, plain: str | None, small: bool, runtime: Runtime) -> tuple[Model, list[str]]:
    """Choose a network. Return it, and sentences that give the reason and say what is not available.

    Args:
        auto: The networks to choose from.
        train: How to train. A recipe that trains from scratch gets no pretrained network. Those that need one get no
            other.
        plain: Why the images need no network that knows photographs; None if they do.
        small: Whether the images have at most SMALL pixels a side.
        runtime: What there is to compute with.

    Raises:
        AlearnError: The recipe needs a pretrained network, and there is none.
    """
    cuda = runtime.device.type == "cuda"
    needs = isinstance(train, Head | Finetune)
    if plain is not None and not needs:
        return auto.small, [f"model={called(auto.small)}: {plain}"]
    notes = []
    if needs or not isinstance(train, Train):
        for backbone in [auto.backbone_gpu, auto.backbone] if cuda else [auto.backbone]:
            try:
                settled, about = build.settle(backbone)
            except AlearnError as error:
                notes.append(f"model={called(backbone)} is not available: {error}")
            else:
                return settled, [*notes, f"model={called(backbone)}: it has learned from photographs", *about]
    if needs:
        raise AlearnError("\n".join(f"train={train.name}: {note}" for note in notes))
    if not cuda:
        return auto.small, [*notes, f"model={called(auto.small)}: there is no GPU"]
    why = "in colour" if small else f"more than {SMALL} pixels a side"
    return auto.large, [*notes, f"model={called(auto.large)}: the images are {why}"]


def pretrained_side(runtime: Runtime) -> int:
    """Return the side of the images that a pretrained network gets, in pixels.

    Larger images are labeled better (docs/results/photographs.md), but a CPU without bf16 would take too long.
    """
    return LARGE if runtime.device.type == "cuda" or runtime.bf16 else CHEAP


def called(model: Model) -> str:
    """Return a network as a user names it."""
    if model.network != model.name:
        return f"{model.network} model.name={model.name}"
    width = getattr(model, "width", None)  # not every network has one
    return model.name if width is None else f"{model.name} model.width={width}"
