"""Every file under conf/ can be composed, passes the checks, and begins with a comment on its purpose."""

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from alearn.config import flatten, hydra_front, parse
from alearn.config.hydra_front import jobs
from alearn.config.presets import CONF
from alearn.sweep.hydra_callback import probes
from tests.conftest import compose

EXPERIMENTS = sorted((CONF / "experiment").glob("*.yaml"))
GROUPS = ("data", "model", "oracle", "policy", "train", "trial")
OPTIONS = [
    (group, str(path.relative_to(CONF / group).with_suffix("")))
    for group in GROUPS
    for path in sorted((CONF / group).rglob("*.yaml"))
]


@pytest.mark.parametrize(("group", "name"), OPTIONS, ids=map("=".join, OPTIONS))
def test_an_option_is_valid_and_is_called_what_it_calls_itself(group, name):
    called = {"torchvision": "resnet18", "pretrained": "tf_efficientnet_lite0"}.get(
        name, name.removeprefix("ablation/")
    )
    assert getattr(compose(f"{group}={name}"), group).name == called


@pytest.mark.parametrize(("group", "name"), [option for option in OPTIONS if option[0] in ("policy", "trial")])
def test_a_preset_of_how_to_label_gives_the_trial_its_name(group, name):
    assert compose(f"{group}={name}").trial.name == name.removeprefix("ablation/")


@pytest.mark.parametrize(
    ("overrides", "policy", "train"),
    [
        ([], "quick", "quick"),
        (["policy=frugal"], "frugal", "frugal"),
        (["policy=own"], "own", "auto"),
        (["data=folder"], "own", "auto"),
        (["policy=source"], "source", "fast"),
        (["trial=t3"], "source", "fast"),
        (["experiment=search", "seed=0"], "source", "fast"),
        *(([f"policy={name}"], name, "augmented") for name in ("margin", "random", "ceal")),
        (["data=folder", "policy=margin"], "margin", "augmented"),
        (["policy=ablation/longer"], "longer", "frugal"),
        (["trial=t3", "train=source"], "source", "source"),
        (["policy=margin", "train=fast"], "margin", "fast"),
    ],
)
def test_a_policy_brings_the_training_that_suits_it_unless_the_command_line_names_one(overrides, policy, train):
    config = hydra_front.compose(*overrides)
    assert (config.policy.name, config.train.name) == (policy, train)
    here, recipe = (flatten(each.train.model_dump()) for each in (config, hydra_front.compose(f"train={train}")))
    if "longer" not in policy:
        differ = {key for key in here.keys() | recipe.keys() if here.get(key) != recipe.get(key)}
        assert {key.rpartition(".")[2] for key in differ} <= {"augment", "lr"}


def test_an_ablation_differs_from_the_default_in_one_part():
    """Another test, with the experiment, checks that all of them differ."""
    default = flatten(compose("policy=frugal").model_dump())
    for path in (CONF / "policy" / "ablation").glob("*.yaml"):
        other = flatten(compose(f"policy=ablation/{path.stem}").model_dump())
        differ = {key for key in default if default[key] != other[key]} - {"policy.name", "trial.name"}
        assert differ <= {"train.steps", "train.steps_per_hand"} or len(differ) == 1, path.stem


def different(jobs: list[list[str]]) -> list[list[str]]:
    """Leave out jobs that differ from an earlier one in their seed alone."""
    first = {tuple(word for word in job if not word.startswith("seed=")): job for job in reversed(jobs)}
    return list(first.values())


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_row_of_an_experiment_is_valid(path):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=[f"experiment={path.stem}"], return_hydra_config=True)
        assert len(jobs(config) + probes(config)) > 1
        rows = [
            parse(GlobalHydra.instance().config_loader().load_sweep_config(config, overrides))
            for overrides in different(jobs(config)) + probes(config)
        ]
    assert len({row.digest() for row in rows}) == len(rows)


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}={path.stem}")
def test_a_file_opens_with_what_it_is_for(path):
    first = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    assert first.startswith("# ")


def test_train_source_is_the_published_training():
    train = OmegaConf.load(CONF / "train" / "source.yaml")
    assert (train.optimizer, train.lr, train.batch, train.patience) == ("adadelta", 1.0, 32, 10)
    assert (train.validation, train.split, train.steps, train.augment) == (0.2, "last", None, "none")
