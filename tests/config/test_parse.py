import json

import pytest
from omegaconf import OmegaConf

from alearn.config import flatten, hydra_front, load, parse
from alearn.errors import AlearnError
from alearn.registry import MODELS


def tree(config, **changes):
    changed = config().model_dump()
    for key, value in changes.items():
        *path, last = key.split("__")
        at = changed
        for part in path:
            at = at[part]
        at[last] = value
    return OmegaConf.create(changed)


def test_the_composed_defaults_are_valid_and_resolved(config):
    parsed = config("trial=t3", "policy.threshold=0.999")
    assert (parsed.policy.threshold, parsed.policy.init_fraction, parsed.trial.name) == (0.999, 0.01, "t3")
    assert parse(OmegaConf.create(parsed.yaml())) == parsed


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("policy__threshold", 0, "policy.threshold=0: must be greater than 0"),
        ("policy__threshold", 1.01, "policy.threshold=1.01: must be less than or equal to 1"),
        ("policy__threshold", "high", "policy.threshold=high: must be a valid number"),
        ("policy__threshold", float("nan"), "policy.threshold=nan: must be a finite number"),
        ("policy__threshold", True, "policy.threshold=True: must be a valid number"),
        ("policy__hand_fraction", -0.1, "policy.hand_fraction=-0.1: must be greater than 0"),
        ("policy__init", "last", "policy.init=last: must be 'first', 'random' or 'typical'"),
        ("policy__new", 1, "policy.new: there is no such key"),
        ("model__depth", 8, "model.depth: there is no such key"),
        (
            "model__name",
            "vgg",
            f"model.name=vgg: must be one of {', '.join(MODELS.names())}; for a network of torchvision or "
            "timm give model=torchvision or model=pretrained, and model.name=NAME",
        ),
        ("data__imbalance__factor", 0.5, "data.imbalance.factor=0.5: must be greater than or equal to 1"),
        ("data__imbalance__shape", "tail", "data.imbalance.shape=tail: must be 'none', 'exponential' or 'step'"),
        ("data__size", 32, "data.size: there is no such key"),
        ("data__name", "cifar", "data: "),
        ("train__augment", "flip", "train.augment=flip: must be 'none', 'digits', 'numbers', 'objects', 'clothes' or"),
        ("data__limit", 3, "data.limit=3: must be greater than or equal to 10"),
        ("record__projector", -1, "record.projector=-1: must be greater than or equal to 0"),
        ("seed", -1, "seed=-1: must be greater than or equal to 0"),
        ("seed", 1.5, "seed=1.5: must be a valid integer"),
        ("train__patience", 3, "train: one of steps and patience"),
        ("train__steps", None, "train: one of steps and patience"),
        ("train__steps", 9, "train: schedule=one_cycle needs steps, at least 10"),
        ("train__hand_share", 1, "train.hand_share=1: must be less than 1"),
        ("device", "tpu", "device=tpu: must be 'auto', 'cpu' or 'cuda'"),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(config, key, value, message):
    with pytest.raises(AlearnError) as error:
        parse(tree(config, **{key: value}))
    assert str(error.value).startswith(message)


def test_every_bad_key_is_named_at_once(config):
    with pytest.raises(AlearnError) as error:
        parse(tree(config, policy__threshold=2, seed="x"))
    assert len(str(error.value).splitlines()) == 2


def test_keys_of_a_variant_are_checked_under_the_users_names(config):
    with pytest.raises(AlearnError, match=r"^model\.width=0: must be greater"):
        config("model=small_cnn", "model.width=0")


def test_a_name_that_is_none_of_ours_is_torchvisions(config):
    model = config("model=torchvision", "model.name=vgg11_bn", "model.weights=DEFAULT").model
    assert (type(model).__name__, model.name, model.weights) == ("Torchvision", "vgg11_bn", "DEFAULT")
    for overrides, message in (
        (["model=torchvision", "model.lr=0"], "model.lr=0: must be greater than 0"),
        (["model=torchvision", "+model.width=8"], "model.width: there is no such key"),
        (["model=torchvision", "model.lr=null"], "model.lr=None: must be a valid number"),
    ):
        with pytest.raises(AlearnError) as error:
            config(*overrides)
        assert message in str(error.value).splitlines()


def test_a_missing_variable_is_an_error_of_ours():
    with pytest.raises(AlearnError, match="config: "):
        parse(OmegaConf.create({"seed": "${nowhere}"}))


def test_identity_leaves_out_what_may_change_and_nothing_else(config):
    base = config()
    for same in ("data.root=/elsewhere", "policy.max_rounds=99", "record.projector=9"):
        assert config(same).digest() == base.digest()
    for other in ("seed=1", "policy.threshold=0.5", "train.lr=0.1", "data.limit=100", "device=cpu", "model=source_cnn"):
        assert config(other).digest() != base.digest()
    assert config("seed=1").setting() == base.setting() != config("policy.finish=auto").setting()
    json.dumps(base.identity())


def test_a_config_comes_back_from_the_file_that_a_trial_writes(config, tmp_path):
    path = tmp_path / "config.yaml"
    for overrides in ([], ["trial.name='<a: b> #'", "train=source", "train.lr=1e-5"]):
        path.write_text(config(*overrides).yaml())
        assert load(path) == config(*overrides)
    path.write_text(path.read_text().replace("threshold: 0.9999", "threshold: 2", 1))
    with pytest.raises(AlearnError, match=r"config\.yaml is no config of this version:\npolicy\.threshold=2"):
        load(path)


@pytest.mark.parametrize(
    ("written", "seed"),
    [
        ("7", 7),
        ("-3", -3),
        ("007", "007"),
        ("'2025_11'", "2025_11"),
        ('"1e3"', "1e3"),
        ("'a,5'", "a,5"),
        ("null", None),
    ],
)
def test_a_seed_of_the_draw_is_taken_as_it_is_written(config, written, seed):
    hydra_front.refuse_respelled_seed([f"policy.audit.seed={written}", "seed=1_000"])
    assert config(f"policy.audit.seed={written}").policy.audit.seed == seed


def test_the_seeds_of_a_sweep_are_taken_as_they_are_written():
    for written in ("7,8", "choice(7, 8)", "7,'1e3'", "range(1,4)"):
        hydra_front.refuse_respelled_seed([f"policy.audit.seed={written}"])


def test_flatten():
    assert flatten({"a": {"b": {"c": 1}}, "d": None}) == {"a.b.c": 1, "d": None}


def test_a_job_of_a_sweep_has_a_thread_unless_told_otherwise(config):
    alone = config()
    assert (alone.threads, alone.in_sweep().threads) == ("auto", 1)
    assert alone.in_sweep().digest() == config("threads=1").digest() != alone.digest()
    assert config("threads=4").in_sweep().threads == 4


def test_bald_needs_dropout_and_says_so_before_anything_is_spent(config):
    with pytest.raises(
        AlearnError, match=r"^policy\.query\.strategy=bald needs a network with dropout: set model\.dropout=0\.25"
    ):
        config("policy.query.strategy=bald")
    assert config("policy.query.strategy=bald", "model.dropout=0.25").policy.query.strategy == "bald"
    assert config("policy.query.strategy=bald", "model=source_cnn").policy.query.strategy == "bald"
