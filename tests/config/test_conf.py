"""Every file under conf/ is composed and checked, and says what it is for."""

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from alearn.config import parse
from alearn.config.hydra_front import CONF, jobs
from alearn.sweep.hydra_callback import probes
from tests.conftest import compose

EXPERIMENTS = sorted((CONF / "experiment").glob("*.yaml"))
OPTIONS = [path for path in sorted(CONF.glob("*/*.yaml")) if path not in EXPERIMENTS]


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_an_option_is_valid(path):
    config = compose(f"{path.parent.name}={path.stem}")
    called = {"torchvision": "resnet18"}.get(path.stem, path.stem)
    assert getattr(config, path.parent.name).name == called, "an option is called what it calls itself"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_row_of_an_experiment_is_valid(path):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=[f"experiment={path.stem}"], return_hydra_config=True)
        rows = [
            parse(GlobalHydra.instance().config_loader().load_sweep_config(config, words))
            for words in jobs(config) + probes(config)
        ]
    assert len({row.digest() for row in rows}) == len(rows) > 1


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}={path.stem}")
def test_a_file_opens_with_what_it_is_for(path):
    first = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    assert first.startswith("# ")


def test_the_four_trials_are_the_published_table():
    published = {
        "t1": (0.01, 0.9999, 0.01, 5, 4200, 55_800, 0.0193),
        "t2": (0.05, 0.9999, 0.01, 5, 6000, 54_000, 0.0057),
        "t3": (0.01, 0.999999, 0.01, 9, 6000, 54_000, 0.0041),
        "t4": (0.02, 0.9999, 0.02, 5, 6797, 53_203, 0.0043),
    }
    for name, expected in published.items():
        config = compose(f"trial={name}")
        row = config.published()
        assert (
            row.init_fraction,
            row.threshold,
            row.hand_fraction,
            row.rounds,
            row.hand,
            row.auto,
            row.mislabeled,
        ) == expected
        policy = config.policy
        assert (policy.init_fraction, policy.threshold, policy.hand_fraction) == expected[:3]


def test_train_source_is_the_published_training():
    train = OmegaConf.load(CONF / "train" / "source.yaml")
    assert (train.optimizer, train.lr, train.batch, train.patience) == ("adadelta", 1.0, 32, 10)
    assert (train.validation, train.split, train.steps, train.augment) == (0.2, "last", None, "none")
