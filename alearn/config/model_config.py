"""The `model` group. The module of each network in alearn/models/ declares its own keys."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator

from alearn.config.registered import registered, section
from alearn.config.section import Section
from alearn.registry import MODELS

LearningRate = Annotated[
    float,
    Field(gt=0, description="Peak learning rate with AdamW, for training recipes that take it from here."),
]


class Model(Section):
    """The keys that every network has."""

    name: str
    lr: LearningRate

    @property
    def network(self) -> str:
        """The name under which the network is registered."""
        return self.name


FAMILIES = {"views": "pretrained", "weights": "torchvision"}
"""Networks that have names of their own, by a key that tells which kind they are; the first one counts."""


def _model(tree: Any, base: ValidatorFunctionWrapHandler) -> Any:
    """Check the keys of a network with its registered config class."""
    if isinstance(tree, Mapping) and tree.get("name") not in MODELS:
        family = next((name for key, name in FAMILIES.items() if key in tree), None)
        if family is not None:
            tree = registered(MODELS, family).config.model_validate(tree)
    return section(MODELS, tree, base)


AnyModel = Annotated[SerializeAsAny[Model], WrapValidator(_model)]
"""Any registered network, with the keys of its registered config class."""


def default_model(name: str, /, **keys: Any) -> Model:
    """Return the config of a network. keys: values that replace its defaults."""
    model: Model = MODELS.get(name).config(**keys)
    return model


class Auto(Model):
    """One of several networks, which `alearn.trial.settle` chooses by the images and the machine."""

    name: Literal["auto"] = "auto"
    lr: LearningRate = 0.01
    small: AnyModel = Field(default_factory=lambda: default_model("small_cnn"))
    """For line drawings and small grey images, and where there is neither a pretrained network nor a GPU."""
    large: AnyModel = Field(default_factory=lambda: default_model("small_cnn", width=32))
    """For other images, where there is no pretrained network."""
    backbone: AnyModel = Field(default_factory=lambda: default_model("pretrained"))
    """The pretrained network for photographs."""
    backbone_gpu: AnyModel = Field(
        default_factory=lambda: default_model("pretrained", name="vit_small_patch14_dinov2.lvd142m")
    )
    """The one that is tried first if there is a GPU."""
