"""The defaults of the classes and the presets for Python are those of conf/."""

import os
import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from alearn.config import (
    Audit,
    Config,
    Folder,
    Policy,
    Search,
    Train,
    flatten,
    hydra_front,
    parse_section,
    preset,
    training,
)
from alearn.config.presets import CONF, GROUPS, names
from alearn.errors import AlearnError

OPTIONS = [(group, name) for group in GROUPS for name in names(group)]
FOLDER = {"root": "/pictures"}
OWN = ("folder", "features")
"""Data sets whose root must be given."""


def composed(*overrides: str) -> Config:
    return hydra_front.compose(*overrides)


def option(group: str, name: str) -> Config:
    return composed(f"{group}={name}", *(["data.root=/pictures"] if name in OWN else []))


def test_the_default_config_is_what_the_command_composes():
    here, there = flatten(Config().model_dump()), flatten(composed().model_dump())
    assert {key: (here.get(key), there.get(key)) for key in here | there if here.get(key) != there.get(key)} == {}
    assert list(here) == list(there)
    assert Config() == composed()


def test_each_section_has_the_defaults_of_the_command():
    assert Policy() == composed().policy
    assert Train() == composed().train
    params = OmegaConf.to_container(OmegaConf.load(CONF / "hydra" / "sweeper" / "optuna.yaml"))
    del params["_target_"]
    assert Search().model_dump() == params


@pytest.mark.parametrize(("group", "name"), [option for option in OPTIONS if option[0] in ("data", "model", "oracle")])
def test_a_name_alone_gives_the_section_of_its_file(group, name):
    tree = {"name": name} | (FOLDER if name in OWN else {})
    tree = {  # these have names of their own, and a key that tells what they are
        "torchvision": {"name": "resnet18", "weights": None},
        "pretrained": {"name": "tf_efficientnet_lite0", "views": 1},
    }.get(name, tree)
    assert parse_section(group, tree) == getattr(option(group, name), group)


def test_the_environment_says_where_data_sets_lie(monkeypatch):
    monkeypatch.setenv("ALEARN_DATA", "/elsewhere")
    assert Config().data.root == composed().data.root == "/elsewhere"
    assert Folder(**FOLDER).cache == option("data", "folder").data.cache == "/elsewhere"


@pytest.mark.parametrize(
    "overrides",
    [["model=source_cnn"], ["data=cifar10"], ["policy=margin", "train=quick"], ["data=svhn", "model=resnet"]],
)
def test_what_follows_from_another_group_follows_in_python_too(overrides):
    config = composed(*overrides)
    assert Config(data=config.data, model=config.model, policy=config.policy) == config


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_a_preset_is_what_the_command_composes(group, name):
    changes = FOLDER if name in OWN else {}
    assert preset(group, name, **changes) == getattr(option(group, name), group)


@pytest.mark.parametrize("policy", names("policy"))
def test_a_policy_brings_its_training(policy):
    assert training(policy) == composed(f"policy={policy}").train


def test_changes_are_overrides():
    policy = preset(
        "policy", "margin", hand_budget=300, finish="audit", audit={"target_error": 0.01}, query={"pool": 2}
    )
    overrides = ["hand_budget=300", "finish=audit", "audit.target_error=0.01", "query.pool=2"]
    assert policy == composed("policy=margin", *(f"policy.{override}" for override in overrides)).policy
    assert preset("policy", "margin", audit=Audit(target_error=0.01)).audit == Audit(target_error=0.01)
    assert training("margin", steps=9, schedule="constant").steps == 9
    assert preset("model", "auto", large={"width": 8}).large.width == 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: preset("policy", "frugl"), r"policy=frugl: must be one of ablation/.*; did you mean frugal\?"),
        (lambda: training("none"), r"policy=none: must be one of"),
        (lambda: preset("colour", "red"), r"colour: no such group of presets; must be one of data, model, train, pol"),
        (lambda: preset("policy", "frugal", hand_budgt=3), r"policy\.hand_budgt: there is no such key"),
        (lambda: preset("policy", "frugal", permanent=True), r"policy\.permanent: is policy\.auto\.permanent now"),
        (lambda: preset("policy", "frugal", query="margin"), r"policy\.query: is policy\.query\.strategy now"),
        (lambda: preset("policy", "frugal", threshold=2), r"policy\.threshold=2: must be less than or equal to 1"),
        (lambda: preset("policy", "frugal", finish="audit"), r"policy: finish=audit needs audit\.target_error"),
        (lambda: preset("data", "folder"), r"data\.root: a value is missing"),
        (lambda: parse_section("train", {"steps": 5}), r"train: schedule=one_cycle needs steps, at least 10"),
    ],
)
def test_a_mistake_is_one_message(call, message):
    with pytest.raises(AlearnError, match=f"^{message}"):
        call()


def test_one_bad_key_is_one_line_though_others_follow_from_it():
    with pytest.raises(AlearnError) as error:
        hydra_front.parse(OmegaConf.create({"policy": {"threshold": 2}, "model": {"name": "small_cnn", "width": 0}}))
    assert [re.split("[=:]", line)[0] for line in str(error.value).splitlines()] == ["model.width", "policy.threshold"]


def test_presets_need_neither_hydra_nor_torch():
    code = "import sys; from alearn.config import Policy, preset, training; preset('policy', 'frugal'); "
    code += "training('margin'); Policy(); print([m for m in ('torch', 'hydra') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
