"""The `train` group."""

from typing import Annotated, Any, Literal

from pydantic import Field

from alearn.config.section import Augment, Count, Section, Share


class Train(Section):
    """How a model is trained, from scratch, in every round."""

    name: str
    optimizer: Literal["adadelta", "adamw"]
    lr: Annotated[float, Field(gt=0)]
    """Learning rate; the peak of it with schedule=one_cycle."""
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["constant", "one_cycle"]
    batch: Count
    """Images a step."""
    steps: Count | None
    """Train for exactly so many steps; null trains until `patience` runs out."""
    steps_per_hand: Annotated[float, Field(ge=0)]
    """And for so many more a hand label: the more there is to learn from, the longer it pays."""
    hand_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of each batch that is drawn from the hand labels, be they ever so few; 0 draws from all labels alike."""
    consistency: Annotated[float, Field(ge=0)]
    """Weight of the loss on images without a hand label, of whose undistorted selves the model is sure; 0 for none."""
    consistency_batch: Count
    """Of those, images a step."""
    confidence: Share
    """Sure: the model gives its guess a probability strictly above this."""
    patience: Count | None
    """Stop after so many epochs without a better validation accuracy and keep the best weights; null with `steps`."""
    validation: Annotated[float, Field(ge=0, lt=1)]
    """Share of the labeled images that is held out."""
    split: Literal["last", "random"]
    """Which ones: the last ones labeled, or a random draw from the hand labels."""
    augment: Augment
    """Random distortions of each training batch."""

    def model_post_init(self, context: Any, /) -> None:
        """One way to end, and the schedule must know where that is."""
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
        """Steps of a training with so many hand labels; None without a fixed number."""
        return None if self.steps is None else self.steps + round(self.steps_per_hand * hand)
