"""The `data` group: well-known data sets, a folder of the user's own images, and features that were computed before."""

import os
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from alearn.config.section import Augment, Section

_SUITS: dict[str, Augment] = {
    "mnist": "digits",
    "fashion_mnist": "clothes",
    "kmnist": "digits",
    "cifar10": "objects",
    "cifar100": "objects",
    "svhn": "numbers",
}


def _in_cache() -> Any:
    return Field(
        default_factory=lambda: os.environ.get("ALEARN_DATA", "~/.cache/alearn"),
        json_schema_extra={"default": "$ALEARN_DATA or ~/.cache/alearn"},
    )


def _as_text(name: object) -> object:
    """Return the name of a class as text, even if YAML has read it as a whole number, such as a digit."""
    return str(name) if type(name) is int else name


ClassName = Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]


class Imbalance(Section):
    """Makes some classes of the pool rare. The test set stays as it is."""

    shape: Literal["none", "exponential", "step"] = "none"
    """none: leave the pool as it is. exponential: each class has fewer images than the one before. step: half of the
    classes have few images. The seed draws which classes these are."""
    factor: Annotated[float, Field(ge=1)] = 1.0
    """The largest class has this many times as many images as the smallest."""


class _Source(Section):
    """The keys that all data sets have."""

    name: str
    root: str
    limit: Annotated[int, Field(ge=10)] | None = None
    """Take a random subset of this many images, which the seed draws. null takes all images."""
    augment: Augment
    imbalance: Imbalance = Imbalance()
    """Makes some classes of the pool rare."""


class Standard(_Source):
    """A well-known data set, which is downloaded if it is missing."""

    name: Literal["mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn"] = "mnist"
    """Name of the data set."""
    root: str = _in_cache()
    """Folder that holds the data set or gets it, in torchvision's own layout. Features are kept there, too."""
    augment: Augment = Field(
        default_factory=lambda data: _SUITS[data["name"]], json_schema_extra={"default": "what suits the data set"}
    )
    """Distortions that leave its classes as they are. Training recipes take them from here."""


class Folder(_Source):
    """The user's own image files. alearn.data.image_folder describes the allowed layouts."""

    name: Literal["folder"] = "folder"
    root: str
    """Folder of the images, on this machine or in a store: s3://BUCKET/FOLDER, gs://BUCKET/FOLDER and what else fsspec
    reaches."""
    size: Annotated[int, Field(ge=8, le=1024)] | Literal["auto"] = "auto"
    """Side in pixels to which images are resized for the model; people see the files themselves. auto: chosen from the
    images."""
    channels: Literal[1, 3, "auto"] = "auto"
    """1 for grey, 3 for colour. auto: colour if any image has some."""
    layout: Literal["auto", "classes", "unlabeled", "shards"] = "auto"
    """classes: the folders below root are classes, so all labels are known except in root/unlabeled. unlabeled: folders
    have no meaning. shards: images are members of *.tar files or rows of *.parquet files. auto: shards if there are
    such files and no others, else classes if every image is in a folder below root."""
    image_field: str | None = None
    """Of shards: the suffix of the images in tar files, or their column in Parquet files. null takes the usual ones."""
    label_field: str | None = None
    """Of shards: the suffix of the labels in tar files, or their column in Parquet files. null takes cls and label."""
    labels: str | None = None
    """Table of paths and known labels: *.csv, *.parquet, or *.jsonl as `alearn export` writes it. Its rows are the data
    set. The table and its paths are relative to root. null takes all images below root."""
    classes: Annotated[tuple[ClassName, ...], Field(min_length=2, strict=False)] | None = None
    """Names of the classes, in this order. null takes the names of folders and labels, and those that people add."""
    augment: Augment = "auto"
    """Distortions that leave its classes as they are. auto: chosen from the images."""
    cache: str = _in_cache()
    """Folder for decoded images and for features."""


class Features(_Source):
    """Features that were computed before, by `alearn features --out` or by any other program."""

    name: Literal["features"] = "features"
    root: str
    """Folder or URL with *.parquet files. Each row has an id and the features of an image, and perhaps its label."""
    feature_field: str | None = None
    """The column of the features, lists of numbers. null takes features, embedding, embeddings or vector."""
    label_field: str | None = None
    """The column of the labels. null takes label, if there is one."""
    classes: Annotated[tuple[ClassName, ...], Field(min_length=2, strict=False)] | None = None
    """Names of the classes, in this order. null takes those of the labels, and those that people add."""
    images: str | None = None
    """Folder or URL of the images, to which the ids are relative; people see them. null: there are no pictures."""
    augment: Literal["none"] = "none"
    """Features are not distorted."""
    cache: str = _in_cache()
    """Folder for a copy of the features as one array, which is read in every round."""


Data = Annotated[Standard | Folder | Features, Field(discriminator="name")]
