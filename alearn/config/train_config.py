"""The `train` group."""

from typing import Annotated, Any, Literal

from pydantic import Field

from alearn.config.section import Augment, Count, Section, Share


class Train(Section):
    """How a model is trained, from scratch, in every round."""

    name: str = "frugal"
    """Name of the recipe."""
    optimizer: Literal["adadelta", "adamw"] = "adamw"
    """How the weights are updated."""
    lr: Annotated[float, Field(gt=0, json_schema_extra={"default": "${model.lr}"})] = 0.01
    """Learning rate, the peak of it with schedule=one_cycle. The command takes the one that suits the network."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    """Weight decay of the optimizer."""
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    """How the learning rate changes. one_cycle: up to lr and down to zero."""
    batch: Count = 256
    """Labeled images in a step."""
    steps: Count | None = 150
    """Number of training steps; null trains until `patience` runs out."""
    steps_per_hand: Annotated[float, Field(ge=0)] = 0.5
    """Further steps for each hand label: the more there is to learn from, the longer training pays."""
    hand_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of each batch that is drawn from the hand labels, however few they are; 0 draws from all labels alike."""
    consistency: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the loss on images without a hand label. It teaches the distorted image what the model is sure of for
    the undistorted one; 0 leaves it out."""
    consistency_batch: Count = 128
    """Images of that loss in a step."""
    confidence: Share = 0.95
    """That loss takes an image if the model gives its guess a probability strictly above this."""
    patience: Count | None = None
    """Stop after this many epochs without a better validation accuracy, and keep the best weights. Replaces steps."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the labeled images that is held out."""
    split: Literal["last", "random"] = "random"
    """Which images are held out. last: the ones labeled last. random: a random draw from the hand labels."""
    augment: Annotated[Augment, Field(json_schema_extra={"default": "${data.augment}"})] = "digits"
    """Random distortions of each training batch. The command takes those that suit the data set."""

    def model_post_init(self, context: Any, /) -> None:
        """Check that there is one way to end, and that a schedule knows where that is."""
        if (self.steps is None) == (self.patience is None):
            raise ValueError("one of steps and patience must be set and the other null")
        if self.patience is not None and not self.validation:
            raise ValueError("patience needs validation > 0")
        if self.hand_share and self.steps is None:
            raise ValueError("hand_share needs steps")
        if self.steps_per_hand and self.steps is None:
            raise ValueError("steps_per_hand needs steps")
        if self.schedule == "one_cycle" and (self.steps is None or self.steps < 10):
            raise ValueError("schedule=one_cycle needs steps, at least 10")

    def budget(self, hand: int) -> int | None:
        """Return the steps of a training with this many hand labels, or None without a fixed number."""
        return None if self.steps is None else self.steps + round(self.steps_per_hand * hand)
