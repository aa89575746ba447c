"""Replace each `auto` of the config by a value, by looking at a sample of the images and at the machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from alearn.config import AnyTrain, Auto, AutoTrain, Data, Folder, Head, Model, Policy, Train
from alearn.data import choose
from alearn.data.choose import SMALL, Sample
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.models import build

PRETRAINED = "pretrained"

LARGE, CHEAP = 224, 128
"""Pixels a side of images for a pretrained network. CHEAP is for CPUs without bf16."""


@dataclass(frozen=True)
class Settled:
    """The sections of the config without any `auto`. notes: for the user, what was chosen and why."""

    data: Data
    model: Model
    train: AnyTrain
    policy: Policy
    notes: Sequence[str]

    def sections(self) -> dict[str, Any]:
        """Return the sections by their names in the config."""
        return {"data": self.data, "model": self.model, "train": self.train, "policy": self.policy}


def settle(data: Data, model: Model, train: AnyTrain, policy: Policy, runtime: Runtime) -> Settled:
    """Choose a value for each `auto`: in data, for the model, for the training, and for the numbers of a policy.

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
    cuda = runtime.device.type == "cuda"
    sample = cache(partial(Sample.of, data))  # no image is read before it is needed
    if isinstance(data, Folder):
        data, about = choose.contents(data, sample)
        notes += about
    elif data.augment == "auto":
        raise AlearnError(f"data.augment=auto: is for data=folder; leave it out for data={data.name}")
    if isinstance(model, Auto):
        model, about = _network(model, data, train, sample, runtime)
    else:
        model, about = build.settle(model)
    notes += about
    frozen = model.network == PRETRAINED
    if frozen and not isinstance(data, Folder) and model.size is None:
        model = model.model_copy(update={"size": _side(runtime)})
    if isinstance(train, AutoTrain):
        train = train.head if frozen else train.network
    if isinstance(train, Head) and not frozen:
        raise AlearnError(
            f"train=head: fits a head to the features of a pretrained network, and model={model.name} is none; give "
            "model=pretrained, or train=frugal"
        )
    if isinstance(data, Folder):
        data, about = choose.sized(data, sample, _side(runtime) if frozen else None, cuda)
        notes += about
    if isinstance(train, Train) and train.augment == "auto":
        train = train.model_copy(update={"augment": data.augment})
    return Settled(data, model, train, policy, notes)


def called(model: Model) -> str:
    """Return a network as a user names it."""
    if model.network != model.name:
        return f"{model.network} model.name={model.name}"
    width = getattr(model, "width", None)  # not every network has one
    return model.name if width is None else f"{model.name} model.width={width}"


def _network(
    auto: Auto, data: Data, train: AnyTrain, sample: Callable[[], Sample], runtime: Runtime
) -> tuple[Model, list[str]]:
    """Choose a network. Return it, and sentences that give the reason and what was not available."""
    cuda = runtime.device.type == "cuda"
    plain = choose.plain(data, sample)
    notes = []
    if plain is None and not isinstance(train, Train):
        for backbone in [auto.backbone_gpu, auto.backbone] if cuda else [auto.backbone]:
            try:
                backbone, about = build.settle(backbone)
            except AlearnError as error:
                notes.append(f"model={called(backbone)} is not available: {error}")
            else:
                return backbone, [*notes, f"model={called(backbone)}: it knows photographs", *about]
    if plain is not None:
        return auto.small, [f"model={called(auto.small)}: {plain}"]
    if not cuda:
        return auto.small, [*notes, f"model={called(auto.small)}: there is no GPU"]
    large = "in colour" if choose.is_small(data, sample) else f"more than {SMALL} pixels a side"
    return auto.large, [*notes, f"model={called(auto.large)}: the images are {large}"]


def _side(runtime: Runtime) -> int:
    """Return the side of images for a pretrained network, in pixels.

    Larger images are labeled better (docs/results/photographs.md). A CPU without bf16 needs three times as long.
    """
    return LARGE if runtime.device.type == "cuda" or runtime.bf16 else CHEAP
