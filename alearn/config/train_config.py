"""The `train` group: a network that is trained, a linear head on stored features, or the choice between them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from alearn.config.section import Augment, Count, Section, Share

LEAST_STEPS = 10
"""The fewest steps in which a learning rate can rise and fall."""


class Train(Section):
    """How a network is trained in a round: from scratch, or from the weights of the round before or of the model."""

    name: str = "quick"
    """Name of the recipe."""
    optimizer: Literal["adadelta", "adamw"] = "adamw"
    """How the weights are updated."""
    lr: Annotated[float, Field(gt=0, json_schema_extra={"default": "${model.lr}"})] = 0.01
    """Learning rate, or its peak with schedule=one_cycle. The command takes the one that suits the network."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    """Weight decay of the optimizer."""
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    """How the learning rate changes. one_cycle: it rises to lr and falls to zero."""
    batch: Count = 192
    """Number of labeled images in a step."""
    steps: Count | None = 400
    """Number of training steps; null trains until `patience` runs out."""
    steps_per_hand: Annotated[float, Field(ge=0)] = 0.0
    """Additional steps per hand label, because longer training is useful with more labels."""
    warm_start: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Rounds after the first one go on from the weights of the round before, and take this share of the steps. 0 trains
    from scratch in every round."""
    hand_share: Annotated[float, Field(ge=0, lt=1)] = 0.33
    """Share of each batch that is drawn from the hand labels, even if they are few. 0 draws equally from all labels."""
    focus: Annotated[float, Field(ge=0)] = 0.5
    """How much more often a step shows unsure images than sure ones, among those without a hand label: an image has the
    weight (1 - p) ^ focus, where p is the probability of its guess in the last round. 0 shows all alike."""
    consistency: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the consistency loss on images without a hand label. If the model is sure about an image, this loss
    teaches it the same class for a distorted copy. 0 leaves the loss out."""
    consistency_batch: Count = 64
    """Number of images for the consistency loss in a step."""
    confidence: Share = 0.8
    """The consistency loss uses an image if the probability of the model's guess is strictly above this."""
    patience: Count | None = None
    """Stop after this many epochs without a better validation accuracy, and keep the best weights. This replaces
    steps."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the labeled images that is held out for validation."""
    split: Literal["last", "random"] = "random"
    """Which images are held out. last: the images labeled last. random: a random draw from the hand labels."""
    augment: Annotated[Augment, Field(json_schema_extra={"default": "${data.augment}"})] = "digits"
    """Random distortions of each training batch. The command takes those that suit the data set."""

    def model_post_init(self, context: Any, /) -> None:
        """Check that the training has one rule to end, and that keys that need a number of steps have it."""
        if (self.steps is None) == (self.patience is None):
            raise ValueError("one of steps and patience must be set and the other null")
        if self.patience is not None and not self.validation:
            raise ValueError("patience needs validation > 0")
        if self.hand_share and self.steps is None:
            raise ValueError("hand_share needs steps")
        if self.steps_per_hand and self.steps is None:
            raise ValueError("steps_per_hand needs steps")
        if self.warm_start and self.steps is None:
            raise ValueError("warm_start needs steps")
        if self.schedule == "one_cycle" and (self.steps is None or self.steps < LEAST_STEPS):
            raise ValueError(f"schedule=one_cycle needs steps, at least {LEAST_STEPS}")

    def budget(self, hand: int, warm: bool = False) -> int | None:
        """Return the number of steps for a training with `hand` hand labels, or None if it is not fixed.

        warm: whether the training goes on from the weights of an earlier round.
        """
        if self.steps is None:
            return None
        steps = self.steps + round(self.steps_per_hand * hand)
        return max(LEAST_STEPS, round(steps * self.warm_start)) if warm else steps


class Finetune(Train):
    """How a pretrained network is trained in every round, from its pretrained weights. It needs model=pretrained."""

    name: Literal["finetune"] = "finetune"
    lr: Annotated[float, Field(gt=0)] = 0.0005
    """Peak learning rate of the head and of the last layer."""
    layer_decay: Share = 0.9
    """Factor between the learning rates of a layer and of the next one, the last of which has lr. The first layers of a
    pretrained network need the least change."""


class Head(Section):
    """How a linear head is fitted to stored features in every round. It needs model=pretrained."""

    name: Literal["head"] = "head"
    penalty: Annotated[float, Field(gt=0)] = 0.01
    """Weight of the L2 penalty, for features at a mean squared distance of 1 from their mean."""
    smooth: bool = True
    """Whether the features of images that look alike are drawn together first (alearn.learn.embedding). Turn it off if
    images of different classes look alike."""


class AutoTrain(Section):
    """One of two ways to train, which `alearn.trial.settle` chooses together with the model."""

    name: Literal["auto"] = "auto"
    network: Train = Field(default_factory=Train)
    """For a network that is trained from scratch."""
    head: Head = Head()
    """For a pretrained network."""


_CLASSES: dict[str, type[Section]] = {"finetune": Finetune, "head": Head, "auto": AutoTrain}
"""The class of a recipe by its name. All other recipes are of `Train`."""


def _recipe(tree: Any, base: ValidatorFunctionWrapHandler) -> Any:
    """Check the keys of a recipe with its class."""
    if not isinstance(tree, Section):
        name = tree.get("name") if isinstance(tree, Mapping) else None
        tree = _CLASSES.get(str(name), Train).model_validate(tree)
    return base(tree)


AnyTrain = Annotated[Finetune | Train | Head | AutoTrain, WrapValidator(_recipe)]
"""Any way to train."""
