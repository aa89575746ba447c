"""The `data` group: the data sets that are known by name, and a folder of one's own."""

from typing import Annotated, Literal

from pydantic import Field

from alearn.config.section import Augment, Count, Section


class Imbalance(Section):
    """Makes some classes of the pool rare; the test set stays as it is."""

    shape: Literal["none", "exponential", "step"]
    """exponential: each class has fewer images than the one before. step: half of the classes have few. Which is which
    is drawn by the seed."""
    factor: Annotated[float, Field(ge=1)]
    """So many times as many images has the largest class as the smallest."""


class _Source(Section):
    """What all data sets have in common."""

    name: str
    root: str
    """Folder that holds the data set, or gets it: torchvision's own layout."""
    limit: Annotated[int, Field(ge=10)] | None
    """Take a random subset of so many images (drawn by the seed); null takes all."""
    augment: Augment
    """The distortions that leave its classes as they are, for training recipes that take them from here."""
    imbalance: Imbalance


class Standard(_Source):
    """A well-known data set; fetched if it is not there."""

    name: Literal["mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn"]


class Folder(_Source):
    """Image files in a folder a class: root/train/CLASS/* and perhaps root/test/CLASS/*, or root/CLASS/* alone."""

    name: Literal["folder"]
    size: Count
    """Pixels a side that every image is resized to."""
    channels: Literal[1, 3]
    """1 for grey, 3 for colour."""


Data = Annotated[Standard | Folder, Field(discriminator="name")]
