"""The typed config: what Hydra composed, checked before anything is spent.

The classes say what each key means, what it may be and what it is by default: `Config()` is what `alearn` composes from
conf/ without overrides, which a test compares. `preset` gives the presets of conf/ to Python. `parse` turns a composed
config into a `Config`, or raises one `AlearnError` that names every bad key, its value and what is allowed.
"""

from alearn.config.data_config import Data, Folder, Imbalance, Standard
from alearn.config.model_config import AnyModel, Auto, Model
from alearn.config.oracle_config import AnyOracle, Oracle
from alearn.config.parse import load, parse, parse_search, parse_section
from alearn.config.policy_config import Audit, AutoLabels, Policy, Query
from alearn.config.presets import preset, training
from alearn.config.search_config import Search
from alearn.config.train_config import Train
from alearn.config.trial_config import Config, Record, Trial, flatten, free

__all__ = [
    "AnyModel",
    "AnyOracle",
    "Audit",
    "Auto",
    "AutoLabels",
    "Config",
    "Data",
    "Folder",
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
