"""The `data` group: the data sets that are known by name, and a folder of one's own."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from alearn.config.section import Augment, Section


def _as_text(name: object) -> object:
    """Return a class that YAML takes for a whole number, as of digits, as the text that it is."""
    return str(name) if type(name) is int else name


ClassName = Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]


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
    """Image files of one's own: see alearn.data.image_folder for how they may lie."""

    name: Literal["folder"]
    size: Annotated[int, Field(ge=8, le=1024)] | Literal["auto"]
    """Pixels a side that every image is resized to, for the model; people see the files themselves. auto: chosen from
    the images."""
    channels: Literal[1, 3, "auto"]
    """1 for grey, 3 for colour; auto: colour if any of the images has some."""
    layout: Literal["auto", "classes", "unlabeled"]
    """classes: the folders below root are classes, so labels are known (but for those in root/unlabeled). unlabeled: no
    folder means anything. auto: classes if every image lies in a folder below root."""
    labels: str | None
    """A table of path and, where it is known, label: *.csv, or *.jsonl as alearn export writes it; its rows are the
    data set. Relative to root, as its paths are. null takes all images below root."""
    classes: Annotated[tuple[ClassName, ...], Field(min_length=2, strict=False)] | None
    """Names of the classes, in this order. null: those of folders and labels, and what people add."""
    cache: str
    """Folder for decoded images."""


Data = Annotated[Standard | Folder, Field(discriminator="name")]
