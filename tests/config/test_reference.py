import pytest

from alearn.config import Config, flatten, hydra_front
from alearn.config.presets import names
from alearn.config.reference import keys

ALL = list(keys())
NETWORKS = ("model.small", "model.large", "model.backbone", "model.backbone_gpu")
ONE = ("folder", "features", "head", "auto", "finetune")
"""Options with a class of their own."""


def options(group: str) -> list[str]:
    return [name for name in names(group) if not name.startswith("ablation/")]


@pytest.mark.slow
@pytest.mark.parametrize("group", ["data", "model", "oracle", "policy", "train", "trial"])
def test_every_key_of_a_composed_config_is_listed_with_the_options_that_have_it(group):
    for name in options(group):
        config = hydra_front.compose(f"{group}={name}", *(["data.root=/x"] if name in ("folder", "features") else []))
        listed = [key.name for key in ALL if key.group == group and name in (key.options or [name])]
        composed = [key for key in flatten(config.model_dump()) if key.startswith(f"{group}.")]
        composed = [key for key in composed if not key.startswith(tuple(f"{network}." for network in NETWORKS))]
        if (group in ("model", "oracle") and name not in ("torchvision", "pretrained")) or name in ONE:
            composed.remove(f"{group}.name")  # the choice of the option sets this key
        assert [key for key in listed if key not in NETWORKS] == [key for key in composed if key != "train.head.name"]


def test_every_top_level_key_is_listed():
    listed = {key.name for key in ALL if not key.group}
    assert listed == {name for name, value in Config().model_dump().items() if not isinstance(value, dict)}


@pytest.mark.parametrize("key", ALL, ids=lambda key: f"{key.name} {' '.join(key.options)}")
def test_every_key_is_explained_in_sentences(key):
    assert key.description.endswith(".")
    assert "\n\n" not in key.description
    assert key.values


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("policy.threshold", "number > 0 and <= 1", "0.95"),
        ("policy.hand_budget", "whole number >= 1 | auto | null", "650"),
        ("policy.auto.permanent", "true | false", "false"),
        ("policy.audit.seed", "text | whole number | null", "null"),
        ("policy.audit.answers", "1 | 2", "1"),
        ("data.size", "whole number >= 8 and <= 1024 | auto", "auto"),
        ("data.classes", "list of at least 2 | null", "null"),
        ("data.cache", "text", "$ALEARN_DATA or ~/.cache/alearn"),
        ("train.network.lr", "number > 0", "${model.lr}"),
        ("train.head.penalty", "number > 0", "0.01"),
        ("policy.pace", "seconds | minutes | auto", "minutes"),
        ("model.large", "the keys of a model", "small_cnn"),
        ("model.backbone", "the keys of a model", "tf_efficientnet_lite0"),
        ("oracle.names", "list", "[]"),
        ("seed", "whole number >= 0", "0"),
        ("hydra.sweeper.params", "keys and values | null", "{}"),
    ],
)
def test_values_and_defaults_are_in_words(name, values, default):
    found = {(key.values, key.default) for key in ALL if key.name == name}
    assert found == {(values, default)}


def test_options_with_other_keys_are_told_apart():
    found = {key.options for key in ALL if key.group == "train"}
    assert found == {("augmented", "fast", "frugal", "quick", "source"), ("auto",), ("finetune",), ("head",)}
    assert [(key.name, key.options) for key in ALL if key.name.endswith("penalty")] == [
        ("train.head.penalty", ("auto",)),
        ("train.penalty", ("head",)),
    ]


def test_a_key_that_must_be_given_has_no_default():
    given = [(key.name, key.options) for key in ALL if not key.default]
    assert given == [("data.root", ("folder",)), ("data.root", ("features",))]


def test_names_of_strategies_and_rules_are_listed():
    values = {key.name: key.values.split(" | ") for key in ALL}
    assert {"margin", "bald", "random"} < set(values["policy.query.strategy"])
    assert {"none", "threshold", "count"} < set(values["policy.auto.rule"])
