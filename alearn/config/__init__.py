"""The typed config, which checks what Hydra has composed before a trial starts.

The classes define the meaning, the allowed values and the default of each key. `Config()` equals what `alearn` composes
from conf/ without overrides; a test compares them. `preset` returns the presets of conf/ in Python. `parse` turns a
composed config into a `Config`, or raises one `AlearnError` that names every bad key, its value and what is allowed.
"""

from alearn.config.data_config import Data, Features, Folder, Imbalance, Standard
from alearn.config.model_config import AnyModel, Auto, Model
from alearn.config.oracle_config import AnyOracle, Oracle
from alearn.config.parse import load, parse, parse_search, parse_section
from alearn.config.policy_config import Audit, AutoLabels, Policy, Query
from alearn.config.presets import preset, training
from alearn.config.search_config import Search
from alearn.config.train_config import AnyTrain, AutoTrain, Finetune, Head, Train
from alearn.config.trial_config import Config, Record, Trial, flatten, free

__all__ = [
    "AnyModel",
    "AnyOracle",
    "AnyTrain",
    "Audit",
    "Auto",
    "AutoLabels",
    "AutoTrain",
    "Config",
    "Data",
    "Features",
    "Finetune",
    "Folder",
    "Head",
    "Imbalance",
    "Model",
    "Oracle",
    "Policy",
    "Query",
    "Record",
    "Search",
    "Standard",
    "Train",
    "Trial",
    "flatten",
    "free",
    "load",
    "parse",
    "parse_search",
    "parse_section",
    "preset",
    "training",
]
