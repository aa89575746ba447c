"""The `model` group: a class a network."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from alearn.config.section import Count, Section


class SourceCnn(Section):
    """The published experiment's network."""

    name: Literal["source_cnn"]
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate that suits it with AdamW, for training recipes that take it from here."""


class SmallCnn(Section):
    """A batch-normalised network: a fifth of the multiplications, and better with few labels."""

    name: Literal["small_cnn"]
    width: Count
    """Channels of the first layer; the later ones have 2 and 4 times as many."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """Share of the features that is dropped before the head while it trains, and for policy.query=bald; 0 for none."""
    lr: Annotated[float, Field(gt=0)]
    """As in source_cnn; batch norm stands more."""


class Resnet(Section):
    """A residual network for small images in colour."""

    name: Literal["resnet"]
    width: Count
    """Channels of the first layer; the later ones have 2, 4 and 8 times as many."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """As in small_cnn."""
    lr: Annotated[float, Field(gt=0)]
    """As in source_cnn."""


class Torchvision(Section):
    """Any of torchvision's classification networks, under torchvision's own name, e.g. resnet18."""

    name: str
    weights: str | None
    """Start from ImageNet's weights: DEFAULT, or torchvision's name for them; null starts from scratch."""
    lr: Annotated[float, Field(gt=0)]
    """As in source_cnn."""


class Auto(Section):
    """One of the two below, by the images: `alearn.data.choose`."""

    name: Literal["auto"]
    small: SmallCnn
    """For small grey images, and where there is no GPU."""
    large: Annotated[SmallCnn | Resnet, Field(discriminator="name")]
    """For all others."""
    lr: Annotated[float, Field(gt=0)]
    """As in source_cnn."""


OWN = ("source_cnn", "small_cnn", "resnet", "auto")


def _kind(model: Any) -> str | None:
    """Whose network it is: a name that is none of ours is torchvision's, if the keys are those of torchvision's."""
    if isinstance(model, Section):
        return model.name if model.name in OWN else "torchvision"  # type: ignore[attr-defined]
    name = model.get("name")
    return name if name in OWN else "torchvision" if "weights" in model else None


Model = Annotated[
    Annotated[SourceCnn, Tag("source_cnn")]
    | Annotated[SmallCnn, Tag("small_cnn")]
    | Annotated[Resnet, Tag("resnet")]
    | Annotated[Auto, Tag("auto")]
    | Annotated[Torchvision, Tag("torchvision")],
    Discriminator(
        _kind,
        custom_error_type="model",
        custom_error_message=f"name must be one of {', '.join(OWN)}; any other is model=torchvision model.name=NAME",
    ),
]
